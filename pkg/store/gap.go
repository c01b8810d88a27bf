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

// addGap stores a gap in the reports of the incarnation of their stream that was made at
// created, and forgets the oldest of too many.
func addGap(ctx context.Context, tx *sql.Tx, created time.Time, g event.Gap) error {
	id := fmt.Sprintf("%s-%d-%d", event.LostAlarm, created.UnixNano(), g.First)
	_, err := tx.ExecContext(ctx, `INSERT INTO gap (id, found, until, first, reports) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		id, stamp(g.Found), stamp(g.Until), int64(g.First), int64(g.Count))
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM gap WHERE id IN (SELECT id FROM gap ORDER BY found DESC, first DESC LIMIT -1 OFFSET ?)`, mostGaps)
	return err
}

// Missing is what gaps have together.
type Missing struct {
	Reports int64
	Newest  time.Time // when the newest of the gaps was found; the zero time for none
}

// Missing sums up the gaps that were found since a time, and after the newest
// acknowledgement of their alarm.
func (w *Writer) Missing(ctx context.Context, since time.Time) (m Missing, err error) {
	var newest string
	err = w.db.QueryRowContext(ctx, `SELECT coalesce(sum(reports), 0), coalesce(max(found), '') FROM gap
		WHERE found >= ? AND found > coalesce((SELECT max(at) FROM note WHERE alarm = ? AND kind = ?), '')`,
		stamp(since), event.LostAlarm, libra.Acknowledged).Scan(&m.Reports, &newest)
	if err == nil && newest != "" {
		m.Newest, err = time.Parse(timeFormat, newest)
	}
	return m, explain(w.path, err)
}

// GapsWithoutNote lists the gaps that have no note in the timeline of their alarm yet, as
// those notes are, the oldest first.
func (w *Writer) GapsWithoutNote(ctx context.Context) (list []libra.Note, err error) {
	rows, err := w.db.QueryContext(ctx, `SELECT id, found, until, first, reports FROM gap
		WHERE NOT EXISTS (SELECT 1 FROM note WHERE note.id = gap.id) ORDER BY found, first`)
	if err != nil {
		return nil, explain(w.path, err)
	}
	defer rows.Close()
	for rows.Next() {
		n := libra.Note{Kind: libra.Action, By: "libra-recorder", Alarm: event.LostAlarm}
		var found, until string
		var first, reports int64
		if err := rows.Scan(&n.ID, &found, &until, &first, &reports); err != nil {
			return nil, explain(w.path, err)
		}
		if n.At, err = time.Parse(timeFormat, found); err != nil {
			return nil, explain(w.path, err)
		}
		end, err := time.Parse(timeFormat, until)
		if err != nil {
			return nil, explain(w.path, err)
		}
		n.Text = fmt.Sprintf("%s from before %s, from number %d of the stream on: the bus had discarded what was not recorded",
			libra.Plural(int(reports), "report is missing", "reports are missing"), libra.FormatTime(end), first)
		list = append(list, n)
	}
	return list, explain(w.path, rows.Err())
}
