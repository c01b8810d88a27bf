package recorder

import (
	"context"
	"errors"
	"sync"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/store"
	"libra/pkg/trace"
)

// A bus that has lost its store, or that is used with another database, gets what
// it lacks: a few messages at a time, while recording goes on.

// restoreReports publishes the newest reports of every page, where the bus has
// none. They are many, and read one by one.
func (r *Recorder) restoreReports(ctx context.Context, run *restoration) {
	giveBackAll(ctx, r, run, 8, func(w *store.Writer) ([]string, error) { return w.Newest(ctx) }, func(request string) error {
		rep, err := withWriter(ctx, r, func(w *store.Writer) (event.Reported, error) { return w.ByRequest(ctx, request) })
		if errors.Is(err, libra.ErrNotFound) {
			return nil // the database is another one by now
		}
		if err != nil {
			return err
		}
		err = r.conn.RestoreReport(ctx, rep)
		if errors.Is(err, libra.ErrTooLarge) { // of a bus that took more: it stays in the history
			r.log.Error("cannot restore a report to the bus", "request", request, "trace_id", trace.ID(rep.Request), "page", rep.Request.Page, "err", err)
			return nil
		}
		return err
	})
}

// restoreNotes publishes the silences and the notes on open alarms. The bus stores
// only the first on the subject of an alarm: an acknowledgement, if there is one.
func (r *Recorder) restoreNotes(ctx context.Context, run *restoration) {
	inForce := func(w *store.Writer) ([]libra.Note, error) { return w.NotesInForce(ctx, time.Now()) }
	giveBackAll(ctx, r, run, 1, inForce, func(n libra.Note) error { return r.conn.RestoreNote(ctx, n) })
}

// restoreBoard publishes the newest notes on the board.
func (r *Recorder) restoreBoard(ctx context.Context, run *restoration) {
	newest := func(w *store.Writer) ([]libra.Note, error) { return w.NewestBoard(ctx) }
	giveBackAll(ctx, r, run, 8, newest, func(n libra.Note) error { return r.conn.RestoreBoard(ctx, n) })
}

// restoreWatches publishes the watches.
func (r *Recorder) restoreWatches(ctx context.Context, run *restoration) {
	watches := func(w *store.Writer) ([]event.Watch, error) { return w.Watches(ctx) }
	giveBackAll(ctx, r, run, 8, watches, func(w event.Watch) error { return r.conn.RestoreWatch(ctx, w) })
}

// giveBackAll lists what the database has and publishes it, so many at once, each
// until it is stored. The bus syncs every one of them to disk.
func giveBackAll[T any](ctx context.Context, r *Recorder, run *restoration, atOnce int, list func(*store.Writer) ([]T, error), giveBack func(T) error) {
	lost, err := withWriter(ctx, r, list)
	if err != nil || len(lost) == 0 {
		return // an empty history, or one whose fault is logged
	}
	run.found(len(lost))
	values := make(chan T)
	var wg sync.WaitGroup
	for range min(atOnce, len(lost)) {
		wg.Go(func() {
			for v := range values {
				r.giveBack(ctx, run, func() error { return giveBack(v) })
			}
		})
	}
	for _, v := range lost {
		values <- v // once ctx has ended, they are received and dropped
	}
	close(values)
	wg.Wait()
	if ctx.Err() == nil {
		r.log.Info("bus restored from the history", "what", run.what, "count", len(lost), "dur", time.Since(run.began).Round(time.Millisecond))
	}
}

// giveBack calls do until it succeeds or ctx ends.
func (r *Recorder) giveBack(ctx context.Context, run *restoration, do func() error) {
	for ctx.Err() == nil {
		err := do()
		if err == nil {
			r.restored.Add(1)
			run.done.Add(1)
			return
		}
		r.log.Warn("cannot restore to the bus, retrying", "what", run.what, "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// withWriter calls from with the database once it is open, and leaves accounting to
// the loops.
func withWriter[T any](ctx context.Context, r *Recorder, from func(*store.Writer) (T, error)) (v T, err error) {
	for {
		err = r.write(ctx, "", nil, func(w *store.Writer, _ int) (err error) {
			v, err = from(w)
			return err
		})
		if !errors.Is(err, errOpening) || ctx.Err() != nil {
			return v, err
		}
	}
}
