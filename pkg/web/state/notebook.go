package state

import (
	"slices"
	"sync"

	"libra/pkg/libra"
	"libra/pkg/notes"
)

// Notebook is what web knows of what was done about alarms: the book of
// silences and acknowledgements, and the newest notes of all kinds. Its mutex
// is held for lookups only.
type Notebook struct {
	*notes.Book
	most int64 // bytes of recent; SQLite has all notes

	mu     sync.Mutex
	recent []libra.Note // under mu; oldest first
	bytes  int64        // under mu; of recent
}

// recalled bounds the notes that are read from SQLite at the start.
const recalled = 2000

// A note in the book is less than three times as large as its JSON, by which the book
// is bounded.
const bookFactor = 3

// newNotebook shares out what it may take: three quarters are the book's.
func newNotebook(most int64) *Notebook {
	return &Notebook{Book: notes.New(int(most / 4 * 3 / bookFactor)), most: most / 4}
}

// size is what all of it takes.
func (b *Notebook) size() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes + bookFactor*int64(b.Size())
}

// take keeps a note and reports whether it was news. The note is in the book when
// take returns, also if another goroutine takes it at the same time: the bus delivers a note that a handler
// has just published.
func (b *Notebook) take(n libra.Note) bool {
	b.Add(n)
	b.mu.Lock()
	defer b.mu.Unlock()
	i, known := slices.BinarySearchFunc(b.recent, n, notes.Compare)
	if !known {
		b.recent = slices.Insert(b.recent, i, n)
		b.bytes += noteSize(n)
		b.trim()
	}
	return !known
}

// trim drops the oldest notes while they take more than their bound. b.mu is held.
func (b *Notebook) trim() {
	drop := 0
	for ; b.bytes > b.most; drop++ {
		b.bytes -= noteSize(b.recent[drop])
	}
	b.recent = slices.Delete(b.recent, 0, drop)
}

// Actions lists what the appliance did by itself about an alarm since it was
// raised, oldest first.
func (b *Notebook) Actions(a libra.Alarm) (list []libra.Note) {
	b.mu.Lock()
	defer b.mu.Unlock()
	from, _ := slices.BinarySearchFunc(b.recent, libra.Note{At: a.Since}, notes.Compare)
	for _, n := range b.recent[from:] {
		if n.Alarm == a.ID && n.Kind == libra.Action {
			list = append(list, n)
		}
	}
	return list
}

// Before lists the notes on an alarm, or all where alarm is "", that are older
// than a place, newest first.
func (b *Notebook) Before(alarm string, place Cursor, limit int) (list []libra.Note) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range slices.Backward(b.recent) {
		if len(list) == limit {
			break
		}
		if (alarm == "" || n.Alarm == alarm) && place.isAfter(n.At, n.ID) {
			list = append(list, n)
		}
	}
	return list
}
