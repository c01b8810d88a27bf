package admission_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"libra/pkg/web/admission"
)

// disk takes so many calls at a time; the others wait in it, as in a bus that syncs each
// message.
type disk struct {
	at chan struct{}
	d  time.Duration
}

func newDisk(n int, d time.Duration) *disk { return &disk{make(chan struct{}, n), d} }

func (s *disk) store() {
	s.at <- struct{}{}
	time.Sleep(s.d)
	<-s.at
}

// seen is what clients have seen.
type seen struct {
	mu                sync.Mutex
	accepted, refused []time.Duration // under mu
}

// send sends requests of a client at a rate for a time.
func (r *seen) send(t *testing.T, l *admission.Limiter, s *disk, client func(n int) string, every, lasts time.Duration) {
	var wg sync.WaitGroup
	for n := range int(lasts / every) {
		wg.Go(func() {
			began := time.Now()
			slot, err := l.Acquire(t.Context(), client(n))
			if err == nil {
				defer slot.End()
				call := time.Now()
				s.store()
				l.Observe(time.Since(call))
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if err == nil {
				r.accepted = append(r.accepted, time.Since(began))
			} else {
				r.refused = append(r.refused, time.Since(began))
			}
		})
		time.Sleep(every)
	}
	wg.Wait()
}

func p99(d []time.Duration) time.Duration {
	if len(d) == 0 {
		return 0
	}
	d = slices.Sorted(slices.Values(d))
	return d[len(d)*99/100]
}

// At ten times what a disk can do, whatever that is, it does what it can, what is
// admitted does not wait long, and what is refused does not wait at all. Two seconds later all
// is as before.
func TestTenTimesCapacity(t *testing.T) {
	for _, atOnce := range []int{1, 4, 16} {
		t.Run(fmt.Sprint(atOnce), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				each := time.Duration(atOnce) * 2 * time.Millisecond
				l, s := admission.New(time.Now), newDisk(atOnce, each)
				client := func(n int) string { return fmt.Sprint(n % 50) }
				var calm, onset, flood, after seen
				calm.send(t, l, s, client, 10*each, 5*time.Second)
				onset.send(t, l, s, client, each/time.Duration(atOnce)/10, time.Second)
				flood.send(t, l, s, client, each/time.Duration(atOnce)/10, time.Minute)
				time.Sleep(2 * time.Second)
				after.send(t, l, s, client, 10*each, 5*time.Second)
				done, can := len(flood.accepted), int(time.Minute/each)*atOnce
				t.Logf("%d of %d stored, p99 %s; %d refused, p99 %s; %+v", done, can, p99(flood.accepted), len(flood.refused), p99(flood.refused), l.Figures())
				if done < can*8/10 {
					t.Errorf("%d stored, of %d that the disk can", done, can)
				}
				// The limit finds how many the disk takes at a time, but for Least. Tolerance lets as
				// many wait in the disk, and one more; some have waited for their turn before.
				least := time.Duration(max(1, admission.Least/atOnce))
				if most := (least + admission.Tolerance) * p99(calm.accepted) * 3 / 2; p99(flood.accepted) > most {
					t.Errorf("p99 %s of what is admitted, want at most %s", p99(flood.accepted), most)
				}
				if p99(flood.refused) != 0 {
					t.Errorf("p99 %s of what is refused", p99(flood.refused))
				}
				if len(calm.refused)+len(after.refused) > 0 || p99(after.accepted) != each {
					t.Errorf("%d refused before and %d after the flood, p99 %s after", len(calm.refused), len(after.refused), p99(after.accepted))
				}
			})
		})
	}
}

// Beside a client that floods, another one is always admitted, without a long wait.
func TestFloodShutsNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := admission.New(time.Now), newDisk(1, 2*time.Millisecond)
		var greedy, modest seen
		var wg sync.WaitGroup
		wg.Go(func() {
			greedy.send(t, l, s, func(int) string { return "greedy" }, 100*time.Microsecond, 20*time.Second)
		})
		time.Sleep(time.Second)
		modest.send(t, l, s, func(int) string { return "modest" }, 1500*time.Millisecond, 15*time.Second)
		wg.Wait()
		if len(greedy.refused) == 0 {
			t.Error("no flood")
		}
		if len(modest.refused) > 0 || p99(modest.accepted) > 20*time.Millisecond {
			t.Errorf("beside it: %d refused, %v", len(modest.refused), modest.accepted)
		}
	})
}

