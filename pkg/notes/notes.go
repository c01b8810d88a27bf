// Package notes is the book of what people said about alarms: the newest state
// of every silence and the newest acknowledgement of every alarm. libra-web
// shows it, and libra-notifier decides by it what to suppress.
//
// Contract:
//
//   - Notes may be added in any order and more than once: the newest one about a
//     silence or an alarm holds, by its time and then by its id.
//   - The book is in memory and bounded in bytes. When it is full, it drops
//     silences that have ended, then the oldest notes. A dropped note can only
//     cause more notifications, never fewer.
//   - The bus and SQLite have all notes. A book is empty at the start, and
//     complete once its owner has added every note that the bus stores.
package notes

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"libra/pkg/libra"
)

// DefaultMax bounds a book, in bytes of its notes as JSON: 8 MB, about 20,000
// ordinary notes.
const DefaultMax = 8_000_000

// Book holds silences and acknowledgements. Its methods may be called
// concurrently; the mutex is held for lookups only.
type Book struct {
	max      int
	complete chan struct{} // closed by MarkComplete
	once     sync.Once     // closes complete

	mu       sync.Mutex
	acks     map[string]entry // under mu; by alarm
	silences map[string]entry // under mu; by the id of the silence
	size     int              // under mu; bytes of all entries
	// floor is the time of the newest note of a silence that was dropped for room,
	// under mu. An older note of a silence that is not in the book is not added: the
	// silence may have been ended early since.
	floor time.Time
	// dropped is when a silence that had not ended was first dropped for room, under mu.
	dropped time.Time
}

type entry struct {
	libra.Note
	size int // in bytes, as JSON
}

// New makes an empty book of at most maxBytes, or DefaultMax if that is 0.
func New(maxBytes int) *Book {
	if maxBytes == 0 {
		maxBytes = DefaultMax
	}
	return &Book{max: maxBytes, complete: make(chan struct{}), acks: map[string]entry{}, silences: map[string]entry{}}
}

// Compare orders notes by time, and by id where that is the same.
func Compare(a, b libra.Note) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) }

// Add adds a note and reports whether it changed the book. Notes of other kinds
// and older ones do not. One that would take more than an eighth of the book is
// dropped, and so is what it replaces.
func (b *Book) Add(n libra.Note) (changed bool) {
	list, key := b.acks, n.Alarm
	switch {
	case n.Silence != nil:
		list, key = b.silences, n.Silence.ID
	case n.Kind != libra.Acknowledged:
		return false
	}
	data, err := json.Marshal(n)
	if err != nil { // a time beyond the year 9999 has no JSON
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	old, known := list[key]
	if known && Compare(n, old.Note) <= 0 || !known && n.Silence != nil && !n.At.After(b.floor) {
		return false
	}
	if len(data) > b.max/8 {
		b.dropForRoom(n, time.Now())
		return known
	}
	b.size += len(data) - old.size
	list[key] = entry{n, len(data)}
	if b.size > b.max {
		b.shrink(time.Now())
	}
	return true
}

// shrink makes room for some more notes, so that not every one that follows has
// to. b.mu is held.
func (b *Book) shrink(now time.Time) {
	all := b.all()
	slices.SortFunc(all, func(x, y libra.Note) int {
		if ended := hasEnded(x, now); ended != hasEnded(y, now) {
			if ended {
				return -1
			}
			return 1
		}
		return Compare(x, y)
	})
	for _, n := range all {
		if b.size <= b.max-b.max/8 {
			return
		}
		b.dropForRoom(n, now)
	}
}

// dropForRoom drops what the book has of the silence or alarm of n. No older note
// of the silence takes its place. b.mu is held.
func (b *Book) dropForRoom(n libra.Note, now time.Time) {
	b.drop(n)
	if n.Silence != nil && !hasEnded(n, now) && b.dropped.IsZero() {
		b.dropped = now
	}
	if n.Silence == nil || n.At.Before(b.floor) {
		return
	}
	b.floor = n.At
	if now.Before(n.At) { // a clock was ahead: silences made from now on count
		b.floor = now
	}
}

func hasEnded(n libra.Note, at time.Time) bool {
	return n.Silence != nil && !at.Before(n.Silence.Until)
}

// drop removes a note. b.mu is held.
func (b *Book) drop(n libra.Note) {
	list, key := b.acks, n.Alarm
	if n.Silence != nil {
		list, key = b.silences, n.Silence.ID
	}
	b.size -= list[key].size
	delete(list, key)
}

// all lists every note, in no order. b.mu is held.
func (b *Book) all() (list []libra.Note) {
	for _, entries := range []map[string]entry{b.acks, b.silences} {
		for e := range maps.Values(entries) {
			list = append(list, e.Note)
		}
	}
	return list
}

// Prune drops the silences that ended, and were last changed, more than
// libra.LongestSilence before now: the bus stores no older note that could
// bring one of them back. Acknowledgements stay, for an alarm may be raised
// for longer.
func (b *Book) Prune(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := now.Add(-libra.LongestSilence)
	for _, e := range b.silences {
		if e.At.Before(before) && e.Silence.Until.Before(before) {
			b.drop(e.Note)
		}
	}
}

// Notes lists all notes in the book, oldest first, for a state file: a book to
// which they are added is the same.
func (b *Book) Notes() []libra.Note {
	b.mu.Lock()
	defer b.mu.Unlock()
	list := b.all()
	slices.SortFunc(list, Compare)
	return list
}

// Dropped is when a silence that had not ended was first dropped for room; the zero
// time while none was.
func (b *Book) Dropped() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.dropped
}

// Size is what the notes take, in bytes of JSON.
func (b *Book) Size() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.size
}

// MarkComplete says that every note on the bus has been added.
func (b *Book) MarkComplete() { b.once.Do(func() { close(b.complete) }) }

// Complete is closed once MarkComplete was called.
func (b *Book) Complete() <-chan struct{} { return b.complete }

// IsComplete reports whether MarkComplete was called.
func (b *Book) IsComplete() bool {
	select {
	case <-b.complete:
		return true
	default:
		return false
	}
}

// Acknowledged returns the newest acknowledgement of a since it was raised.
func (b *Book) Acknowledged(a libra.Alarm) (libra.Note, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.acks[a.ID]
	if !ok || e.At.Before(a.Since) {
		return libra.Note{}, false
	}
	return e.Note, true
}

// Silenced returns the silence that covers a at a time: the one that ends last,
// if there are several.
func (b *Book) Silenced(a libra.Alarm, at time.Time) (s libra.Silence, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, e := range b.silences {
		if e.Silence.Covers(a, at) && (!ok || e.Silence.Until.After(s.Until)) {
			s, ok = *e.Silence, true
		}
	}
	return s, ok
}

// Silence returns a silence that has not ended, and the time of the newest note
// about it.
func (b *Book) Silence(id string, now time.Time) (s libra.Silence, noted time.Time, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.silences[id]
	if !ok || hasEnded(e.Note, now) {
		return libra.Silence{}, time.Time{}, false
	}
	return *e.Silence, e.At, true
}

// Silences lists the silences in force or to come, those that begin first
// first.
func (b *Book) Silences(now time.Time) (list []libra.Silence) {
	b.mu.Lock()
	for _, e := range b.silences {
		if !hasEnded(e.Note, now) {
			list = append(list, *e.Silence)
		}
	}
	b.mu.Unlock()
	slices.SortFunc(list, func(a, b libra.Silence) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.ID, b.ID)) })
	return list
}
