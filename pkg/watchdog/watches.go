package watchdog

import (
	"context"
	"maps"
	"sync"
	"time"

	"libra/pkg/event"
)

// watches knows which pages are watched.
type watches struct {
	mu    sync.Mutex
	since time.Time          // under mu; from when on all of them are known; zero before
	pages map[string]watched // under mu; by page id
}

// watched is one page's watch. every is 0 once it has ended.
type watched struct {
	url    string
	every  time.Duration
	since  time.Time
	budget bool
}

func newWatches() *watches { return &watches{pages: map[string]watched{}} }

// follow hears of watches until ctx ends.
func (w *watches) follow(ctx context.Context, bus Bus) {
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
		w.pages[m.Page] = watched{m.URL, time.Duration(m.EveryS) * time.Second, m.At, len(m.Budget) > 0 && string(m.Budget) != "null"}
	})
}

func (w *watches) of(page string) (watched, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	known, ok := w.pages[page]
	return known, ok
}

// list copies out all watches. since is from when on they are known.
func (w *watches) list() (pages map[string]watched, since time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.pages), w.since
}
