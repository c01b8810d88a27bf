package state

import (
	"hash/maphash"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"libra/pkg/bus"
	"libra/pkg/event"
)

// Watchlist is the newest state of the watch of every page, those that have
// ended too, without the budget. It is bounded: the oldest lose their URL first, which
// is found by the page's id, then those that have ended go, then the oldest. Its mutex
// is held for lookups only.
type Watchlist struct {
	most    int64
	seed    maphash.Seed
	changes atomic.Uint64 // of watches so far

	mu       sync.Mutex
	pages    map[string]watch // under mu
	bytes    int64            // under mu; of pages
	unlisted int              // under mu; watches for which there was no room
	since    time.Time        // under mu; when that was first so
	caughtUp bool             // under mu; every watch on the bus was read once
}

// watch is what is kept of an event.Watch.
type watch struct {
	url, by string // by: who asked, for people
	at      time.Time
	everyS  int32
	client  uint32 // a hash of who asked; two clients with the same one have one share
	bytes   uint32 // on the bus, see bus.WatchBytes
	guessed bool
}

func (w watch) size(page string) int64 {
	return slotFactor*(structSize[string]()+structSize[watch]()) + text(page) + text(w.url) + text(w.by)
}

func (w watch) event(page string) event.Watch {
	return event.Watch{Page: page, URL: w.url, Label: w.by, EveryS: int(w.everyS), At: w.at, SchemeGuessed: w.guessed}
}

func newWatchlist(most int64) *Watchlist {
	return &Watchlist{most: most, seed: maphash.MakeSeed(), pages: map[string]watch{}}
}

// take keeps the state of a watch and reports whether it is newer than the last.
func (l *Watchlist) take(w event.Watch) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	was, known := l.pages[w.Page]
	if known && !w.At.After(was.at) {
		return false
	}
	kept := watch{url: w.URL, by: w.By(), at: w.At, everyS: int32(w.EveryS), client: l.hash(w.Client), bytes: uint32(bus.WatchBytes(w)), guessed: w.SchemeGuessed}
	if w.EveryS <= 0 {
		kept = watch{at: w.At}
		if !known && l.unlisted > 0 { // a watch that has ended was one before
			l.unlisted--
		}
	}
	if known {
		l.bytes -= was.size(w.Page)
	}
	l.pages[w.Page] = kept
	defer l.changes.Add(1) // when it is there
	l.bytes += kept.size(w.Page)
	l.trim()
	return true
}

// trim makes room while the watches take more than their bound, and then some more.
// l.mu is held.
func (l *Watchlist) trim() {
	if l.bytes <= l.most {
		return
	}
	pages := make([]string, 0, len(l.pages))
	for page := range l.pages {
		pages = append(pages, page)
	}
	slices.SortFunc(pages, func(a, b string) int {
		return Cursor{At: l.pages[a].at, ID: a}.Compare(Cursor{At: l.pages[b].at, ID: b})
	})
	for _, shrink := range []func(page string, w watch){l.shorten, l.dropEnded, l.drop} {
		for _, page := range pages {
			if l.bytes <= l.most-l.most/16 {
				return
			}
			if w, still := l.pages[page]; still {
				shrink(page, w)
			}
		}
	}
}

// shorten forgets the URL of a watch and who asked. l.mu is held.
func (l *Watchlist) shorten(page string, w watch) {
	l.bytes -= text(w.url) + text(w.by)
	w.url, w.by = "", ""
	l.pages[page] = w
}

// dropEnded forgets a watch that has ended. l.mu is held.
func (l *Watchlist) dropEnded(page string, w watch) {
	if w.everyS <= 0 {
		l.drop(page, w)
	}
}

// drop forgets a watch, and counts it while it lasts. l.mu is held.
func (l *Watchlist) drop(page string, w watch) {
	l.bytes -= w.size(page)
	delete(l.pages, page)
	if w.everyS > 0 {
		if l.unlisted++; l.since.IsZero() {
			l.since = time.Now()
		}
	}
}

func (l *Watchlist) size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes
}

// Unlisted counts the watches for which memory has no room, and says since when there
// are some.
func (l *Watchlist) Unlisted() (n int, since time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unlisted, l.since
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

// Of is the watch of a page, without its budget and, where there was no room for it,
// without its URL; ok is false where it is not watched.
func (l *Watchlist) Of(page string) (w event.Watch, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept, ok := l.pages[page]
	return kept.event(page), ok && kept.everyS > 0
}

func (l *Watchlist) hash(client string) uint32 { return uint32(maphash.String(l.seed, client)) }

// WatchShare is how many bytes watches take on the bus, once they were due. Those for which
// memory had no room are not counted.
type WatchShare struct {
	All    int64
	Client int64 // of one client, without that of one page
	Page   int64 // of that page, of any client; 0 while it is not watched
}

// Share is what the watches of a client take beside that of a page.
func (l *Watchlist) Share(client, page string) (share WatchShare) {
	l.mu.Lock()
	defer l.mu.Unlock()
	hash := l.hash(client)
	for id, w := range l.pages {
		if w.everyS <= 0 {
			continue
		}
		share.All += int64(w.bytes)
		if id == page {
			share.Page = int64(w.bytes)
		} else if w.client == hash {
			share.Client += int64(w.bytes)
		}
	}
	return share
}

// has reports whether a page is watched.
func (l *Watchlist) has(page string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.pages[page].everyS > 0
}

// count is how many pages are watched.
func (l *Watchlist) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := l.unlisted
	for _, w := range l.pages {
		if w.everyS > 0 {
			n++
		}
	}
	return n
}

// intervals are those of the watches, in seconds; unlisted is how many there are besides.
func (l *Watchlist) intervals() (everyS []int, unlisted int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range l.pages {
		if w.everyS > 0 {
			everyS = append(everyS, int(w.everyS))
		}
	}
	return everyS, l.unlisted
}

// WatchPlace is the place of a watch in the list of watches.
func WatchPlace(w event.Watch) Cursor { return Cursor{At: w.At, ID: w.Page} }

// List copies out what is watched, the newest watch first, from after a place
// on, as Of has it.
func (l *Watchlist) List(after Cursor) (list []event.Watch) {
	l.mu.Lock()
	for page, w := range l.pages {
		if w.everyS > 0 && after.isAfter(w.at, page) {
			list = append(list, w.event(page))
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
