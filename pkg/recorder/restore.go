package recorder

import (
	"context"
	"errors"
	"sync"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/store"
)

// A bus that has lost its store, or that goes with another database, is given
// what it lacks: a few at a time, while everything else goes on.

// restoreReports gives the bus the newest reports of every page, where it has
// none. They are many, and read one by one.
func (r *Recorder) restoreReports(ctx context.Context) {
	restore(ctx, r, "newest reports", 8, func(w *store.Writer) ([]string, error) { return w.Newest(ctx) }, func(request string) error {
		rep, err := use(ctx, r, func(w *store.Writer) (event.Reported, error) { return w.ByRequest(ctx, request) })
		if errors.Is(err, libra.ErrNotFound) {
			return nil // the database is another one by now
		}
		if err != nil {
			return err
		}
		return r.conn.RestoreReport(ctx, rep)
	})
}

// restoreNotes gives the bus the silences and the notes on open alarms. On the
// subject of an alarm it takes the first alone: an acknowledgement, if there is
// one.
func (r *Recorder) restoreNotes(ctx context.Context) {
	inForce := func(w *store.Writer) ([]libra.Note, error) { return w.NotesInForce(ctx, time.Now()) }
	restore(ctx, r, "notes in force", 1, inForce, func(n libra.Note) error { return r.conn.RestoreNote(ctx, n) })
}

// restoreWatches gives the bus the pages that are watched.
func (r *Recorder) restoreWatches(ctx context.Context) {
	watches := func(w *store.Writer) ([]event.Watch, error) { return w.Watches(ctx) }
	restore(ctx, r, "watches", 8, watches, func(w event.Watch) error { return r.conn.RestoreWatch(ctx, w) })
}

// restore lists what the database has and gives it back, so many at once and
// each as often as it takes. The bus syncs every one of them to disk.
func restore[T any](ctx context.Context, r *Recorder, what string, atOnce int, list func(*store.Writer) ([]T, error), giveBack func(T) error) {
	lost, err := use(ctx, r, list)
	if err != nil || len(lost) == 0 {
		return // an empty history, or one that is told of already
	}
	start := time.Now()
	values := make(chan T)
	var wg sync.WaitGroup
	for range min(atOnce, len(lost)) {
		wg.Go(func() {
			for v := range values {
				r.giveBack(ctx, what, func() error { return giveBack(v) })
			}
		})
	}
	for _, v := range lost {
		values <- v // once ctx has ended, they are taken and left
	}
	close(values)
	wg.Wait()
	if ctx.Err() == nil {
		r.log.Info("the bus has what the history has", "what", what, "count", len(lost), "dur", time.Since(start).Round(time.Millisecond))
	}
}

// giveBack tries until it has worked or ctx ends.
func (r *Recorder) giveBack(ctx context.Context, what string, do func() error) {
	for ctx.Err() == nil {
		err := do()
		if err == nil {
			r.restored.Add(1)
			return
		}
		r.log.Warn("give back to the bus, trying again", "what", what, "err", err)
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// use works with the database once it is open, and leaves the account of it to
// the loops.
func use[T any](ctx context.Context, r *Recorder, from func(*store.Writer) (T, error)) (v T, err error) {
	for {
		err = r.write(ctx, "", func(w *store.Writer, _ int) (err error) {
			v, err = from(w)
			return err
		})
		if !errors.Is(err, errOpening) || ctx.Err() != nil {
			return v, err
		}
	}
}
