package bus_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
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

// The journal's reader is asked, one question at a time.
func TestJournal(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	web, watchdog := b.Connect("web"), b.Connect("watchdog")
	ask := event.JournalAsk{Request: "r1", Since: time.Unix(7, 0).UTC(), Until: time.Now().Add(time.Hour)}
	if _, err := web.AskJournal(t.Context(), ask); !errors.Is(err, libra.ErrUnavailable) {
		t.Errorf("without a reader: %v", err)
	}
	var reading, most atomic.Int64
	stop, err := watchdog.ServeJournal(t.Context(), func(_ context.Context, got event.JournalAsk) event.Journal {
		most.Store(max(most.Load(), reading.Add(1)))
		defer reading.Add(-1)
		return event.Journal{Request: got.Request, Lines: []string{got.Since.String()}}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	bustest.Await(t, "an answer", func() bool {
		got, err := web.AskJournal(t.Context(), ask)
		return err == nil && got.Request == "r1" && len(got.Lines) == 1 && got.Lines[0] == ask.Since.String()
	})
	late := ask
	late.Until = time.Now().Add(-time.Second)
	if got, err := web.AskJournal(t.Context(), late); err == nil {
		t.Errorf("a question that nobody waits for is answered: %+v", got)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := web.AskJournal(t.Context(), ask); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if most.Load() != 1 {
		t.Errorf("%d at a time", most.Load())
	}
}
