package recorder

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"libra/pkg/bus"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/store"
)

// What the bus discards or loses before it is recorded is a gap. It is stored before what
// follows it, and once: after a kill between the two it is found again, with the same id.
// It gets a note in the timeline of the alarm, which the watchdog raises by the heartbeats.

// lostFor is for how long a gap that nobody acknowledges is an alarm.
const lostFor = 7 * 24 * time.Hour

// losses is what is known of gaps.
type losses struct {
	// known are the newest positions that a database of this recorder has had, by
	// stream. Under Recorder.mu.
	known map[string]event.Position

	count   atomic.Int64 // reports, since the start
	missing atomic.Pointer[store.Missing]
	found   chan struct{} // gaps without a note may be there
}

// Lost counts the reports that the bus no longer had when they were to be recorded, by
// what was read since the start.
func (r *Recorder) Lost() int64 { return r.losses.count.Load() }

// Missing counts the reports of the gaps of the last 7 days that nobody has acknowledged.
func (r *Recorder) Missing() int64 { return r.missing().Reports }

// MissingOthers counts the transitions of alarms and the notes of those gaps.
func (r *Recorder) MissingOthers() int64 { return r.missing().Others }

// LostAt is the unix time when the newest of those gaps was found; 0 for none.
func (r *Recorder) LostAt() int64 {
	if at := r.missing().Newest; !at.IsZero() {
		return at.Unix()
	}
	return 0
}

func (r *Recorder) missing() store.Missing {
	m := r.losses.missing.Load()
	if m == nil || time.Since(m.Newest) >= lostFor {
		return store.Missing{}
	}
	return *m
}

// findGaps has a recording keep each gap until it is stored.
func (l *loop[T]) findGaps(r bus.Recording[T]) bus.Recording[T] {
	r.Lost = func(g event.Gap) { l.gaps = append(l.gaps, g) }
	r.Known = func() event.Position {
		l.mu.Lock()
		defer l.mu.Unlock()
		return l.losses.known[l.stream]
	}
	return r
}

// beginGaps begins to read after p: gaps after it are found again. Callers hold mu.
func (l *loop[T]) beginGaps(ctx context.Context, w *store.Writer, p event.Position) {
	l.gaps = nil
	if p != (event.Position{}) {
		l.losses.known[l.stream] = p
	}
	if l.stream == event.ReportStream { // once for all streams
		l.sumMissing(ctx, w)
	}
}

// storeGaps stores the gaps that were found. Callers hold mu.
func (l *loop[T]) storeGaps(ctx context.Context, w *store.Writer) error {
	if len(l.gaps) == 0 {
		return nil
	}
	added, err := w.AddGaps(ctx, time.Now().UTC(), l.gaps)
	if err != nil {
		return err
	}
	for _, g := range added {
		if l.stream == event.ReportStream {
			l.losses.count.Add(int64(g.Count))
		}
		l.log.Error(event.Missed()[l.stream]+"s were lost: the bus no longer had them when they were to be recorded", "count", g.Count, "first", g.First, "until", g.Until)
	}
	l.gaps = nil
	l.sumMissing(ctx, w)
	select {
	case l.losses.found <- struct{}{}:
	default: // asked for already
	}
	return nil
}

// knowDamaged reads the positions of a database that is damaged, as far as they can be
// read, but for those that this process knows already. Callers hold mu.
func (r *Recorder) knowDamaged(ctx context.Context) {
	damaged := store.NewReader(r.cfg.Path)
	defer damaged.Close()
	for stream := range event.Missed() {
		if _, known := r.losses.known[stream]; known {
			continue
		}
		if p, err := damaged.Position(ctx, stream); err == nil && p != (event.Position{}) {
			r.losses.known[stream] = p
		}
	}
}

// sumMissing reads what the gaps have together. Callers hold mu.
func (r *Recorder) sumMissing(ctx context.Context, w *store.Writer) {
	m, err := w.Missing(ctx, time.Now().Add(-lostFor))
	if err != nil {
		r.log.Warn("cannot read what is missing, retrying", "err", err)
		return
	}
	r.losses.missing.Store(&m)
}

// addNotes stores notes; an acknowledgement ends the alarm about the gaps before it.
func (r *Recorder) addNotes(w *store.Writer, ctx context.Context, batch []libra.Note, after event.Position) error {
	if err := w.AddNotes(ctx, batch, after); err != nil {
		return err
	}
	if slices.ContainsFunc(batch, func(n libra.Note) bool { return n.Alarm == event.LostAlarm && n.Kind == libra.Acknowledged }) {
		r.sumMissing(ctx, w)
	}
	return nil
}

// lossesEvery is how often what is missing is summed up again: gaps get old, and a note may
// not have been published.
const lossesEvery = time.Minute

// noteLosses publishes a note for each gap that has none, until ctx ends.
func (r *Recorder) noteLosses(ctx context.Context) {
	tick := time.NewTicker(lossesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.losses.found:
		case <-tick.C:
		}
		list, err := withWriter(ctx, r, func(w *store.Writer) ([]libra.Note, error) {
			r.sumMissing(ctx, w)
			return w.GapsWithoutNote(ctx)
		})
		for _, n := range list {
			if err == nil {
				err = r.conn.PublishNote(ctx, n)
			}
		}
		if err != nil && ctx.Err() == nil {
			r.log.Warn("cannot publish notes of what is missing, retrying", "err", err)
		}
	}
}
