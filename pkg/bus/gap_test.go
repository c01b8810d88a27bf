package bus_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
)

// Reports that the bus has discarded while no recorder ran are a gap, with their number;
// with a new database a recorder has no gap.
func TestDiscardedReportsAreAGap(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	inspector, recorder := b.Connect("inspector"), b.Connect("recorder")
	publish := func(from, to int) {
		t.Helper()
		for n := from; n < to; n++ {
			if err := inspector.PublishReport(t.Context(), typical(n, 1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	discard := func(before uint64) { b.Discard(event.ReportStream, before) }
	var mu sync.Mutex
	var at event.Position
	var got int
	var lost []event.Gap
	record := func(want int) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		wg.Go(func() {
			recorder.RecordReports(ctx, bus.Recording[event.Reported]{
				Durable: bus.RecorderDurable,
				From:    func(context.Context) (event.Position, error) { mu.Lock(); defer mu.Unlock(); return at, nil },
				Lost:    func(g event.Gap) { mu.Lock(); defer mu.Unlock(); lost = append(lost, g) },
				Store: func(_ context.Context, batch []event.Reported, after event.Position) error {
					mu.Lock()
					defer mu.Unlock()
					if len(batch) > 0 {
						got, at = got+len(batch), after
					}
					return nil
				},
			})
		})
		bustest.Await(t, "the reports to be recorded", func() bool { mu.Lock(); defer mu.Unlock(); return got == want })
	}
	publish(0, 3)
	discard(2)
	record(2)
	if len(lost) != 0 {
		t.Errorf("of a new database: %+v", lost)
	}
	publish(3, 10)
	discard(8) // 4 to 7
	record(5)
	wantGaps(t, lost, event.Gap{Count: 4, First: 4})
}

// wantGaps compares gaps; each has times.
func wantGaps(t *testing.T, got []event.Gap, want ...event.Gap) {
	t.Helper()
	for i, g := range got {
		if g.Until.IsZero() || g.Found.IsZero() {
			t.Errorf("the gap has no times: %+v", g)
		}
		got[i].Until, got[i].Found = time.Time{}, time.Time{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
