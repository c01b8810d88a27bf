package recorder_test

import (
	"path/filepath"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/recorder"
	"libra/pkg/store"
)

// What reports have added to the database is what it has grown by, and the writer has
// been busy with it.
func TestGrown(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	path := filepath.Join(t.TempDir(), "libra.db")
	read := store.NewReader(path)
	defer read.Close()
	r, stop := runSupervised(t, b, path, recorder.Loops{})
	defer stop()
	used := func() int64 {
		size, err := read.Size(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return size.Bytes
	}
	inspector := b.Connect("inspector")
	publish := func(from, until int) {
		t.Helper()
		for n := from; n < until; n++ {
			if err := inspector.PublishReport(t.Context(), reported(n)); err != nil {
				t.Fatal(err)
			}
		}
		bustest.Await(t, "the reports", func() bool { return r.Recorded() == int64(until) })
	}
	publish(0, 1)
	before, had := used(), r.Grown()
	publish(1, 200)
	if grown, after := r.Grown()-had, used(); grown <= 0 || grown != after-before {
		t.Errorf("199 reports have added %d bytes, the database has grown by %d", grown, after-before)
	}
	if r.Busy() <= 0 {
		t.Error("the writer was never busy")
	}
}
