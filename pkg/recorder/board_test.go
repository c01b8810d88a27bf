package recorder_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/recorder"
	"libra/pkg/store"
)

// board is note n on the board: n seconds after a time.
func board(n int) libra.Note {
	at := time.Date(2026, 3, 1, 12, 0, n, 0, time.UTC)
	return libra.Note{ID: fmt.Sprintf("note-%04d", n), Kind: libra.Written, At: at, By: "ann", Text: fmt.Sprint("note ", n), Alarm: "bus"}
}

func writeBoard(t *testing.T, c *bus.Conn, n int) error {
	t.Helper()
	_, err := c.WriteBoard(t.Context(), board(n))
	return err
}

// The board is in SQLite, once and in order, whichever of the two copies is lost.
func TestBoardOutlivesEitherCopy(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	path := filepath.Join(t.TempDir(), "libra.db")
	web := b.Connect("web")
	read := store.NewReader(path)
	defer read.Close()
	var want []string
	write := func(from, to int) {
		t.Helper()
		for n := from; n < to; n++ {
			if err := writeBoard(t, web, n); err != nil {
				t.Fatal(err)
			}
			want = append(want, board(n).ID)
		}
	}
	await := func(what string) {
		t.Helper()
		bustest.Await(t, what, func() bool {
			list, err := read.Board(t.Context(), "", "", store.Mark{}, 999)
			var got []string
			for _, n := range slices.Backward(list) {
				got = append(got, n.ID)
			}
			return err == nil && slices.Equal(got, want)
		})
	}
	r, stop := runSupervised(t, b, path, recorder.Loops{})
	defer stop()
	write(0, 10)
	await("ten notes")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	write(10, 20)
	await("twenty notes in a new database")
	b.Lose(event.BoardStream)
	b.Streams()
	write(20, 30)
	bustest.Await(t, "the notes to be on the bus again", func() bool { return b.Stored(event.BoardStream) == 30 && r.RestoringSince() == 0 })
	await("thirty notes")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	await("thirty notes from a bus that had lost twenty")
	if n := r.MissingOthers(); n != 0 {
		t.Errorf("%d notes are said to be missing", n)
	}
}
