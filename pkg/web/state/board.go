package state

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"libra/pkg/libra"
	"libra/pkg/notes"
	"libra/pkg/store"
)

// Board is what web knows of the notes on the board: the newest of them. Its mutex is held
// for lookups only.
type Board struct {
	most     int64 // bytes; SQLite has all notes
	complete atomic.Bool

	mu    sync.Mutex
	notes []libra.Note         // under mu; in order, the newest last
	times map[string]time.Time // under mu; of the same, by id
	bytes int64                // under mu; of them
	// recalled says that SQLite was read after the bus; older, that it has older notes.
	recalled, older bool      // under mu
	last            time.Time // under mu; of the newest note, and of those that are being stored
}

func newBoard(most int64) *Board { return &Board{most: most, times: map[string]time.Time{}} }

// largestNote is the part of the board that one note may take.
const largestNote = 8

// boardNoteSize is what a note takes, in the list and with its time.
func boardNoteSize(n libra.Note) int64 {
	return noteSize(n) + slotFactor*(structSize[string]()+structSize[time.Time]())
}

// take keeps a note and reports whether it was news. Of an id the first is kept.
func (b *Board) take(n libra.Note) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, known := b.times[n.ID]; known || boardNoteSize(n) > b.most/largestNote {
		return false
	}
	if n.At.After(b.last) {
		b.last = n.At
	}
	i, _ := slices.BinarySearchFunc(b.notes, n, notes.Compare)
	b.notes = slices.Insert(b.notes, i, n)
	b.times[n.ID] = n.At
	b.bytes += boardNoteSize(n)
	drop := 0
	for ; b.bytes > b.most; drop++ {
		b.older = true
		b.bytes -= boardNoteSize(b.notes[drop])
		delete(b.times, b.notes[drop].ID)
	}
	b.notes = slices.Delete(b.notes, 0, drop)
	_, kept := b.times[n.ID]
	return kept
}

func (b *Board) size() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.bytes
}

// mostAhead is how far the newest note may be ahead of the clock. One that is further ahead
// is of a clock that was wrong.
const mostAhead = time.Minute

// NextTime is the time of a note that is written now: after that of every note before, so
// that notes have the order in which they were written.
func (b *Board) NextTime(now time.Time) time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !now.After(b.last) && b.last.Sub(now) < mostAhead {
		now = b.last.Add(1)
	}
	b.last = now
	return now
}

// Before lists the notes about an alarm and a page, "" is any, that are older than a place,
// newest first; all says that SQLite has no others for this list.
func (b *Board) Before(alarm, page string, place Cursor, limit int) (list []libra.Note, all bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range slices.Backward(b.notes) {
		if len(list) == limit {
			break
		}
		if (alarm == "" || n.Alarm == alarm) && (page == "" || n.Page == page) && place.isAfter(n.At, n.ID) {
			list = append(list, n)
		}
	}
	return list, b.recalled && (len(list) == limit || !b.older)
}

func (b *Board) of(id string) (n libra.Note, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	at, ok := b.times[id]
	if !ok {
		return n, false
	}
	i, _ := slices.BinarySearchFunc(b.notes, libra.Note{ID: id, At: at}, notes.Compare)
	return b.notes[i], true
}

// BoardNote is the note on the board with an id, from memory or SQLite; libra.ErrNotFound
// or libra.ErrUnavailable.
func (s *State) BoardNote(ctx context.Context, id string) (libra.Note, error) {
	if n, ok := s.Board.of(id); ok {
		return n, nil
	}
	return ofHistory(ctx, s, func(ctx context.Context) (libra.Note, error) { return s.history.BoardNote(ctx, id) })
}

// ReadBoard lists the notes on the board in SQLite, as Board.Before does.
func (s *State) ReadBoard(ctx context.Context, alarm, page string, after Cursor, limit int) ([]libra.Note, error) {
	return ofHistory(ctx, s, func(ctx context.Context) ([]libra.Note, error) {
		return s.history.Board(ctx, alarm, page, historyMark(after), limit)
	})
}

// recallBoard reads the newest notes from SQLite: the bus may have lost them. last says that
// the bus was read to its end before.
func (s *State) recallBoard(ctx context.Context, last bool) error {
	list, err := ofHistory(ctx, s, func(ctx context.Context) ([]libra.Note, error) {
		return s.history.Board(ctx, "", "", store.Mark{}, recalled)
	})
	for _, n := range list {
		s.Board.take(n)
	}
	if err == nil && last {
		s.Board.setRecalled(len(list) == recalled)
	}
	return err
}

// setRecalled says that SQLite was read after the bus, and whether it has older notes.
func (b *Board) setRecalled(older bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.recalled, b.older = true, b.older || older
}

// OnBoard keeps a note on the board that the bus has stored, and sends it to the event
// streams: to those of a page where the note, or its alarm, is about it.
func (s *State) OnBoard(n libra.Note) {
	if !s.Board.take(n) || !s.Board.complete.Load() {
		return
	}
	page := n.Page
	if page == "" && n.Alarm != "" {
		t, _, _ := s.Memory.AlarmOf(n.Alarm)
		page = pageOf(t.Alarm)
	}
	s.Hub.send("note", page, n)
}

// FreshBoard is the freshness of a part of the board; all says that SQLite is not needed
// for it.
func (s *State) FreshBoard(all bool) Freshness {
	f := s.onBus(s.Board.complete.Load(), "notes")
	if !all {
		s.recalls(&f, "notes")
		s.recordedLate(&f)
	}
	return f
}
