package store

import (
	"bytes"
	"compress/flate"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"time"

	"libra/pkg/event"
)

// AddReports stores reports in one transaction, on disk when it returns nil.
// A report whose request is answered already is left out; added counts the
// others.
func (w *Writer) AddReports(ctx context.Context, reports []event.Reported) (added int, err error) {
	err = w.inTx(ctx, func(tx *sql.Tx) error {
		for _, r := range reports {
			n, err := addReport(ctx, tx, r)
			if err != nil {
				return fmt.Errorf("store report of request %s: %w", r.Request.ID, err)
			}
			added += n
		}
		return nil
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
	defer tx.Rollback() // nothing after a commit
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Report is a page's newest report, or libra.ErrNotFound.
func (r *Reader) Report(ctx context.Context, page string) (event.Reported, error) {
	list, err := r.reports(ctx, `SELECT body FROM report WHERE page = ? ORDER BY at DESC LIMIT 1`, page)
	if err == nil && len(list) == 0 {
		err = sql.ErrNoRows
	}
	if err != nil {
		return event.Reported{}, explain(r.path, err)
	}
	return list[0], nil
}

// ByRequest is the report that answered a request, or libra.ErrNotFound.
func (r *Reader) ByRequest(ctx context.Context, request string) (event.Reported, error) {
	list, err := r.reports(ctx, `SELECT body FROM report WHERE request = ?`, request)
	if err == nil && len(list) == 0 {
		err = sql.ErrNoRows
	}
	if err != nil {
		return event.Reported{}, explain(r.path, err)
	}
	return list[0], nil
}

// Latest lists the newest report of each page published before a time, newest
// first. The zero time means now.
func (r *Reader) Latest(ctx context.Context, before time.Time, limit int) ([]event.Reported, error) {
	until := "~" // after every time
	if !before.IsZero() {
		until = stamp(before)
	}
	list, err := r.reports(ctx, `SELECT body FROM report AS newest WHERE at < ?
		AND NOT EXISTS (SELECT 1 FROM report WHERE page = newest.page AND at > newest.at)
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

// deflaters are a megabyte each to make.
var deflaters = sync.Pool{New: func() any {
	z, err := flate.NewWriter(io.Discard, flate.BestSpeed)
	if err != nil {
		panic(err) // BestSpeed is a level
	}
	return z
}}

// pack makes a report about a tenth of its JSON.
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
