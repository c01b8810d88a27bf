package bus_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// claimed claims the probe of a host as an inspector of its own.
func claimed(t *testing.T, b *bustest.Bus, host, instance string, longest time.Duration) (end func(), err error) {
	p := event.Probe{Host: host, Inspector: instance, At: time.Now()}
	return b.Connect("inspector").ClaimProbe(t.Context(), p, longest)
}

// Of inspectors that want to probe a host at once, one may; when it is over, or the
// inspector is gone, the next may.
func TestOneProbe(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	const host = "a.example:8080"
	var end atomic.Pointer[func()]
	var won atomic.Int64
	var wg sync.WaitGroup
	for _, name := range []string{"1", "2", "3", "4", "5", "6"} {
		wg.Go(func() {
			mine, err := claimed(t, b, host, name, time.Minute)
			switch {
			case err == nil:
				won.Add(1)
				end.Store(&mine)
			case !errors.Is(err, libra.ErrOpen):
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := won.Load(); n != 1 {
		t.Fatalf("%d probes at a time", n)
	}
	(*end.Load())()
	gone := b.Connect("inspector")
	bustest.Await(t, "the next probe", func() bool {
		_, err := gone.ClaimProbe(t.Context(), event.Probe{Host: host, Inspector: "7"}, time.Minute)
		return err == nil
	})
	gone.Close() // without a word
	began := time.Now()
	bustest.Await(t, "the probe after it", func() bool { _, err := claimed(t, b, host, "8", time.Minute); return err == nil })
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("the claim of an inspector that was gone lasted for %s", took)
	}
}

// A claim lasts for as long as the probe does, and no longer than it may; an inspector
// whose claim has ended ends no other one's.
func TestProbeEndsItsOwnClaim(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	const host = "a.example"
	endFirst, err := claimed(t, b, host, "1", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	var endSecond func()
	bustest.Await(t, "the end of the first claim", func() bool {
		endSecond, err = claimed(t, b, host, "2", time.Minute)
		return err == nil
	})
	endFirst()
	third := b.Connect("inspector")
	claim := func() error {
		_, err := third.ClaimProbe(t.Context(), event.Probe{Host: host, Inspector: "3"}, time.Minute)
		return err
	}
	began := time.Now()
	bustest.Await(t, "more time than a claim lasts", func() bool {
		if err := claim(); !errors.Is(err, libra.ErrOpen) {
			t.Fatalf("beside the second probe, %s after the end of the first: %v", time.Since(began), err)
		}
		return time.Since(began) > 6*time.Second
	})
	endSecond()
	bustest.Await(t, "the third probe", func() bool { return claim() == nil })
}

// A state replaces the one that its sender has seen, and no other; who subscribes gets
// each, who starts later the newest.
func TestHostStates(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	one, two, web := b.Connect("inspector"), b.Connect("inspector"), b.Connect("web")
	if _, seq, err := one.HostOf(t.Context(), "a.example"); !errors.Is(err, libra.ErrNotFound) || seq != 0 {
		t.Errorf("a host that nobody knows: place %d, %v", seq, err)
	}
	var mu sync.Mutex
	var seen, held []string
	note := func(list *[]string, s string) { mu.Lock(); *list = append(*list, s); mu.Unlock() }
	stop, err := two.SubscribeHosts(
		func(h event.Host) { note(&seen, string(h.State)+" by "+h.Inspector) },
		func(h event.Hold) { note(&held, string(h.State)+" by "+h.By) })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	if err := two.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	open := event.Host{Host: "a.example", State: libra.HostOpen, Cause: libra.HostNoAnswer, Inspector: "1", Until: time.Now().Add(time.Second)}
	if _, err := one.PublishHost(t.Context(), open, 0); err != nil {
		t.Fatal(err)
	}
	open.Inspector = "2"
	if _, err := two.PublishHost(t.Context(), open, 0); !errors.Is(err, libra.ErrOpen) {
		t.Errorf("a second inspector that has not seen the first's state: %v", err)
	}
	got, seq, err := two.HostOf(t.Context(), "a.example")
	if err != nil || got.Inspector != "1" {
		t.Fatalf("got %+v, %v", got, err)
	}
	got.State, got.Inspector = libra.HostClosed, "2"
	if _, err := two.PublishHost(t.Context(), got, seq); err != nil {
		t.Error(err)
	}
	hold := event.Hold{Host: "a.example", State: libra.HostOpen, By: "alice", At: time.Now()}
	if err := web.SetHold(t.Context(), hold); err != nil {
		t.Fatal(err)
	}
	if got, err := one.HoldOf(t.Context(), "a.example"); err != nil || got.By != "alice" {
		t.Errorf("got hold %+v, %v", got, err)
	}
	bustest.Await(t, "all states, also the one that was refused, and the hold", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Equal(seen, []string{"open by 1", "open by 2", "closed by 2"}) && slices.Equal(held, []string{"open by alice"})
	})
	ctx, cancel := context.WithCancel(t.Context())
	later := make(chan event.Host, 9)
	ended := make(chan error)
	go func() { ended <- web.ConsumeHosts(ctx, func() {}, func(h event.Host) { later <- h }) }()
	if h := <-later; h.State != libra.HostClosed || h.Inspector != "2" {
		t.Errorf("who starts later gets %+v", h)
	}
	cancel()
	<-ended
}

// Inspectors publish no holds, and web no states.
func TestHostPermissions(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	if err := b.Connect("inspector").SetHold(t.Context(), event.Hold{Host: "a.example", State: libra.HostOpen}); err == nil {
		t.Error("an inspector stored a hold")
	}
	if _, err := b.Connect("web").PublishHost(t.Context(), event.Host{Host: "a.example", State: libra.HostOpen}, 0); err == nil {
		t.Error("web stored the state of a breaker")
	}
}
