package bus_test

import (
	"context"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
)

// Reports that the bus has discarded while no recorder ran are a gap, with their number;
// with a new database a recorder has no gap.
func TestDiscardedReportsAreAGap(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	inspector, recorder, js := b.Connect("inspector"), b.Connect("recorder"), rawJetStream(t, b)
	publish := func(from, to int) {
		t.Helper()
		for n := from; n < to; n++ {
			if err := inspector.PublishReport(t.Context(), typical(n, 1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	discard := func(before uint64) {
		t.Helper()
		s, err := js.Stream(t.Context(), event.ReportStream)
		if err == nil {
			err = s.Purge(t.Context(), jetstream.WithPurgeSequence(before))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	var at event.Position
	var got int
	var lost []bus.Gap
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
				Lost:    func(g bus.Gap) { mu.Lock(); defer mu.Unlock(); lost = append(lost, g) },
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
	if len(lost) == 1 && lost[0].Until.IsZero() {
		t.Error("the gap has no end")
	}
	for i := range lost {
		lost[i].Until = at.Created
	}
	if diff := cmp.Diff([]bus.Gap{{Count: 4, First: 4, Until: at.Created}}, lost); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
