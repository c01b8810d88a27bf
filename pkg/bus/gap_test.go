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

// gapSite is a bus whose reports are recorded from time to time, by a store that holds
// nothing but its position.
type gapSite struct {
	t         *testing.T
	b         *bustest.Bus
	published int
	mu        sync.Mutex
	at        event.Position // under mu
	got       int            // under mu
	lost      []event.Gap    // under mu
}

func (s *gapSite) publish(more int) {
	s.t.Helper()
	inspector := s.b.Connect("inspector")
	for range more {
		if err := inspector.PublishReport(s.t.Context(), typical(s.published, 1)); err != nil {
			s.t.Fatal(err)
		}
		s.published++
	}
}

// record records until so many reports have been, since the start.
func (s *gapSite) record(want int) {
	s.t.Helper()
	recorder := s.b.Connect("recorder")
	ctx, cancel := context.WithCancel(s.t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		recorder.RecordReports(ctx, bus.Recording[event.Reported]{
			Durable: bus.RecorderDurable,
			From:    func(context.Context) (event.Position, error) { s.mu.Lock(); defer s.mu.Unlock(); return s.at, nil },
			Lost:    func(g event.Gap) { s.mu.Lock(); defer s.mu.Unlock(); s.lost = append(s.lost, g) },
			Store: func(_ context.Context, batch []event.Reported, after event.Position) error {
				s.mu.Lock()
				defer s.mu.Unlock()
				if len(batch) > 0 {
					s.got, s.at = s.got+len(batch), after
				}
				return nil
			},
		})
	})
	bustest.Await(s.t, "the reports to be recorded", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.got == want })
}

// Reports that the bus has discarded while no recorder ran are a gap, with their number;
// with a new database a recorder has no gap.
func TestDiscardedReportsAreAGap(t *testing.T) {
	t.Parallel()
	s := gapSite{t: t, b: bustest.Start(t)}
	s.publish(3)
	s.b.Discard(event.ReportStream, 2)
	s.record(2)
	if len(s.lost) != 0 {
		t.Errorf("of a new database: %+v", s.lost)
	}
	s.publish(7)
	s.b.Discard(event.ReportStream, 8) // 4 to 7
	s.record(5)
	wantGaps(t, s.lost, event.Gap{Stream: event.ReportStream, Count: 4, First: 4})
}

// Reports that were not recorded when the bus lost their stream are a gap, also after
// libra-bus has started again; what was recorded is not.
func TestUnrecordedOfALostStreamAreAGap(t *testing.T) {
	t.Parallel()
	s := gapSite{t: t, b: bustest.Start(t)}
	keeper := s.b.Connect("bus").KeepStreams(bus.Space{Bytes: 64 << 20})
	lose := func() {
		t.Helper()
		if lost, err := keeper.Lost(t.Context()); err != nil || len(lost) > 0 {
			t.Fatalf("lost %v, %v", lost, err)
		}
		s.b.Lose(event.ReportStream)
		if err := keeper.Ensure(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	s.publish(3)
	s.record(3)
	lose()
	s.publish(1)
	s.record(4)
	if len(s.lost) != 0 {
		t.Errorf("all were recorded: %+v", s.lost)
	}
	s.publish(4)
	lose()
	s.b.Streams() // another libra-bus
	s.publish(2)
	s.record(6)
	want := event.Gap{Stream: event.ReportStream, Count: 4, First: 2}
	wantGaps(t, s.lost, want)
	s.publish(1)
	s.record(7)
	if len(s.lost) > 1 {
		t.Errorf("found again: %+v", s.lost)
	}
}

// wantGaps compares gaps; each has times.
func wantGaps(t *testing.T, got []event.Gap, want ...event.Gap) {
	t.Helper()
	for i, g := range got {
		if g.Until.IsZero() || g.Found.IsZero() || g.Created.IsZero() {
			t.Errorf("the gap has no times: %+v", g)
		}
		got[i].Until, got[i].Found, got[i].Created = time.Time{}, time.Time{}, time.Time{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
