package state

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"libra/pkg/libra"
)

// listed are the ids of the notes after a place.
func listed(b *Board, after Cursor) (ids []string) {
	list, _ := b.Before("", "", after, 999)
	for _, n := range list {
		ids = append(ids, n.ID)
	}
	return ids
}

// The board has one order, whatever order its notes arrive in, and of an id the first.
func TestBoardHasOneOrder(t *testing.T) {
	b := newBoard(mb)
	all := []libra.Note{written(1, 5), written(2, 5), written(3, 5), written(4, 5)}
	all[2].At = all[1].At // then by id
	var want []string
	for _, n := range slices.Backward(all) {
		want = append(want, n.ID)
	}
	shuffled := slices.Clone(all)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for _, n := range shuffled {
		again := n
		again.At, again.Text = n.At.Add(time.Hour), "again"
		if !b.take(n) || b.take(again) {
			t.Errorf("%s: the first must be news, the second not", n.ID)
		}
	}
	if got := listed(b, Cursor{}); !slices.Equal(got, want) {
		t.Errorf("the board has %v, want %v", got, want)
	}
	if got := listed(b, Cursor{At: all[2].At, ID: all[2].ID}); !slices.Equal(got, want[2:]) {
		t.Errorf("from %s on %v, want %v", all[2].ID, got, want[2:])
	}
}

// Notes get later times, also while the clock stands or goes back a little, but not those
// of a clock that was wrong.
func TestBoardTimesAreMonotonic(t *testing.T) {
	b := newBoard(mb)
	first := b.NextTime(start)
	second, third := b.NextTime(start), b.NextTime(start.Add(-time.Second))
	if !first.Equal(start) || !second.After(first) || !third.After(second) {
		t.Errorf("times %v, %v, %v", first, second, third)
	}
	n := written(1, 5)
	n.At = start.Add(10 * time.Second) // of another libra-web
	b.take(n)
	if at := b.NextTime(start.Add(time.Second)); !at.After(n.At) {
		t.Errorf("time %v is not after the newest note, %v", at, n.At)
	}
	n.ID, n.At = "wrong", start.Add(24*time.Hour)
	b.take(n)
	if at := b.NextTime(start.Add(time.Second)); at.After(start.Add(time.Minute)) {
		t.Errorf("time %v is that of a wrong clock", at)
	}
}

// The oldest notes go, and one that is too large leaves the others.
func TestOldestOfTheBoardGo(t *testing.T) {
	b := newBoard(10_000)
	for n := range 100 {
		b.take(written(n, 100))
	}
	kept := len(listed(b, Cursor{}))
	large := written(100, 100)
	large.Text = strings.Repeat("n", 5000)
	if _, oldest := b.of("note-0"); b.take(large) || oldest || kept < 5 || len(b.times) != kept {
		t.Errorf("%d notes, %d ids, the oldest is there: %v", kept, len(b.times), oldest)
	}
	if got := listed(b, Cursor{}); got[0] != "note-99" {
		t.Errorf("the newest is %s", got[0])
	}
}

// SQLite is needed for a list until it was read, and for what memory had no room for.
func TestBoardKnowsWhatItLacks(t *testing.T) {
	b := newBoard(10_000)
	all := func(limit int) bool { _, all := b.Before("", "", Cursor{}, limit); return all }
	b.take(written(0, 100))
	if all(9) || all(1) {
		t.Error("it has all before SQLite was read")
	}
	if b.setRecalled(false); !all(9) {
		t.Error("it lacks some although it had room for all")
	}
	for n := range 100 {
		b.take(written(n+1, 100))
	}
	if all(99) || !all(3) {
		t.Error("it has all of a list that is too long, or lacks some of a short one")
	}
}
