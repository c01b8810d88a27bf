package bus_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
)

// Components collect while somebody looks, and not before or afterwards; what one sends
// has a sample for every number.
func TestLookedAt(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	web, inspector := b.Connect("web"), b.Connect("inspector")
	var mu sync.Mutex
	var got []event.Sample
	stop, err := web.SubscribeSamples(func(s event.Samples) {
		mu.Lock()
		defer mu.Unlock()
		if s.Component != "libra-inspector" || s.Instance != "1" || len(s.Samples) > event.MostSamples {
			t.Errorf("samples: %+v", s)
		}
		got = append(got, s.Samples...)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()

	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	var cpu atomic.Int64
	var asked atomic.Int64
	usage := bus.Usage{
		CPU:      func() time.Duration { asked.Add(1); return time.Duration(cpu.Add(int64(time.Millisecond))) },
		Resident: func() int64 { return 7 },
	}
	var running atomic.Int64
	wg.Go(func() { inspector.PublishSamples(ctx, "libra-inspector", "1", usage) })
	wg.Go(func() {
		inspector.WhileLooked(ctx, func(ctx context.Context) { running.Add(1); <-ctx.Done(); running.Add(-1) })
	})
	if err := inspector.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	if asked.Load() != 0 || running.Load() != 0 {
		t.Error("it collects before anybody looks")
	}
	bustest.Await(t, "samples of a second", func() bool {
		web.PublishLook()
		mu.Lock()
		defer mu.Unlock()
		return len(got) >= 10 && running.Load() == 1
	})
	bustest.Await(t, "the end of it", func() bool { return running.Load() == 0 })
	mu.Lock()
	defer mu.Unlock()
	for i, s := range got {
		if s.CPUUS != 1000 || s.Resident != 7 || s.Took < 1 || s.TookUS <= 0 {
			t.Errorf("sample %d: %+v", i, s)
		}
		if i > 0 && s.Number != got[i-1].Number+s.Took {
			t.Errorf("sample %d has number %d, the one before %d, and it took %d", i, s.Number, got[i-1].Number, s.Took)
		}
	}
}
