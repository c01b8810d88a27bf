package recorder_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/recorder"
	"libra/pkg/store"
)

// On a disk that is too full the oldest reports are removed, which is noted.
func TestPruneOnFullDisk(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	path := filepath.Join(t.TempDir(), "libra.db")
	w, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	var old []event.Reported
	for n := range 1200 {
		r := reported(1)
		r.Request.ID, r.At = fmt.Sprint("old-", n), time.Now().Add(-time.Duration(2000-n)*time.Hour)
		old = append(old, r)
	}
	young := reported(1)
	young.At = time.Now().Add(-time.Hour)
	if _, err := w.AddReports(t.Context(), append(old, young, reported(2)), event.Position{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithCancel(t.Context())
	r := recorder.New(recorder.Config{Path: path, PruneAt: 1e-9}, b.Connect("recorder"), b.Log(), func(string) {})
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		r.Run(ctx, recorder.Loops{})
	})
	notes := make(chan libra.Note, 9)
	wg.Go(func() { b.Connect("web").ConsumeNotes(ctx, func() {}, func(n libra.Note) { notes <- n }) })
	if n := <-notes; n.Alarm != "disk" || n.Kind != libra.Action || n.By != "libra-recorder" || !strings.HasPrefix(n.Text, "removed 1200 reports up to ") {
		t.Errorf("noted: %+v", n)
	}
	cancel()
	wg.Wait()
	if w, err = store.Open(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for request, kept := range map[string]bool{"old-0": false, "old-1199": false, "r1": true, "r2": true} {
		if _, err := w.ByRequest(t.Context(), request); (err == nil) != kept {
			t.Errorf("%s: %v, kept should be %v", request, err, kept)
		}
	}
}
