package bus

import (
	"sync"
	"time"
)

const (
	// mostDueWaits bounds the due watches of which it is known since when they wait,
	// about 150 bytes each: 2.5 MB.
	mostDueWaits = 16_384
	// dueForgotten is after what time a watch that did not come back has ended, or was
	// relayed by the libra-bus of another host: longer than Crowd leaves any away.
	dueForgotten = 3 * time.Minute
)

// dueWaits is since when due watches wait because their client has too many open
// requests. A watch is due again at each interval, in place of the time before: how long
// it waits can only be seen here. It is in the process alone; after a restart each waits
// since it was due last.
type dueWaits struct {
	mu    sync.Mutex
	pages map[string]dueWait // under mu
}

type dueWait struct{ since, seen time.Time }

// add notes that the watch of a page, which was due at a time, is given back.
func (d *dueWaits) add(page string, due, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	w, known := d.pages[page]
	switch {
	case known:
	case len(d.pages) >= mostDueWaits:
		return
	case d.pages == nil:
		d.pages = map[string]dueWait{}
		fallthrough
	default:
		w.since = due
	}
	w.seen = now
	d.pages[page] = w
}

// remove notes that the watch of a page does not wait.
func (d *dueWaits) remove(page string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.pages, page)
}

func (d *dueWaits) figures(now time.Time) (n int, since time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for page, w := range d.pages {
		if now.Sub(w.seen) > dueForgotten {
			delete(d.pages, page)
		} else if since.IsZero() || w.since.Before(since) {
			since = w.since
		}
	}
	return len(d.pages), since
}

// DueWaiting counts the watches that RelayDue has given back, because their client has
// as many open requests as it may, up to 16,384, and says since when the first of them waits; the
// zero time without one.
func (c *Conn) DueWaiting() (n int, since time.Time) { return c.due.figures(time.Now()) }
