package recorder

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/store"
)

// Reports that the bus discards before they are recorded are a gap. It is stored in the
// transaction that stores what follows it, so that a kill neither loses nor repeats it,
// and gets a note in the timeline of the alarm, which the watchdog raises by the
// heartbeats.

// lostFor is for how long a gap that nobody acknowledges is an alarm.
const lostFor = 7 * 24 * time.Hour

// losses is what is known of gaps.
type losses struct {
	// gaps were found and are not stored yet. They belong to the goroutine that records
	// reports; one batch's at most.
	gaps []event.Gap
	// known is the newest position in the reports that a database of this recorder has
	// had. Under Recorder.mu.
	known event.Position

	count   atomic.Int64 // reports, since the start
	missing atomic.Pointer[store.Missing]
	found   chan struct{} // gaps without a note may be there
}

// Lost counts the reports that the bus discarded before they were recorded, by what was
// read since the start.
func (r *Recorder) Lost() int64 { return r.losses.count.Load() }

// Missing counts the reports of the gaps of the last 7 days that nobody has acknowledged.
func (r *Recorder) Missing() int64 { return r.missing().Reports }

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

// findGap keeps a gap until it is stored with what follows it.
func (r *Recorder) findGap(g event.Gap) { r.losses.gaps = append(r.losses.gaps, g) }

// lastKnown is the newest position that a database is known to have had.
func (r *Recorder) lastKnown() event.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.losses.known
}

// beginReports begins to read reports after p: gaps after it are found again. Callers
// hold mu.
func (r *Recorder) beginReports(ctx context.Context, w *store.Writer, p event.Position) {
	r.losses.gaps = nil
	if p != (event.Position{}) {
		r.losses.known = p
	}
	r.sumMissing(ctx, w)
}

// storedReports accounts for the gaps that were stored with reports. Callers hold mu.
func (r *Recorder) storedReports(ctx context.Context, w *store.Writer, after event.Position) {
	r.losses.known = after
	if len(r.losses.gaps) == 0 {
		return
	}
	for _, g := range r.losses.gaps {
		r.losses.count.Add(int64(g.Count))
		r.log.Error("reports were lost: the bus discarded them before they were recorded", "count", g.Count, "first", g.First, "until", g.Until)
	}
	r.losses.gaps = nil
	r.sumMissing(ctx, w)
	select {
	case r.losses.found <- struct{}{}:
	default: // asked for already
	}
}

// knowDamaged reads the position of a database that is damaged, as far as that can be
// read, unless this process knows it already. Callers hold mu.
func (r *Recorder) knowDamaged(ctx context.Context) {
	if r.losses.known != (event.Position{}) {
		return
	}
	damaged := store.NewReader(r.cfg.Path)
	defer damaged.Close()
	if p, err := damaged.Position(ctx, event.ReportStream); err == nil {
		r.losses.known = p
	}
}

// sumMissing reads what the gaps have together. Callers hold mu.
func (r *Recorder) sumMissing(ctx context.Context, w *store.Writer) {
	m, err := w.Missing(ctx, time.Now().Add(-lostFor))
	if err != nil {
		r.log.Warn("cannot read which reports are missing, retrying", "err", err)
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
			r.log.Warn("cannot publish notes of the reports that are missing, retrying", "err", err)
		}
	}
}
