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

// AddAlarms stores transitions, each once, as AddReports stores reports.
func (w *Writer) AddAlarms(ctx context.Context, transitions []libra.Transition, after event.Position) error {
	return explain(w.path, w.inTx(ctx, func(tx *sql.Tx) error {
		for _, t := range transitions {
			body, err := json.Marshal(t)
			if err != nil {
				return fmt.Errorf("encode transition %s: %w", t.ID, err)
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO transition (id, alarm, at, state, severity, body)
				VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
				t.ID, t.Alarm.ID, stamp(t.At), t.Alarm.State, t.Alarm.Severity, string(body))
			if err != nil {
				return fmt.Errorf("store transition %s: %w", t.ID, err)
			}
		}
		return setPosition(ctx, tx, event.AlarmStream, after)
	}))
}

// Alarms lists the newest transitions, newest first.
func (r *Reader) Alarms(ctx context.Context, limit int) ([]libra.Transition, error) {
	return bodies[libra.Transition](ctx, r, `SELECT body FROM transition ORDER BY at DESC, id DESC LIMIT ?`, limit)
}

// Mark is a position in a list that is ordered by time, newest first: the last
// entry that was read. The zero Mark is before the first entry.
type Mark struct {
	At time.Time
	ID string
}

// bounds are the arguments for "(at, id) < (?, ?)".
func (m Mark) bounds() (at, id string) {
	if m.At.IsZero() {
		return "~", "" // after every time
	}
	return stamp(m.At), m.ID
}

// Transitions lists the transitions of an alarm, or of all of them where alarm
// is "", newest first, from after a mark on.
func (r *Reader) Transitions(ctx context.Context, alarm string, after Mark, limit int) ([]libra.Transition, error) {
	at, id := after.bounds()
	if alarm == "" {
		return bodies[libra.Transition](ctx, r, `SELECT body FROM transition WHERE (at, id) < (?, ?) ORDER BY at DESC, id DESC LIMIT ?`, at, id, limit)
	}
	return bodies[libra.Transition](ctx, r, `SELECT body FROM transition WHERE alarm = ? AND (at, id) < (?, ?) ORDER BY at DESC, id DESC LIMIT ?`, alarm, at, id, limit)
}

// openAlarms selects the newest transition of each raised alarm, the oldest
// first. It steps from alarm to alarm in the index, so that its cost does not
// depend on the number of transitions.
const openAlarms = `WITH RECURSIVE a (alarm) AS (
		SELECT min(alarm) FROM transition UNION ALL
		SELECT (SELECT min(alarm) FROM transition WHERE alarm > a.alarm) FROM a WHERE a.alarm IS NOT NULL)
	SELECT t.body FROM a JOIN transition AS t ON t.rowid =
		(SELECT rowid FROM transition WHERE alarm = a.alarm ORDER BY at DESC, id DESC LIMIT 1)
	WHERE t.state = 'raised' ORDER BY t.at, t.id`

// OpenAlarms lists the newest transition of each raised alarm, the oldest first.
func (r *Reader) OpenAlarms(ctx context.Context) ([]libra.Transition, error) {
	return bodies[libra.Transition](ctx, r, openAlarms)
}

// bodies decodes the JSON of a column for a Reader.
func bodies[T any](ctx context.Context, r *Reader, query string, args ...any) ([]T, error) {
	rows, done, err := r.query(ctx, query, args...)
	if err != nil {
		return nil, explain(r.path, err)
	}
	defer done()
	list, err := scanBodies[T](rows)
	return list, explain(r.path, err)
}

func scanBodies[T any](rows *sql.Rows) (list []T, err error) {
	for rows.Next() {
		var body sql.RawBytes
		if err := rows.Scan(&body); err != nil {
			return nil, err
		}
		var v T
		if err := json.Unmarshal(body, &v); err != nil {
			return nil, fmt.Errorf("read %T: %w", v, err)
		}
		list = append(list, v)
	}
	return list, rows.Err()
}
