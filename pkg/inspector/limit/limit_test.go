package limit_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"libra/pkg/inspector/limit"
)

// slot is a page that is being inspected, as the rule table sees it.
type slot struct {
	*limit.Slot
	begun time.Time
	used  int
}

// table is the rule table of the package comment, line by line.
type table struct {
	limit, used, most int
	decreased         time.Time
}

func (r *table) end(s slot, v limit.Verdict, now time.Time) {
	r.used--
	switch {
	case v == limit.Unknown:
	case v == limit.Waited:
		r.limit = min(r.limit, limit.Start)
	case v == limit.Overloaded && s.begun.Before(r.decreased):
	case v == limit.Overloaded:
		r.limit, r.decreased = max(r.limit/2, limit.Least), now
	case v == limit.Well && s.used < (r.limit+1)/2:
	case v == limit.Well:
		r.limit = min(r.limit+1, r.most)
	}
}

// Whatever happens in whatever order, the limit is that of the rule table, no more
// slots are in use than it was when they were taken, and none is lost.
func TestLimitFollowsItsTable(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		now := time.Unix(0, 0)
		most := 1 + random.IntN(32)
		hosts := limit.NewHosts(most, func() time.Time { return now })
		rule := table{limit: min(limit.Start, most), most: most}
		var taken []slot
		give := func(v limit.Verdict) {
			i := random.IntN(len(taken))
			s := taken[i]
			taken = slices.Delete(taken, i, i+1)
			rule.end(s, v, now)
			s.End(v)
			s.End(limit.Overloaded) // the second has no effect
		}
		full, cancel := context.WithCancel(t.Context())
		cancel() // a full host refuses at once
		for range 400 {
			now = now.Add(time.Duration(random.IntN(3)) * time.Second)
			switch verdict := limit.Verdict(random.IntN(4)); {
			case random.IntN(2) == 0:
				s, err := hosts.Acquire(full, "a.example", 1)
				if (err == nil) != (rule.used < rule.limit) {
					t.Fatalf("seed %d: %d in use of %d: got %v", seed, rule.used, rule.limit, err)
				}
				if err == nil {
					rule.used++
					taken = append(taken, slot{s, now, rule.used})
				}
			case len(taken) > 0:
				give(verdict)
			}
			if got := hosts.Limit("a.example"); got != rule.limit || got < limit.Least || got > most {
				t.Fatalf("seed %d: limit %d, by the table %d", seed, got, rule.limit)
			}
		}
		for len(taken) > 0 {
			give(limit.Unknown)
		}
		for range rule.limit {
			if _, err := hosts.Acquire(full, "a.example", 1); err != nil {
				t.Fatalf("seed %d: a slot was lost: %v", seed, err)
			}
		}
		if _, err := hosts.Acquire(full, "a.example", 1); err == nil {
			t.Fatalf("seed %d: there is one slot too many", seed)
		}
	}
}

// A host that slows down has soon few pages at a time: no more wait for its connections than
// that the first that are late show it.
func TestSlowHostIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const conns = 6
		hosts := limit.NewHosts(32, time.Now)
		var delay atomic.Int64
		delay.Store(int64(200 * time.Millisecond))
		free, ctx := make(chan struct{}, conns), t.Context()
		end := time.Now().Add(time.Minute)
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for time.Now().Before(end) {
					s, err := hosts.Acquire(ctx, "a", 1)
					if err != nil {
						t.Error(err)
						return
					}
					began := time.Now()
					free <- struct{}{}
					waited, took := time.Since(began), time.Duration(delay.Load())
					time.Sleep(took)
					<-free
					s.End(limit.Timed(waited, took))
				}
			})
		}
		time.Sleep(20*time.Second + time.Millisecond)
		if got := hosts.Limit("a"); got < conns || got > 3*conns { // two rounds end before one that had to wait does
			t.Errorf("a limit of %d while the host is fast, want its %d connections, and at most twice as many that wait", got, conns)
		}
		delay.Store(int64(5 * time.Second))
		time.Sleep(30 * time.Second)
		if got := hosts.Limit("a"); got > conns/2 {
			t.Errorf("a limit of %d, 30 s after the host has slowed down", got)
		}
		wg.Wait()
	})
}

