package store_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/store"
)

func written(id string, n int, alarm, page string) libra.Note {
	return libra.Note{ID: id, Kind: libra.Written, At: at(n), By: "ann", Text: "text of " + id, Alarm: alarm, Page: page}
}

// Notes on the board are stored once, listed by what they are about, in one order; notes on
// alarms do not know of them.
func TestBoard(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "libra.db")
	w, r := openWriter(t, path), store.NewReader(path)
	defer r.Close()
	notes := []libra.Note{
		written("b1", 1, "", ""), written("b3", 2, "bus", ""), written("b2", 2, "", "p1"), written("b4", 3, "bus", "p1"), written("n1", 4, "web", ""),
	}
	place := event.Position{Created: start, Sequence: 5}
	for range 2 { // storing again changes nothing
		if err := errors.Join(w.AddBoard(ctx, notes, place), w.AddNotes(ctx, []libra.Note{ack("n1", "bus", 9)}, event.Position{})); err != nil {
			t.Fatal(err)
		}
	}
	other := written("b1", 99, "", "")
	if err := w.AddBoard(ctx, []libra.Note{other}, place); err != nil {
		t.Fatal(err)
	}
	if p, err := w.Position(ctx, event.BoardStream); err != nil || p != place {
		t.Errorf("Position = %v, %v", p, err)
	}
	for _, c := range []struct {
		alarm, page string
		after       store.Mark
		limit       int
		want        []string
	}{
		{"", "", store.Mark{}, 9, []string{"n1", "b4", "b3", "b2", "b1"}},
		{"", "", store.Mark{}, 2, []string{"n1", "b4"}},
		{"", "", store.Mark{At: at(2), ID: "b3"}, 9, []string{"b2", "b1"}},
		{"bus", "", store.Mark{}, 9, []string{"b4", "b3"}},
		{"", "p1", store.Mark{}, 9, []string{"b4", "b2"}},
		{"bus", "p1", store.Mark{}, 9, []string{"b4"}},
	} {
		list, err := r.Board(ctx, c.alarm, c.page, c.after, c.limit)
		if diff := cmp.Diff(c.want, noteIDs(list)); err != nil || diff != "" {
			t.Errorf("alarm %q, page %q, after %v: %v (-want +got):\n%s", c.alarm, c.page, c.after, err, diff)
		}
	}
	if n, err := r.BoardNote(ctx, "b1"); err != nil || !cmp.Equal(n, notes[0]) {
		t.Errorf("BoardNote = %+v, %v", n, err)
	}
	if _, err := r.BoardNote(ctx, "b9"); !errors.Is(err, libra.ErrNotFound) {
		t.Errorf("a note that was never written: %v", err)
	}
	if list, err := r.Notes(ctx, "", store.Mark{}, 9); err != nil || !slices.Equal(noteIDs(list), []string{"n1"}) || list[0].Kind != libra.Acknowledged {
		t.Errorf("notes on alarms = %+v, %v", list, err)
	}
}

// A bus that has lost the board gets the newest notes back, in a bounded number and size.
func TestNewestBoardIsBounded(t *testing.T) {
	ctx := t.Context()
	w := openWriter(t, filepath.Join(t.TempDir(), "libra.db"))
	add := func(from, to int, text string) {
		var notes []libra.Note
		for n := from; n < to; n++ {
			note := written(fmt.Sprintf("b%04d", n), n, "", "")
			note.Text = text
			notes = append(notes, note)
		}
		if err := w.AddBoard(ctx, notes, event.Position{}); err != nil {
			t.Fatal(err)
		}
	}
	add(0, 600, "short")
	list, err := w.NewestBoard(ctx)
	if err != nil || len(list) != 500 || list[0].ID != "b0100" || list[499].ID != "b0599" {
		t.Errorf("%d notes, %v", len(list), err)
	}
	add(600, 700, strings.Repeat("界", 1000)) // 3 bytes each
	list, err = w.NewestBoard(ctx)
	if err != nil || len(list) < 200_000/3200 || len(list) > 200_000/3000 || list[len(list)-1].ID != "b0699" {
		t.Errorf("%d long notes, %v", len(list), err)
	}
}

// SQLite keeps the newest 20,000 notes.
func TestBoardIsBounded(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "libra.db")
	w, r := openWriter(t, path), store.NewReader(path)
	defer r.Close()
	const most = 20_000
	for _, part := range [][2]int{{0, most}, {most, most + 10}} {
		var notes []libra.Note
		for n := part[0]; n < part[1]; n++ {
			notes = append(notes, written(fmt.Sprintf("b%05d", n), n, "", ""))
		}
		if err := w.AddBoard(ctx, notes, event.Position{}); err != nil {
			t.Fatal(err)
		}
	}
	list, err := r.Board(ctx, "", "", store.Mark{}, 2*most)
	if err != nil || len(list) != most || list[most-1].ID != "b00010" || list[0].ID != fmt.Sprintf("b%05d", most+9) {
		t.Errorf("%d notes, %v", len(list), err)
	}
}
