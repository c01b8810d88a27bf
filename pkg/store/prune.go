package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Pruned counts what Prune has removed.
type Pruned struct {
	Reports int
	Until   time.Time // when the newest of them was published
}

// Prune removes the oldest reports from before a time, at most so many, and
// returns their space to the file system. The newest report of each outcome of
// every page stays, however old it is.
func (w *Writer) Prune(ctx context.Context, before time.Time, most int) (p Pruned, err error) {
	err = w.inTx(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `DELETE FROM report WHERE request IN (
				SELECT request FROM report AS r WHERE at < ? AND EXISTS (
					SELECT 1 FROM report WHERE page = r.page AND outcome = r.outcome AND at > r.at)
				ORDER BY at LIMIT ?) RETURNING at`, stamp(before), most)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var at string
			if err := rows.Scan(&at); err != nil {
				return err
			}
			t, err := time.Parse(timeFormat, at)
			if err != nil {
				return err
			}
			if p.Reports++; t.After(p.Until) {
				p.Until = t
			}
		}
		return rows.Err()
	})
	if err == nil && p.Reports > 0 {
		err = w.vacuum(ctx)
	}
	return p, explain(w.path, err)
}

// vacuum returns free pages to the file system. A file that was created without
// incremental vacuum keeps them and uses them again.
func (w *Writer) vacuum(ctx context.Context) error {
	rows, err := w.db.QueryContext(ctx, "PRAGMA incremental_vacuum")
	if err != nil {
		return err
	}
	for rows.Next() { // a row for each page
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	// A reader can delay the shrinking until a later checkpoint.
	w.shrinking = true
	if err := w.db.QueryRowContext(ctx, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size").Scan(&w.least); err != nil {
		return err
	}
	var busy, frames, done int
	if err := w.db.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &frames, &done); err != nil {
		return err
	}
	w.shrinking = busy != 0
	return nil
}
