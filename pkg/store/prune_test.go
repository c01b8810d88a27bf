package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/store"
)

// Pruning takes the oldest away and gives their space back; what is the newest
// of its kind stays.
func TestPrune(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libra.db")
	w, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	bulk := make([]byte, 20_000)
	for i := range bulk {
		bulk[i] = 'a' + byte(rand.N(26)) // does not compress to nothing
	}
	add := func(n int, page string, outcome libra.Outcome) {
		t.Helper()
		r := event.Reported{
			Request: event.Request{ID: fmt.Sprint("r", n), Page: page, URL: "https://example.org/" + page},
			At:      noon.Add(time.Duration(n) * time.Hour), Report: libra.Report{Outcome: outcome, ReasonList: libra.ReasonList{Reasons: []string{string(bulk)}}},
		}
		if _, err := w.AddReports(t.Context(), []event.Reported{r}, event.Position{Created: noon, Sequence: uint64(n)}); err != nil {
			t.Fatal(err)
		}
	}
	add(1, "old", libra.Complete) // the only one of its page
	add(2, "p", libra.Error)      // the only failed one
	for n := 3; n < 103; n++ {
		add(n, "p", libra.Complete)
	}
	add(103, "p", libra.Partial)
	size := func() int64 {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	if p, err := w.Prune(t.Context(), noon.Add(12*time.Hour+time.Minute), 1000); err != nil || p.Reports != 10 || !p.Until.Equal(noon.Add(12*time.Hour)) {
		t.Errorf("pruned %+v, %v; want what is from 3 to 12 h", p, err)
	}
	if err := w.Intact(); err != nil { // it remembers how large the file is
		t.Error(err)
	}
	before := size()
	// A reader that is at it keeps the file from shrinking for the moment.
	reading, err := sql.Open("sqlite3", "file:"+path+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer reading.Close()
	rows, err := reading.QueryContext(t.Context(), "SELECT request FROM report")
	if err != nil || !rows.Next() {
		t.Fatal("nothing to read", err)
	}
	if p, err := w.Prune(t.Context(), noon.Add(1000*time.Hour), 20); err != nil || p.Reports != 20 {
		t.Errorf("pruned %+v, %v; want 20", p, err)
	}
	if err := w.Intact(); err != nil {
		t.Error(err)
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	if p, err := w.Prune(t.Context(), noon.Add(1000*time.Hour), 40); err != nil || p.Reports != 40 || !p.Until.Equal(noon.Add(72*time.Hour)) {
		t.Errorf("pruned %+v, %v; want the next 40", p, err)
	}
	if after := size(); after > before-60*10_000 {
		t.Errorf("the file has %d bytes after, %d before", after, before)
	}
	if p, err := w.Prune(t.Context(), noon.Add(1000*time.Hour), 1000); err != nil || p.Reports != 29 {
		t.Errorf("pruned %+v, %v; want all but the newest of each outcome", p, err)
	}
	if p, err := w.Prune(t.Context(), noon.Add(1000*time.Hour), 1000); err != nil || p.Reports != 0 {
		t.Errorf("pruned %+v, %v; want nothing more", p, err)
	}
	for request, kept := range map[string]bool{"r1": true, "r2": true, "r3": false, "r101": false, "r102": true, "r103": true} {
		if _, err := w.ByRequest(t.Context(), request); (err == nil) != kept || err != nil && !errors.Is(err, libra.ErrNotFound) {
			t.Errorf("%s: %v, kept should be %v", request, err, kept)
		}
	}
	if err := w.Intact(); err != nil {
		t.Error(err)
	}
}
