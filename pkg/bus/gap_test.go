package bus_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go/jetstream"

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
	found     []event.Gap    // under mu; before what is stored next
	lost      []event.Gap    // under mu
	store     func()         // before a batch is stored; nil for nothing
	most      int            // reports of a batch; 0 for as many as there are
	begun     int            // under mu; how often reading began
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
			Durable: bus.RecorderDurable, Most: s.most,
			From: func(context.Context) (event.Position, error) {
				s.mu.Lock()
				defer s.mu.Unlock()
				s.found, s.begun = nil, s.begun+1
				return s.at, nil
			},
			Lost: func(g event.Gap) { s.mu.Lock(); defer s.mu.Unlock(); s.found = append(s.found, g) },
			Store: func(_ context.Context, batch []event.Reported, after event.Position) error {
				if s.store != nil {
					s.store()
				}
				s.mu.Lock()
				defer s.mu.Unlock()
				if len(batch) > 0 {
					s.got, s.at, s.lost, s.found = s.got+len(batch), after, append(s.lost, s.found...), nil
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
	s.begun = 0
	s.record(5)
	if s.begun != 1 {
		t.Errorf("reading began %d times, and what was discarded does not come", s.begun)
	}
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

	// Three losses in a row, the second of a stream that had nothing yet; and then the bus
	// discards the first of what it has.
	s.publish(2)
	lose()
	lose()
	s.publish(3)
	lose()
	s.publish(4)
	s.b.Discard(event.ReportStream, 3)
	s.lost = nil
	s.record(9)
	report := func(count, first uint64) event.Gap {
		return event.Gap{Stream: event.ReportStream, Count: count, First: first}
	}
	wantGaps(t, s.lost, report(2, 4), report(3, 1), report(2, 1))
}

// A report that was on its way to a recorder is delivered again after those behind it. It is
// no gap, and no position passes it.
func TestLateReportIsNoGap(t *testing.T) {
	t.Parallel()
	const reports = 20
	s := gapSite{t: t, b: bustest.Start(t), most: 1} // it reads ahead a handful
	s.publish(reports)
	js := rawJetStream(t, s.b)
	late := uint64(0)
	s.store = sync.OnceFunc(func() { // while it reads no more, another one takes the next
		cons, err := js.Consumer(t.Context(), event.ReportStream, bus.RecorderDurable)
		if err != nil {
			t.Error(err)
			return
		}
		batch, err := cons.Fetch(1, jetstream.FetchMaxWait(5*time.Second))
		if err != nil {
			t.Error(err)
			return
		}
		for m := range batch.Messages() {
			if meta, err := m.Metadata(); err == nil {
				late = meta.Sequence.Stream
			}
		}
	})
	s.record(reports)
	if late < 2 || late >= reports {
		t.Errorf("report %d of %d was late", late, reports)
	}
	if len(s.lost) != 0 || s.at.Sequence != reports {
		t.Errorf("%+v; recorded up to %d", s.lost, s.at.Sequence)
	}
}

// wantGaps compares gaps; each has times.
func wantGaps(t *testing.T, got []event.Gap, want ...event.Gap) {
	t.Helper()
	for i, g := range got {
		if g.Until.IsZero() || g.Created.IsZero() {
			t.Errorf("the gap has no times: %+v", g)
		}
		got[i].Until, got[i].Created = time.Time{}, time.Time{}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
