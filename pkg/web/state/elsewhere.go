package state

import "hash/maphash"

// elsewhere counts the open requests of which memory does not hold the page: there was
// no room for it, or it was not read yet. It keeps a hash of the page's id, and
// counts beyond its bound without one. It belongs to Memory.
type elsewhere struct {
	most  int // pages
	seed  maphash.Seed
	pages map[uint64]awaited
	more  int // open requests of further pages, until the next resync
	sum   int // of pages, without more
}

// awaited is how many requests of a page are open. Evicted says that memory had no
// room for the page.
type awaited struct {
	open    uint16
	evicted bool
}

// awaitedSize is what an entry takes: eight bytes of hash and four of awaited are 16 in
// a slot.
const awaitedSize = slotFactor * 16

func newElsewhere(maxBytes int64) elsewhere {
	return elsewhere{most: int(maxBytes / awaitedSize), seed: maphash.MakeSeed(), pages: map[uint64]awaited{}}
}

func (w *elsewhere) bytes() int64 { return int64(len(w.pages)) * awaitedSize }

// count is how many requests are open.
func (w *elsewhere) count() int { return w.sum + w.more }

func (w *elsewhere) add(page string, n int, evicted bool) {
	if n <= 0 {
		return
	}
	key := maphash.String(w.seed, page)
	a, known := w.pages[key]
	if !known && len(w.pages) >= w.most {
		w.more += n
		return
	}
	w.sum -= int(a.open)
	a.open, a.evicted = uint16(min(int(a.open)+n, 1<<15)), a.evicted || evicted
	w.sum += int(a.open)
	w.pages[key] = a
}

// remove takes one request of a page off.
func (w *elsewhere) remove(page string) {
	key := maphash.String(w.seed, page)
	a, known := w.pages[key]
	if !known {
		return
	}
	w.sum--
	if a.open--; a.open == 0 {
		delete(w.pages, key)
		return
	}
	w.pages[key] = a
}

// forget takes all requests of a page off.
func (w *elsewhere) forget(page string) {
	key := maphash.String(w.seed, page)
	w.sum -= int(w.pages[key].open)
	delete(w.pages, key)
}

// evicted reports whether memory had no room for a page with open requests.
func (w *elsewhere) evicted(page string) bool {
	return w.pages[maphash.String(w.seed, page)].evicted
}

// reset empties it, and returns what it was.
func (w *elsewhere) reset() (was elsewhere) {
	was = *w
	w.pages, w.sum, w.more = map[uint64]awaited{}, 0, 0
	return was
}
