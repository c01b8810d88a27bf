package store

import (
	"bytes"
	"compress/flate"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"libra/pkg/event"
)

// AddReports stores reports and the position of their stream in one transaction,
// which is on disk when it returns nil. It skips a report whose request has one already;
// added counts the others.
func (w *Writer) AddReports(ctx context.Context, reports []event.Reported, after event.Position) (added int, err error) {
	err = w.inTx(ctx, func(tx *sql.Tx) error {
		for _, r := range reports {
			n, err := addReport(ctx, tx, r)
			if err != nil {
				return fmt.Errorf("store report of request %s: %w", r.Request.ID, err)
			}
			added += n
		}
		return setPosition(ctx, tx, event.ReportStream, after)
	})
	if err != nil {
		return 0, explain(w.path, err)
	}
	return added, nil
}

func addReport(ctx context.Context, tx *sql.Tx, r event.Reported) (int, error) {
	body, err := pack(r)
	if err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO page (id, url, first_asked) VALUES (?, ?, ?) ON CONFLICT DO NOTHING`,
		r.Request.Page, r.Request.URL, stamp(r.Request.Asked))
	if err != nil {
		return 0, err
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO report (request, page, at, outcome, status, requests, transfer_bytes, duration_ms, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		r.Request.ID, r.Request.Page, stamp(r.At), r.Report.Outcome, r.Report.Status,
		r.Report.Totals.Requests, r.Report.Totals.TransferBytes, r.Report.DurationMS, body)
	if err != nil {
		return 0, err
	}
	n, err := res.RowsAffected()
	return int(n), err
}

func (w *Writer) inTx(ctx context.Context, do func(*sql.Tx) error) error {
	tx, err := w.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // no effect after a commit
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Position returns the position up to which a stream is stored; the zero position
// if nothing of it is.
func (w *Writer) Position(ctx context.Context, stream string) (p event.Position, err error) {
	var created string
	err = w.db.QueryRowContext(ctx, `SELECT created, sequence FROM position WHERE stream = ?`, stream).Scan(&created, &p.Sequence)
	if errors.Is(err, sql.ErrNoRows) {
		return event.Position{}, nil
	}
	if err == nil {
		p.Created, err = time.Parse(timeFormat, created)
	}
	return p, explain(w.path, err)
}

func setPosition(ctx context.Context, tx *sql.Tx, stream string, p event.Position) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO position (stream, created, sequence) VALUES (?, ?, ?)
		ON CONFLICT (stream) DO UPDATE SET created = excluded.created, sequence = excluded.sequence`,
		stream, stamp(p.Created), p.Sequence)
	return err
}

// Newest lists the requests whose reports are the newest good one or the newest
// error of their page, the oldest first.
func (w *Writer) Newest(ctx context.Context) (requests []string, err error) {
	rows, err := w.db.QueryContext(ctx, `SELECT request FROM report AS r WHERE NOT EXISTS (SELECT 1 FROM report
		WHERE page = r.page AND (outcome = 'error') = (r.outcome = 'error') AND at > r.at) ORDER BY at`)
	if err != nil {
		return nil, explain(w.path, err)
	}
	defer rows.Close()
	for rows.Next() {
		var request string
		if err := rows.Scan(&request); err != nil {
			return nil, explain(w.path, err)
		}
		requests = append(requests, request)
	}
	return requests, explain(w.path, rows.Err())
}

// ByRequest returns the report of a request, or libra.ErrNotFound.
func (w *Writer) ByRequest(ctx context.Context, request string) (r event.Reported, err error) {
	var body []byte
	if err := w.db.QueryRowContext(ctx, `SELECT body FROM report WHERE request = ?`, request).Scan(&body); err != nil {
		return r, explain(w.path, err)
	}
	return unpack(body)
}

// Report returns a page's newest good report, or the newest error if there is
// no other, or libra.ErrNotFound.
func (r *Reader) Report(ctx context.Context, page string) (event.Reported, error) {
	return r.one(ctx, `SELECT body FROM report WHERE page = ? ORDER BY outcome = 'error', at DESC LIMIT 1`, page)
}

// Failure returns a page's newest error, or libra.ErrNotFound.
func (r *Reader) Failure(ctx context.Context, page string) (event.Reported, error) {
	return r.one(ctx, `SELECT body FROM report WHERE page = ? AND outcome = 'error' ORDER BY at DESC LIMIT 1`, page)
}

// Complete returns a page's newest report that budgets apply to
// (libra.Report.Sound), or libra.ErrNotFound.
func (r *Reader) Complete(ctx context.Context, page string) (event.Reported, error) {
	return r.one(ctx, `SELECT body FROM report WHERE page = ? AND (outcome = 'error') = 0 AND outcome = 'complete' ORDER BY at DESC LIMIT 1`, page)
}

// ByRequest returns the report of a request, or libra.ErrNotFound.
func (r *Reader) ByRequest(ctx context.Context, request string) (event.Reported, error) {
	return r.one(ctx, `SELECT body FROM report WHERE request = ?`, request)
}

func (r *Reader) one(ctx context.Context, query string, args ...any) (event.Reported, error) {
	list, err := r.reports(ctx, query, args...)
	if err == nil && len(list) == 0 {
		err = sql.ErrNoRows
	}
	if err != nil {
		return event.Reported{}, explain(r.path, err)
	}
	return list[0], nil
}

// Latest lists for each page its newest good report, or else its newest
// error, of those published before a time, newest first. The zero time
// means now.
func (r *Reader) Latest(ctx context.Context, before time.Time, limit int) ([]event.Reported, error) {
	until := "~" // after every time
	if !before.IsZero() {
		until = stamp(before)
	}
	list, err := r.reports(ctx, `SELECT body FROM report AS r WHERE at < ? AND NOT EXISTS (SELECT 1 FROM report
		WHERE page = r.page AND ((outcome = 'error') < (r.outcome = 'error') OR (outcome = 'error') = (r.outcome = 'error') AND at > r.at))
		ORDER BY at DESC LIMIT ?`, until, limit)
	return list, explain(r.path, err)
}

func (r *Reader) reports(ctx context.Context, query string, args ...any) (list []event.Reported, err error) {
	rows, done, err := r.query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer done()
	for rows.Next() {
		var body sql.RawBytes
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		reported, err := unpack(body)
		if err != nil {
			return nil, err
		}
		list = append(list, reported)
	}
	return list, rows.Err()
}

// deflaters are reused, because each takes a megabyte.
var deflaters = sync.Pool{New: func() any {
	z, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		panic(err) // BestSpeed is a valid level
	}
	return z
}}

// pack compresses a report to about a tenth of its JSON.
func pack(r event.Reported) ([]byte, error) {
	var buf bytes.Buffer
	z := deflaters.Get().(*flate.Writer)
	defer deflaters.Put(z)
	z.Reset(&buf)
	if err := json.NewEncoder(z).Encode(r); err != nil {
		return nil, err
	}
	err := z.Close()
	return buf.Bytes(), err
}

func unpack(body []byte) (r event.Reported, err error) {
	z := flate.NewReader(bytes.NewReader(body))
	defer z.Close()
	text, err := io.ReadAll(z)
	if err != nil {
		return r, fmt.Errorf("unpack report: %w", err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("read report: %w", err)
	}
	return r, nil
}
