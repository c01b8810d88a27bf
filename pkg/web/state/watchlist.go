package state

import (
	"slices"
	"strconv"
	"sync"

	"libra/pkg/event"
)

// Watchlist is the newest state of the watch of every page, those that have
// ended too. Its mutex is held for lookups only.
type Watchlist struct {
	mu       sync.Mutex
	pages    map[string]event.Watch // under mu
	caughtUp bool                   // under mu; every watch on the bus was read once
}

func newWatchlist() *Watchlist { return &Watchlist{pages: map[string]event.Watch{}} }

// take keeps the state of a watch and reports whether it is newer than the last.
func (l *Watchlist) take(w event.Watch) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if was, known := l.pages[w.Page]; known && !w.At.After(was.At) {
		return false
	}
	if w.EveryS <= 0 {
		w = event.Watch{Page: w.Page, At: w.At}
	}
	l.pages[w.Page] = w
	return true
}

func (l *Watchlist) setCaughtUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.caughtUp = true
}

// Ready reports whether every watch on the bus was read once.
func (l *Watchlist) Ready() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.caughtUp
}

// Of is the watch of a page; ok is false where it is not watched.
func (l *Watchlist) Of(page string) (w event.Watch, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	w, ok = l.pages[page]
	return w, ok && w.EveryS > 0
}

func (l *Watchlist) count() (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.pages {
		if w.EveryS > 0 {
			n++
		}
	}
	return n
}

// WatchPlace is the place of a watch in the list of watches.
func WatchPlace(w event.Watch) Cursor { return Cursor{At: w.At, ID: w.Page} }

// List copies out what is watched, the newest watch first, from after a place
// on.
func (l *Watchlist) List(after Cursor) (list []event.Watch) {
	l.mu.Lock()
	for _, w := range l.pages {
		if w.EveryS > 0 && after.isAfter(w.At, w.Page) {
			list = append(list, w)
		}
	}
	l.mu.Unlock()
	slices.SortFunc(list, func(a, b event.Watch) int { return WatchPlace(b).Compare(WatchPlace(a)) })
	return list
}

// ShowEvery writes seconds as api.parseEvery reads them; "" for a page that is not
// watched.
func ShowEvery(seconds int) string {
	switch {
	case seconds <= 0:
		return ""
	case seconds%3600 == 0:
		return strconv.Itoa(seconds/3600) + "h"
	case seconds%60 == 0:
		return strconv.Itoa(seconds/60) + "m"
	}
	return strconv.Itoa(seconds) + "s"
}
