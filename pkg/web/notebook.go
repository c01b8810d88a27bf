package web

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"libra/pkg/libra"
)

// notebook is what web knows of what was done about alarms: the newest
// acknowledgement of each, every silence, and the newest notes. Its mutex is
// held for lookups only.
type notebook struct {
	mu       sync.Mutex
	acks     map[string]libra.Note // under mu; by alarm
	silences map[string]libra.Note // under mu; the newest word on each, by its id
	recent   []libra.Note          // under mu; the newest of all kinds, oldest first
	caughtUp bool                  // under mu; every note on the bus was seen once
}

// Bounds on the notes in memory. SQLite has all of them.
const (
	maxNotes    = 2000
	maxSilences = 10_000
)

func newNotebook() *notebook {
	return &notebook{acks: map[string]libra.Note{}, silences: map[string]libra.Note{}}
}

func byTime(a, b libra.Note) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) }

// take keeps a note and says whether it was news.
func (b *notebook) take(n libra.Note) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i, known := slices.BinarySearchFunc(b.recent, n, byTime)
	if known {
		return false
	}
	b.recent = slices.Insert(b.recent, i, n)
	if len(b.recent) > maxNotes {
		b.recent = slices.Delete(b.recent, 0, len(b.recent)-maxNotes)
	}
	place, key, most := b.acks, n.Alarm, maxAlarms
	switch {
	case n.Silence != nil:
		place, key, most = b.silences, n.Silence.ID, maxSilences
	case n.Kind != libra.Acknowledged:
		return true
	}
	if was, known := place[key]; known && byTime(n, was) < 0 || !known && len(place) >= most {
		return true
	}
	place[key] = n
	return true
}

func (b *notebook) setCaughtUp() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.caughtUp = true
}

func (b *notebook) ready() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.caughtUp
}

// forget drops the silences of which nothing was heard since before a time.
// They have ended long ago: the newest word on a silence outlasts it.
func (b *notebook) forget(before time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for id, n := range b.silences {
		if n.At.Before(before) && n.Silence.Until.Before(before) {
			delete(b.silences, id)
		}
	}
}

// about is what was done about an alarm since it was raised: who has it in
// hand, nil for nobody, and what the appliance did by itself, oldest first.
func (b *notebook) about(a libra.Alarm) (ack *libra.Note, actions []libra.Note) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n, ok := b.acks[a.ID]; ok && !n.At.Before(a.Since) {
		ack = &n
	}
	from, _ := slices.BinarySearchFunc(b.recent, libra.Note{At: a.Since}, byTime)
	for _, n := range b.recent[from:] {
		if n.Alarm == a.ID && n.Kind == libra.Action {
			actions = append(actions, n)
		}
	}
	return ack, actions
}

// silence is the newest word on one that has not ended, and when that was said.
func (b *notebook) silence(id string, now time.Time) (sil libra.Silence, said time.Time, standing bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n, ok := b.silences[id]
	if !ok || !now.Before(n.Silence.Until) {
		return libra.Silence{}, time.Time{}, false
	}
	return *n.Silence, n.At, true
}

// standing lists the silences in force or to come, those that begin first
// first.
func (b *notebook) standing(now time.Time) (list []libra.Silence) {
	b.mu.Lock()
	for _, n := range b.silences {
		if now.Before(n.Silence.Until) {
			list = append(list, *n.Silence)
		}
	}
	b.mu.Unlock()
	slices.SortFunc(list, func(a, b libra.Silence) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.ID, b.ID)) })
	return list
}

// before lists the notes on an alarm, or all where alarm is "", that are older
// than a place, newest first.
func (b *notebook) before(alarm string, place cursor, limit int) (list []libra.Note) {
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
