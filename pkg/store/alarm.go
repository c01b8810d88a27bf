package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

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
func (r *Reader) Alarms(ctx context.Context, limit int) (list []libra.Transition, err error) {
	rows, done, err := r.query(ctx, `SELECT body FROM transition ORDER BY at DESC LIMIT ?`, limit)
	if err != nil {
		return nil, explain(r.path, err)
	}
	defer done()
	for rows.Next() {
		var body sql.RawBytes
		if err := rows.Scan(&body); err != nil {
			return nil, explain(r.path, err)
		}
		var t libra.Transition
		if err := json.Unmarshal(body, &t); err != nil {
			return nil, fmt.Errorf("read transition: %w", err)
		}
		list = append(list, t)
	}
	return list, explain(r.path, rows.Err())
}
