package bus_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// recordReports records with a store that holds nothing but its position.
func recordReports(ctx context.Context, c *bus.Conn, store func([]event.Reported) error) {
	var at event.Position
	c.RecordReports(ctx, bus.Recording[event.Reported]{
		Durable: "recorder",
		From:    func(context.Context) (event.Position, error) { return at, nil },
		Store: func(_ context.Context, batch []event.Reported, after event.Position) error {
			if len(batch) == 0 {
				return nil
			}
			err := store(batch)
			if err == nil {
				at = after
			}
			return err
		},
	})
}

// After a store is set back, and after the bus has lost everything, the recorder
// has each report once.
func TestRecordingStartsOver(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx, cancel := context.WithCancel(testDeadline(t))
	inspector, recorder := b.Connect("inspector"), b.Connect("recorder")
	for n := range 5 {
		if err := inspector.PublishReport(ctx, event.Reported{Request: request("alice", n)}); err != nil {
			t.Fatal(err)
		}
	}
	var mu sync.Mutex
	var at event.Position
	var got []string
	lost, began := false, 0
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() {
		recorder.RecordReports(ctx, bus.Recording[event.Reported]{
			Durable: "recorder",
			From:    func(context.Context) (event.Position, error) { mu.Lock(); defer mu.Unlock(); return at, nil },
			Began: func(_ context.Context, fresh bool) {
				mu.Lock()
				defer mu.Unlock()
				if fresh {
					began++
				}
			},
			Store: func(_ context.Context, batch []event.Reported, after event.Position) error {
				mu.Lock()
				defer mu.Unlock()
				if lost {
					lost, at, got = false, event.Position{}, nil
					return bus.ErrRewind
				}
				for _, r := range batch {
					got = append(got, r.Request.ID)
					at = after
				}
				return nil
			},
		})
	})
	watched := map[string]bool{}
	wg.Go(func() {
		b.Connect("web").ConsumeReports(ctx, func() {}, func(r event.Reported) { mu.Lock(); watched[r.Request.ID] = true; mu.Unlock() })
	})
	has := func(want ...string) func() bool {
		return func() bool { mu.Lock(); defer mu.Unlock(); return slices.Equal(got, want) }
	}
	all := []string{"alice-0", "alice-1", "alice-2", "alice-3", "alice-4"}
	bustest.Await(t, "five reports", has(all...))
	mu.Lock()
	lost = true
	mu.Unlock()
	bustest.Await(t, "the rewind", func() bool { mu.Lock(); defer mu.Unlock(); return !lost })
	bustest.Await(t, "five reports again", has(all...))

	b.Down()
	b.Wipe()
	b.Up()
	b.Streams()
	bustest.Await(t, "a report on the new bus", func() bool {
		return inspector.PublishReport(ctx, event.Reported{Request: request("alice", 5)}) == nil
	})
	bustest.Await(t, "the sixth", has(append(all, "alice-5")...))
	bustest.Await(t, "the sixth to be seen", func() bool { mu.Lock(); defer mu.Unlock(); return watched["alice-5"] })
	mu.Lock()
	defer mu.Unlock()
	if began != 3 {
		t.Errorf("a new stream was noticed %d times, want 3: at first, after the rewind, after the loss", began)
	}
}

// A page that answered 404 is no good report, although earlier versions published it
// as one.
func TestErrorOfEarlierVersionIsNotGood(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx, cancel := context.WithCancel(testDeadline(t))
	defer cancel()
	web := b.Connect("web")
	old := event.Reported{Request: request("alice", 1), Report: libra.Report{Outcome: libra.Complete, Status: 404}}
	if err := b.Connect("inspector").PublishReport(ctx, old); err != nil {
		t.Fatal(err)
	}
	if got, err := web.LastReport(ctx, old.Request.Page); !errors.Is(err, libra.ErrNotFound) {
		t.Errorf("LastReport = %+v, %v", got.Report, err)
	}
	_ = web.ConsumeReports(ctx, func() {}, func(r event.Reported) { // it ends with ctx
		if r.Report.Outcome != libra.Error || !r.Report.HasReason(libra.CodeHTTPStatus) {
			t.Errorf("consumed %+v", r.Report)
		}
		cancel()
	})
}

// What the bus has lost can be restored, and does not replace what is newer.
func TestRestoreReport(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx := testDeadline(t)
	recorder, web := b.Connect("recorder"), b.Connect("web")
	old := event.Reported{Request: request("alice", 1), Inspector: "old"}
	newer := old
	newer.Request.ID, newer.Inspector = "newer", "new"
	failed := old
	failed.Request.ID, failed.Report.Outcome = "failed", libra.Error
	for _, r := range []event.Reported{newer, old, failed} {
		if err := recorder.RestoreReport(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := web.LastReport(ctx, old.Request.Page); err != nil || got.Inspector != "new" {
		t.Errorf("LastReport = %+v, %v", got, err)
	}
	if got, err := web.LastFailure(ctx, old.Request.Page); err != nil || got.Request.ID != "failed" {
		t.Errorf("LastFailure = %+v, %v", got, err)
	}
}