// As many as may wait are served in turn, also where everything hangs for a while; one
// more is refused, and so is who has waited for MostWait.
func TestWhoWaitsIsServed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := admission.New(time.Now)
		var slots []*admission.Slot
		for range admission.Start {
			s, err := l.Acquire(t.Context(), "a")
			if err != nil {
				t.Fatal(err)
			}
			slots = append(slots, s)
		}
		errs := make(chan error, admission.MostWaiting)
		for range admission.MostWaiting {
			go func() {
				s, err := l.Acquire(t.Context(), "b")
				if err == nil {
					s.End()
				}
				errs <- err
			}()
		}
		synctest.Wait()
		if f := l.Figures(); f.Waiting != admission.MostWaiting || !f.CrowdedSince.IsZero() {
			t.Fatalf("got %+v", f)
		}
		time.Sleep(admission.MostWait - time.Millisecond)
		if !l.Refuses("c") {
			t.Error("one more may wait")
		}
		if _, err := l.Acquire(t.Context(), "c"); !errors.Is(err, admission.ErrCrowded) {
			t.Errorf("one more: %v", err)
		}
		for _, s := range slots[1:] {
			s.End()
		}
		for range admission.MostWaiting {
			if err := <-errs; err != nil {
				t.Fatal(err)
			}
		}
		for range admission.Start - 1 {
			if _, err := l.Acquire(t.Context(), "d"); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(admission.Calm)
		began := time.Now()
		if _, err := l.Acquire(t.Context(), "e"); !errors.Is(err, admission.ErrCrowded) || time.Since(began) != admission.MostWait {
			t.Errorf("%v after %s", err, time.Since(began))
		}
		if f := l.Figures(); f.CrowdedSince.IsZero() || f.Refused != 3 {
			t.Errorf("got %+v", f)
		}
	})
}

// A handler that panics, or whose goroutine ends, gives its slot back, and a request that
// stops waiting takes nothing along.
func TestNoSlotIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := admission.New(time.Now)
		work := func(ctx context.Context, do func()) error {
			s, err := l.Acquire(ctx, "a")
			if err != nil {
				return err
			}
			defer s.End()
			do()
			return nil
		}
		var wg sync.WaitGroup
		for i := range admission.Start {
			wg.Go(func() {
				defer func() { _ = recover() }()
				_ = work(t.Context(), func() {
					time.Sleep(500 * time.Millisecond)
					if i%2 == 0 {
						panic("handler")
					}
					runtime.Goexit()
				})
			})
		}
		synctest.Wait()
		impatient, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		if err := work(impatient, func() { t.Error("served") }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if err := work(t.Context(), func() {}); err != nil {
			t.Errorf("the one that waited: %v", err)
		}
		wg.Wait()
		if f := l.Figures(); f.Used != 0 || f.Waiting != 0 || f.Refused != 0 {
			t.Errorf("got %+v", f)
		}
	})
}

// A disk that is slower for good is not taken for a crowd for good.
func TestEverythingIsSlower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := admission.New(time.Now), newDisk(8, time.Millisecond)
		client := func(n int) string { return fmt.Sprint(n % 50) }
		var fast, slow seen
		fast.send(t, l, s, client, 100*time.Microsecond, 20*time.Second)
		s.d = 20 * time.Millisecond
		slow.send(t, l, s, client, time.Millisecond, 20*time.Second)
		f := l.Figures()
		if f.Unloaded < s.d/2 || f.Limit < 8 {
			t.Errorf("got %+v, want the limit of a disk that takes 8 at a time for %s each", f, s.d)
		}
	})
}

// A probe is no reason to refuse anybody: where each call takes long, and a few at a
// time are nothing, all are admitted, for as long as it goes on. What they take
// while few are in progress is known.
func TestProbeRefusesNobody(t *testing.T) {
	for _, each := range []time.Duration{10 * time.Millisecond, 150 * time.Millisecond, 400 * time.Millisecond, 900 * time.Millisecond} {
		t.Run(each.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, s := admission.New(time.Now), newDisk(64, each)
				var seen seen
				seen.send(t, l, s, func(n int) string { return fmt.Sprint(n % 50) }, each/6, time.Minute)
				if f := l.Figures(); len(seen.refused) > 0 || f.Unloaded != each || f.Limit < admission.Start {
					t.Errorf("%d of %d refused, %+v", len(seen.refused), len(seen.refused)+len(seen.accepted), f)
				}
			})
		})
	}
}

// A probe does not outlast the calls: after a quiet night as many are admitted at once as
// before it.
func TestProbeEndsInAQuietNight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, s := admission.New(time.Now), newDisk(64, 10*time.Millisecond)
		var calls seen
		for l.Figures().Limit != 1 {
			calls.send(t, l, s, func(int) string { return "a" }, time.Millisecond, 10*time.Millisecond)
		}
		time.Sleep(8 * time.Hour)
		for range admission.Start {
			if _, err := l.Acquire(canceled(t), "a"); err != nil {
				t.Fatalf("%v, %+v", err, l.Figures())
			}
		}
	})
}

// However many clients there are, few are remembered.
func TestClientsAreBounded(t *testing.T) {
	l := admission.New(time.Now)
	for n := range 5000 {
		s, err := l.Acquire(t.Context(), fmt.Sprint(n))
		if err != nil {
			t.Fatal(err)
		}
		s.End()
		if got := l.Clients(); got > 1024 {
			t.Fatalf("%d clients are remembered", got)
		}
	}
}
