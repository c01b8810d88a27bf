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

	mu     sync.Mutex
	recent []libra.Note // under mu; oldest first
}

// maxNotes bounds notebook.recent. SQLite has all of them.
const maxNotes = 2000

func newNotebook() *Notebook { return &Notebook{Book: notes.New(0)} }

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
		if len(b.recent) > maxNotes {
			b.recent = slices.Delete(b.recent, 0, len(b.recent)-maxNotes)
		}
	}
	return !known
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
