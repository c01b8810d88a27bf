package store_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/store"
)

// The size of the history is what it holds, and its growth what the last day has added;
// what is older counts only for how long that is.
func TestSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libra.db")
	w, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	r := store.NewReader(path)
	defer r.Close()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	n := 0
	add := func(ago time.Duration, many int) {
		t.Helper()
		var list []event.Reported
		for i := range many {
			n++
			list = append(list, event.Reported{
				Request: event.Request{ID: fmt.Sprint("r", n), Page: "p", URL: "https://example.org/"}, At: now.Add(-ago + time.Duration(i)*time.Millisecond), Report: libra.Report{Outcome: libra.Complete},
			})
		}
		if _, err := w.AddReports(t.Context(), list, event.Position{Created: now, Sequence: uint64(n)}); err != nil {
			t.Fatal(err)
		}
	}
	size := func(reports int64, since time.Duration) {
		t.Helper()
		got, err := r.Size(t.Context(), now)
		used, usedErr := w.Used(t.Context())
		if err != nil || usedErr != nil || got.Reports != reports || got.Since != since || got.Bytes != used || got.Bytes <= 0 {
			t.Errorf("size %+v, %v; used %d, %v; want %d reports in %s", got, err, used, usedErr, reports, since)
		}
		if d := got.Disk; d.Used <= 0 || d.Available < 0 || d.Percent() <= 0 || d.Percent() > 100 {
			t.Errorf("disk: %+v, %.1f %%", d, d.Percent())
		}
	}
	size(0, 0)
	before, err := w.Used(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	add(3*time.Hour, 2)
	add(time.Hour, 200)
	size(202, 3*time.Hour)
	if after, err := w.Used(t.Context()); err != nil || after < before+202*100 {
		t.Errorf("202 reports have added %d bytes, %v", after-before, err)
	}
	now = now.Add(22 * time.Hour) // the first two are older than a day
	size(200, 24*time.Hour)
	now = now.Add(24 * time.Hour)
	size(0, 24*time.Hour)
	// Pages that are free again are not part of it.
	was, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	full, _ := w.Used(t.Context())
	if _, err := w.Prune(t.Context(), now, 1000); err != nil {
		t.Fatal(err)
	}
	if after, err := w.Used(t.Context()); err != nil || after >= full {
		t.Errorf("pruned: %d bytes of %d, %v; the file had %d", after, full, err, was.Size())
	}
}

func TestDiskThatIsMissing(t *testing.T) {
	if d, err := store.DiskOf(filepath.Join(t.TempDir(), "none", "libra.db")); err == nil || d.Percent() != 0 {
		t.Errorf("%+v, %v", d, err)
	}
}
