package bus_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
)

// While no recorder stores reports, workers and requests stop before the bus discards a
// report, and what was accepted is inspected and recorded when there is one again.
func TestReportsAreNotDiscardedUnrecorded(t *testing.T) {
	t.Parallel()
	const requests = 900
	b := bustest.Start(t)
	js := rawJetStream(t, b)
	stream := func(name string) *jetstream.StreamInfo {
		s, err := js.Stream(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo()
	}
	b.Resize(event.ReportStream, 16<<20) // some 730 reports
	web, guard, inspector := b.Connect("web"), b.Connect("bus"), b.Connect("inspector")
	for n := range requests {
		r := typical(n, 0).Request
		r.Client = fmt.Sprint("client", n%10)
		if err := web.Submit(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	var loop bustest.Loop
	background(t, func(ctx context.Context) error { return guard.GuardReports(ctx, time.Millisecond, &loop) })
	background(t, func(ctx context.Context) error { return guard.ServeQueue(ctx, nil) })
	var log workLog
	log.work(t, inspector, 1, func(ctx context.Context, r event.Request) {
		full := typical(0, 60)
		full.Request = r
		if err := inspector.PublishReport(ctx, full); err != nil && ctx.Err() == nil {
			t.Error(err)
		}
	})
	bustest.Await(t, "requests to be refused", func() bool { _, since := guard.Backlog(); return !since.IsZero() })
	bustest.Await(t, "the lanes to be held", func() bool {
		lane, err := js.Consumer(t.Context(), event.RequestStream, event.LaneConsumer(0))
		return err == nil && lane.CachedInfo().Paused
	})
	was := loop.Rounds()
	bustest.Await(t, "another hundred looks", func() bool { return loop.Rounds() > was+100 })
	if state := stream(event.ReportStream).State; state.FirstSeq != 1 || state.Msgs < 600 {
		t.Errorf("%d reports are there, from number %d on: some were discarded, or too few taken", state.Msgs, state.FirstSeq)
	}
	if left := stream(event.RequestStream).State.Msgs; left == 0 {
		t.Error("no request waits")
	}

	var mu sync.Mutex
	recorded := map[string]int{}
	var after event.Position
	recorder := b.Connect("recorder")
	background(t, func(ctx context.Context) error {
		return recorder.RecordReports(ctx, bus.Recording[event.Reported]{
			Durable: bus.RecorderDurable,
			From:    func(context.Context) (event.Position, error) { mu.Lock(); defer mu.Unlock(); return after, nil },
			Store: func(_ context.Context, batch []event.Reported, p event.Position) error {
				mu.Lock()
				defer mu.Unlock()
				for _, r := range batch {
					recorded[r.Request.ID]++
				}
				if len(batch) > 0 {
					after = p
				}
				return nil
			},
		})
	})
	bustest.Await(t, "every report to be recorded", func() bool { mu.Lock(); defer mu.Unlock(); return len(recorded) == requests })
	bustest.Await(t, "requests to be accepted again", func() bool { _, since := guard.Backlog(); return since.IsZero() })
}

// What is not recorded is known in bytes, however small the reports before it are, by a
// libra-bus that has just started, too, and in a stream that was made again.
func TestBacklogIsOfTheUnrecorded(t *testing.T) {
	t.Parallel()
	const large = 20
	b := bustest.Start(t)
	inspector, first, second := b.Connect("inspector"), b.Connect("bus"), b.Connect("bus")
	published := 0
	publish := func(reports, assets int) {
		t.Helper()
		for range reports {
			if err := inspector.PublishReport(t.Context(), typical(published, assets)); err != nil {
				t.Fatal(err)
			}
			published++
		}
	}
	stored := func() uint64 {
		s, err := rawJetStream(t, b).Stream(t.Context(), event.ReportStream)
		if err != nil {
			t.Fatal(err)
		}
		return s.CachedInfo().State.Bytes
	}
	background(t, func(ctx context.Context) error { return first.GuardReports(ctx, time.Millisecond, nil) })
	awaitBacklog := func(guard *bus.Conn, reports, bytes uint64) {
		t.Helper()
		bustest.Await(t, fmt.Sprintf("%d reports of %d bytes to be unrecorded", reports, bytes), func() bool {
			newest, _ := guard.Backlog()
			return newest.Reports == reports && newest.Bytes == float64(bytes)
		})
	}
	publish(200, 0)
	awaitBacklog(first, 200, stored())
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		recordReports(ctx, b.Connect("recorder"), func([]event.Reported) error { return nil })
	})
	awaitBacklog(first, 0, 0)
	stop()
	wg.Wait()
	before := stored()
	publish(large, 200)
	unrecorded := stored() - before
	awaitBacklog(first, large, unrecorded)
	background(t, func(ctx context.Context) error { return second.GuardReports(ctx, time.Millisecond, nil) })
	awaitBacklog(second, large, unrecorded)

	// A new database begins at the beginning, and does not get far.
	ctx, stop = context.WithCancel(t.Context())
	wg.Go(func() {
		recordReports(ctx, b.Connect("recorder"), func([]event.Reported) error { return errors.New("full") })
	})
	awaitBacklog(first, 200+large, stored())
	awaitBacklog(second, 200+large, stored())
	stop()
	wg.Wait()

	b.Lose(event.ReportStream)
	b.Streams()
	publish(3, 10)
	awaitBacklog(first, 3, stored())
	publish(1, 300)
	awaitBacklog(second, 4, stored())
}

// A recorder that keeps up has requests accepted, however many are open, and however
// full the stream is of reports that it has stored.
func TestBacklogRefuses(t *testing.T) {
	for want, list := range map[bool][]bus.Backlog{
		false: {{Space: 100}, {Bytes: 24, Coming: 900, Space: 100}, {Bytes: 89, Space: 100}},
		true:  {{Bytes: 90, Space: 100}, {Bytes: 25, Coming: 65, Space: 100}},
	} {
		for _, b := range list {
			if b.Refuse() != want {
				t.Errorf("%+v: refuses: %v", b, !want)
			}
		}
	}
}
