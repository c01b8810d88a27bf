package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// mostBoard bounds the notes on the board that are kept: 10 MB of ordinary ones, 130 MB of
// the longest.
const mostBoard = 20_000

// AddBoard stores notes on the board, each once, as AddReports stores reports. It forgets
// the oldest of too many.
func (w *Writer) AddBoard(ctx context.Context, notes []libra.Note, after event.Position) error {
	return explain(w.path, w.inTx(ctx, func(tx *sql.Tx) error {
		for _, n := range notes {
			body, err := json.Marshal(n)
			if err != nil {
				return fmt.Errorf("encode note %s: %w", n.ID, err)
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO board (id, at, alarm, page, body) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
				n.ID, stamp(n.At), n.Alarm, n.Page, string(body))
			if err != nil {
				return fmt.Errorf("store note %s: %w", n.ID, err)
			}
		}
		if len(notes) > 0 {
			_, err := tx.ExecContext(ctx, `DELETE FROM board WHERE id IN (SELECT id FROM board ORDER BY at DESC, id DESC LIMIT -1 OFFSET ?)`, mostBoard)
			if err != nil {
				return fmt.Errorf("forget the oldest notes: %w", err)
			}
		}
		return setPosition(ctx, tx, event.BoardStream, after)
	}))
}

// Board lists the notes on the board that are about an alarm and a page, newest first, from
// after a mark on; "" is any.
func (r *Reader) Board(ctx context.Context, alarm, page string, after Mark, limit int) ([]libra.Note, error) {
	at, id := after.bounds()
	where, args := `(at, id) < (?, ?)`, []any{at, id}
	if alarm != "" {
		where, args = where+` AND alarm > '' AND alarm = ?`, append(args, alarm)
	}
	if page != "" {
		where, args = where+` AND page > '' AND page = ?`, append(args, page)
	}
	return bodies[libra.Note](ctx, r, `SELECT body FROM board WHERE `+where+` ORDER BY at DESC, id DESC LIMIT ?`, append(args, limit)...)
}

// BoardNote returns the note on the board with an id, or libra.ErrNotFound.
func (r *Reader) BoardNote(ctx context.Context, id string) (libra.Note, error) {
	list, err := bodies[libra.Note](ctx, r, `SELECT body FROM board WHERE id = ?`, id)
	if err == nil && len(list) == 0 {
		err = libra.ErrNotFound
	}
	if err != nil {
		return libra.Note{}, err
	}
	return list[0], nil
}

// What a bus that has lost the board gets back of it: less than half of what it has room
// for at least, so that what is written meanwhile stays, too.
const (
	mostRestored      = 500     // notes
	mostRestoredBytes = 200_000 // of them, in JSON
)

// NewestBoard lists the newest notes on the board, the oldest of them first: those that a
// bus which has lost them must get back.
func (w *Writer) NewestBoard(ctx context.Context) ([]libra.Note, error) {
	return writerBodies[libra.Note](ctx, w, `SELECT body FROM (
		SELECT at, id, body, sum(length(CAST(body AS BLOB))) OVER (ORDER BY at DESC, id DESC ROWS UNBOUNDED PRECEDING) AS bytes
		FROM (SELECT at, id, body FROM board ORDER BY at DESC, id DESC LIMIT ?))
		WHERE bytes <= ? ORDER BY at, id`, mostRestored, mostRestoredBytes)
}
