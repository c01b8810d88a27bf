package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// AddNotes stores notes, each once, as AddReports stores reports.
func (w *Writer) AddNotes(ctx context.Context, notes []libra.Note, after event.Position) error {
	return explain(w.path, w.inTx(ctx, func(tx *sql.Tx) error {
		for _, n := range notes {
			if err := addNote(ctx, tx, n); err != nil {
				return fmt.Errorf("store note %s: %w", n.ID, err)
			}
		}
		return setPosition(ctx, tx, event.NoteStream, after)
	}))
}

func addNote(ctx context.Context, tx *sql.Tx, n libra.Note) error {
	body, err := json.Marshal(n)
	if err != nil {
		return err
	}
	silence, until := "", ""
	if n.Silence != nil {
		silence, until = n.Silence.ID, stamp(n.Silence.Until)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO note (id, kind, at, alarm, silence, until, body)
		VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, n.ID, n.Kind, stamp(n.At), n.Alarm, silence, until, string(body))
	return err
}

// Notes lists the notes on an alarm, or all notes where alarm is "", newest
// first, from after a mark on.
func (r *Reader) Notes(ctx context.Context, alarm string, after Mark, limit int) ([]libra.Note, error) {
	at, id := after.bounds()
	if alarm == "" {
		return bodies[libra.Note](ctx, r, `SELECT body FROM note WHERE (at, id) < (?, ?) ORDER BY at DESC, id DESC LIMIT ?`, at, id, limit)
	}
	return bodies[libra.Note](ctx, r, `SELECT body FROM note WHERE alarm = ? AND (at, id) < (?, ?) ORDER BY at DESC, id DESC LIMIT ?`, alarm, at, id, limit)
}

// openSilences selects the newest note of each silence that has not ended, the
// oldest first.
const openSilences = `SELECT body FROM note AS n WHERE silence > '' AND until > ? AND NOT EXISTS
	(SELECT 1 FROM note WHERE silence = n.silence AND (at, id) > (n.at, n.id)) ORDER BY at, id`

// Silences lists the silences in force or to come at a time: the newest note
// of each, the oldest first.
func (r *Reader) Silences(ctx context.Context, at time.Time) ([]libra.Note, error) {
	return bodies[libra.Note](ctx, r, openSilences, stamp(at))
}

// NotesInForce lists the notes that a bus which has lost its store must get back
// at a time: those of silences in force or to come, and those on open alarms
// since they were raised, of each alarm the newest acknowledgement first.
func (w *Writer) NotesInForce(ctx context.Context, at time.Time) (list []libra.Note, err error) {
	open, err := writerBodies[libra.Transition](ctx, w, openAlarms)
	if err != nil {
		return nil, err
	}
	for _, t := range open {
		notes, err := writerBodies[libra.Note](ctx, w, `SELECT body FROM note WHERE alarm = ? AND at >= ?
			ORDER BY kind = ? DESC, at DESC, id DESC`, t.Alarm.ID, stamp(t.Alarm.Since), libra.Acknowledged)
		if err != nil {
			return nil, err
		}
		list = append(list, notes...)
	}
	silences, err := writerBodies[libra.Note](ctx, w, openSilences, stamp(at))
	return append(list, silences...), err
}

// AddWatches stores the newest state of each page's watch, as AddReports stores
// reports. An older state changes nothing.
func (w *Writer) AddWatches(ctx context.Context, watches []event.Watch, after event.Position) error {
	return explain(w.path, w.inTx(ctx, func(tx *sql.Tx) error {
		for _, v := range watches {
			body, err := json.Marshal(v)
			if err != nil {
				return fmt.Errorf("encode watch of page %s: %w", v.Page, err)
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO watch (page, every_s, at, body) VALUES (?, ?, ?, ?) ON CONFLICT (page)
				DO UPDATE SET every_s = excluded.every_s, at = excluded.at, body = excluded.body WHERE excluded.at >= at`,
				v.Page, v.EveryS, stamp(v.At), string(body))
			if err != nil {
				return fmt.Errorf("store watch of page %s: %w", v.Page, err)
			}
		}
		return setPosition(ctx, tx, event.WatchStream, after)
	}))
}

const watched = `SELECT body FROM watch WHERE every_s > 0 ORDER BY at DESC, page`

// Watches lists the pages that are watched, the newest first.
func (r *Reader) Watches(ctx context.Context) ([]event.Watch, error) {
	return bodies[event.Watch](ctx, r, watched)
}

// Watches lists the pages that are watched, the newest first.
func (w *Writer) Watches(ctx context.Context) ([]event.Watch, error) {
	return writerBodies[event.Watch](ctx, w, watched)
}

// writerBodies decodes the JSON of a column for a Writer.
func writerBodies[T any](ctx context.Context, w *Writer, query string, args ...any) ([]T, error) {
	rows, err := w.db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, explain(w.path, err)
	}
	defer rows.Close()
	list, err := scanBodies[T](rows)
	return list, explain(w.path, err)
}
