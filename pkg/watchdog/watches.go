package watchdog

import (
	"context"
	"maps"
	"sync"
	"time"

	"libra/pkg/event"
)

// watches holds which pages are watched.
type watches struct {
	mu    sync.Mutex
	since time.Time        // under mu; from when on all of them are known; zero before
	pages map[string]watch // under mu; by page id
}

// watch is one page's watch. every is 0 once it has ended.
type watch struct {
	url    string
	every  time.Duration
	since  time.Time
	budget bool
}

func newWatches() *watches { return &watches{pages: map[string]watch{}} }

// consume receives watches until ctx ends.
func (w *watches) consume(ctx context.Context, bus Bus) {
	_ = bus.ConsumeWatches(ctx, func() { // it ends with ctx
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.since.IsZero() {
			w.since = time.Now()
		}
	}, func(m event.Watch) {
		if !isPage(m.Page) {
			return
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if known, ok := w.pages[m.Page]; ok && m.At.Before(known.since) {
			return
		}
		w.pages[m.Page] = watch{m.URL, time.Duration(m.EveryS) * time.Second, m.At, len(m.Budget) > 0 && string(m.Budget) != "null"}
	})
}

func (w *watches) of(page string) (watch, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	known, ok := w.pages[page]
	return known, ok
}

// list returns all watches. since is from when on they are known.
func (w *watches) list() (pages map[string]watch, since time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.pages), w.since
}
