package bus_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

func written(n int, text string) libra.Note {
	return libra.Note{ID: fmt.Sprintf("note-%06d", n), Kind: libra.Written, At: time.Now().UTC(), By: "ann", Text: text, Alarm: "bus"}
}

// A note on the board is stored once, whatever is written or restored with its id later:
// the sender of a repeat gets what is stored.
func TestBoardKeepsTheFirst(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx := testDeadline(t)
	web := b.Connect("web")
	first := written(1, "the new disks are in")
	again := first
	again.At, again.Text = first.At.Add(time.Second), "something else"
	for _, n := range []libra.Note{first, again, first} {
		stored, err := web.WriteBoard(ctx, n)
		if diff := cmp.Diff(first, stored); err != nil || diff != "" {
			t.Errorf("write %q: %v (-first +stored):\n%s", n.Text, err, diff)
		}
	}
	recorder := b.Connect("recorder")
	for range 2 {
		if err := recorder.RestoreBoard(ctx, again); err != nil {
			t.Error(err)
		}
	}
	if n := b.Stored(event.BoardStream); n != 1 {
		t.Errorf("the bus has %d messages, want 1", n)
	}
}

// However much is written, the board keeps the newest in a space of its own: what was said
// about alarms stays.
func TestFloodOfTheBoard(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx := testDeadline(t)
	web := b.Connect("web")
	ack := libra.Note{ID: "n1", Kind: libra.Acknowledged, At: time.Now().UTC(), Alarm: "bus"}
	if err := web.PublishNote(ctx, ack); err != nil {
		t.Fatal(err)
	}
	b.Resize(event.BoardStream, 100_000)
	long := strings.Repeat("<", libra.MostNoteText) // 6 bytes each in JSON
	const all = 60
	for n := range all {
		if _, err := web.WriteBoard(ctx, written(n, long)); err != nil {
			t.Fatal(err)
		}
	}
	var notes, board []string
	reading, cancel := context.WithCancel(ctx)
	web.ConsumeNotes(reading, cancel, func(n libra.Note) { notes = append(notes, n.ID) })
	reading, cancel = context.WithCancel(ctx)
	web.ConsumeBoard(reading, cancel, func(n libra.Note) { board = append(board, n.ID) })
	if len(notes) != 1 || len(board) == 0 || len(board) > 100_000/6000 || board[len(board)-1] != written(all-1, "").ID {
		t.Errorf("%d notes on alarms, on the board %v; want 1 and the newest in 100 kB", len(notes), board)
	}
}