// All pages of a round that fail decrease the limit once, also at the maximum.
func TestOneDecreaseARound(t *testing.T) {
	now := time.Unix(0, 0)
	hosts := limit.NewHosts(32, func() time.Time { return now })
	var round []*limit.Slot
	for hosts.Limit("a") < 32 { // one page more at a time raises it
		s, err := hosts.Acquire(t.Context(), "a", 1)
		if err != nil {
			t.Fatal(err)
		}
		round = append(round, s)
		if len(round) >= hosts.Limit("a") {
			for _, s := range round {
				s.End(limit.Well)
			}
			round = nil
		}
	}
	for len(round) < 32 {
		s, err := hosts.Acquire(t.Context(), "a", 1)
		if err != nil {
			t.Fatal(err)
		}
		round = append(round, s)
	}
	for _, s := range round {
		now = now.Add(time.Millisecond)
		s.End(limit.Overloaded)
	}
	if got := hosts.Limit("a"); got != 16 {
		t.Errorf("32 failures of one round leave a limit of %d, want 16", got)
	}
}

// A page that panics, or whose goroutine ends, gives its slot back; those that wait
// are served in turn, and one that stops waiting takes nothing along.
func TestNoSlotIsLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := limit.NewHosts(1, time.Now)
		work := func(ctx context.Context, do func()) error {
			s, err := hosts.Acquire(ctx, "a", 1)
			if err != nil {
				return err
			}
			defer s.End(limit.Unknown)
			do()
			return nil
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			defer func() { _ = recover() }()
			_ = work(t.Context(), func() { time.Sleep(time.Second); panic("page") })
		})
		synctest.Wait()
		wg.Go(func() { _ = work(t.Context(), func() { time.Sleep(time.Second); runtime.Goexit() }) })
		synctest.Wait()
		impatient, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer cancel()
		if err := work(impatient, func() { t.Error("served") }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if n := hosts.Waiting(); n != 1 {
			t.Errorf("%d wait, want the second", n)
		}
		served := false
		if err := work(t.Context(), func() { served = true }); err != nil || !served {
			t.Errorf("the last: %v", err)
		}
		wg.Wait()
	})
}

// Pages that wait are served by their rounds, whenever they came; beyond the bound, the
// last of the latest round is turned away, whosever host it is.
func TestRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hosts := limit.NewHosts(1, time.Now)
		first, err := hosts.Acquire(t.Context(), "a", 1)
		if err != nil {
			t.Fatal(err)
		}
		other, err := hosts.Acquire(t.Context(), "b", 1)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		var served, turnedAway []int64
		wait := func(host string, round int64) {
			wg.Go(func() {
				switch s, err := hosts.Acquire(t.Context(), host, round); {
				case errors.Is(err, limit.ErrCrowded):
					turnedAway = append(turnedAway, round)
				case err != nil:
					t.Error(err)
				default:
					served = append(served, round)
					s.End(limit.Unknown)
				}
			})
			synctest.Wait()
		}
		wait("b", 1000)
		for round := int64(limit.MostWaiting); round > 1; round-- {
			wait("a", round)
		}
		if hosts.Waiting() != limit.MostWaiting || len(turnedAway) != 0 {
			t.Fatalf("%d wait, %d are turned away", hosts.Waiting(), len(turnedAway))
		}
		wait("a", 1)    // instead of that of b
		wait("a", 256)  // it is the last of its round itself
		wait("a", 1000) // likewise
		wait("b", 1)    // instead of the 256 of before
		if want := []int64{1000, 256, 1000, 256}; !slices.Equal(turnedAway, want) {
			t.Errorf("turned away: %d, want %d", turnedAway, want)
		}
		first.End(limit.Unknown)
		synctest.Wait()
		if len(served) != limit.MostWaiting-1 || !slices.IsSorted(served) || served[0] != 1 {
			t.Errorf("served %d: %d", len(served), served)
		}
		if hosts.Waiting() != 1 {
			t.Errorf("%d wait, want that of b", hosts.Waiting())
		}
		other.End(limit.Unknown)
		wg.Wait()
	})
}

// Pages that wait are bounded over all hosts, and a host that is busy keeps no other
// waiting.
func TestWaitingIsBounded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	hosts := limit.NewHosts(1, time.Now)
	if _, err := hosts.Acquire(ctx, "slow", 1); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range limit.MostWaiting {
		wg.Go(func() { _, _ = hosts.Acquire(ctx, "slow", 1) })
	}
	for hosts.Waiting() < limit.MostWaiting {
		runtime.Gosched()
	}
	if _, err := hosts.Acquire(ctx, "slow", 1); !errors.Is(err, limit.ErrCrowded) {
		t.Errorf("got %v, want %v", err, limit.ErrCrowded)
	}
	if s, err := hosts.Acquire(ctx, "other", 1); err != nil {
		t.Errorf("another host: %v", err)
	} else {
		s.End(limit.Well)
	}
	cancel()
	wg.Wait()
	if n := hosts.Waiting(); n != 0 {
		t.Errorf("%d wait after the end", n)
	}
}
