package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// mostGaps bounds the gaps that are kept: 200 kB.
const mostGaps = 1000

// AddGaps stores gaps that were found at a time, and returns those that were not stored
// before, or smaller, with what they have more. It forgets the oldest of too many.
func (w *Writer) AddGaps(ctx context.Context, found time.Time, gaps []event.Gap) (added []event.Gap, err error) {
	err = w.inTx(ctx, func(tx *sql.Tx) error {
		for _, g := range gaps {
			had, err := addGap(ctx, tx, found, g)
			if err != nil {
				return fmt.Errorf("store gap of stream %s before number %d: %w", g.Stream, g.First+g.Count, err)
			}
			if g.Count > had {
				g.Count -= had
				added = append(added, g)
			}
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM gap WHERE id IN (SELECT id FROM gap ORDER BY found DESC, first DESC LIMIT -1 OFFSET ?)`, mostGaps)
		return err
	})
	if err != nil {
		return nil, explain(w.path, err)
	}
	return added, nil
}

// addGap stores a gap, and returns how many messages it had before.
func addGap(ctx context.Context, tx *sql.Tx, found time.Time, g event.Gap) (had uint64, err error) {
	id := fmt.Sprintf("%s-%d-%d", event.LostAlarm, g.Created.UnixNano(), g.First) // of reports, as earlier versions have it
	if g.Stream != event.ReportStream {
		id += "-" + g.Stream
	}
	if err := tx.QueryRowContext(ctx, `SELECT coalesce(max(reports), 0) FROM gap WHERE id = ?`, id).Scan(&had); err != nil || had >= g.Count {
		return had, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO gap (id, found, until, first, reports, stream) VALUES (?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO UPDATE SET found = excluded.found, until = excluded.until, reports = excluded.reports`,
		id, stamp(found), stamp(g.Until), int64(g.First), int64(g.Count), g.Stream)
	return had, err
}

// Missing is what gaps have together.
type Missing struct {
	Reports int64
	Others  int64     // transitions of alarms, and notes
	Newest  time.Time // when the newest of the gaps was found; the zero time for none
}

// Missing sums up the gaps that were found since a time, and after the newest
// acknowledgement of their alarm.
func (w *Writer) Missing(ctx context.Context, since time.Time) (m Missing, err error) {
	var newest string
	err = w.db.QueryRowContext(ctx, `SELECT coalesce(sum(reports) FILTER (WHERE stream = ?), 0), coalesce(sum(reports) FILTER (WHERE stream != ?), 0),
			coalesce(max(found), '') FROM gap
		WHERE found >= ? AND found > coalesce((SELECT max(at) FROM note WHERE alarm = ? AND kind = ?), '')`,
		event.ReportStream, event.ReportStream, stamp(since), event.LostAlarm, libra.Acknowledged).Scan(&m.Reports, &m.Others, &newest)
	if err == nil && newest != "" {
		m.Newest, err = time.Parse(timeFormat, newest)
	}
	return m, explain(w.path, err)
}

// GapsWithoutNote lists the gaps that have no note in the timeline of their alarm yet, as
// those notes are, the oldest first.
func (w *Writer) GapsWithoutNote(ctx context.Context) (list []libra.Note, err error) {
	rows, err := w.db.QueryContext(ctx, `SELECT id, found, until, first, reports, stream FROM gap
		WHERE NOT EXISTS (SELECT 1 FROM note WHERE note.id = gap.id) ORDER BY found, first`)
	if err != nil {
		return nil, explain(w.path, err)
	}
	defer rows.Close()
	for rows.Next() {
		n := libra.Note{Kind: libra.Action, By: "libra-recorder", Alarm: event.LostAlarm}
		var found, until, stream string
		var first, count int64
		if err := rows.Scan(&n.ID, &found, &until, &first, &count, &stream); err != nil {
			return nil, explain(w.path, err)
		}
		if n.At, err = time.Parse(timeFormat, found); err != nil {
			return nil, explain(w.path, err)
		}
		end, err := time.Parse(timeFormat, until)
		if err != nil {
			return nil, explain(w.path, err)
		}
		what := event.Missed()[stream]
		n.Text = fmt.Sprintf("%s from before %s, from number %d of stream %s on: the bus no longer had what was not recorded",
			libra.Plural(int(count), what+" is missing", what+"s are missing"), libra.FormatTime(end), first, stream)
		list = append(list, n)
	}
	return list, explain(w.path, rows.Err())
}
