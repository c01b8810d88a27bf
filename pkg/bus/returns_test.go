package bus_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
)

// A request that a worker gives back is no attempt to another worker either; one that
// is never ended is.
func TestGivenBackIsNoAttempt(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	ctx := testDeadline(t)
	web, second := b.Connect("web"), b.Connect("inspector")
	var firstSlots, secondSlots, back atomic.Int64
	var subscribed atomic.Bool
	var mu sync.Mutex
	attempts := map[string][]int{} // under mu; of the second worker, by request
	firstSlots.Store(3)
	background(t, func(ctx context.Context) error {
		return b.Connect("inspector").Work(ctx, func() int { return int(firstSlots.Load()) }, time.Minute, nil, func(ctx context.Context, j bus.Job) {
			switch j.Request.ID {
			case "alice-1":
				if err := j.Retry(time.Millisecond); err != nil {
					t.Error(err)
				}
				if back.Add(1) == 3 {
					firstSlots.Store(0) // the rest is the second worker's
				}
			case "alice-2": // lost with its worker
			}
		})
	})
	background(t, func(ctx context.Context) error {
		slots := func() int {
			subscribed.Store(true)
			return int(secondSlots.Load())
		}
		return second.Work(ctx, slots, time.Minute, nil, func(ctx context.Context, j bus.Job) {
			mu.Lock()
			attempts[j.Request.ID] = append(attempts[j.Request.ID], j.Attempt)
			mu.Unlock()
			endJob(ctx, t, j)
		})
	})
	bustest.Await(t, "the second to subscribe", func() bool { return subscribed.Load() && second.Ping(ctx) == nil })
	for n := 1; n <= 2; n++ {
		if err := web.Submit(ctx, request("alice", n)); err != nil {
			t.Fatal(err)
		}
	}
	bustest.Await(t, "the first to give it back three times", func() bool { return back.Load() >= 3 })
	secondSlots.Store(2)
	bustest.Await(t, "the second to have both", func() bool { mu.Lock(); defer mu.Unlock(); return len(attempts) == 2 })
	mu.Lock()
	defer mu.Unlock()
	if got := attempts["alice-1"]; len(got) != 1 || got[0] != 1 {
		t.Errorf("given back three times, then attempts %v, want 1", got)
	}
	if got := attempts["alice-2"]; len(got) != 1 || got[0] < 2 {
		t.Errorf("lost with its worker, then attempts %v, want 2", got)
	}
}
