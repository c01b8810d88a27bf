package inspector

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"libra/pkg/pressure"
)

var (
	noStall   = pressure.Stall{}
	muchStall = pressure.Stall{Avg10: 95, Avg60: 95}
)

func newPlaces(short pressure.Resource) *places {
	p := &places{log: slog.New(slog.DiscardHandler)}
	switch short {
	case pressure.Memory:
		p.set(muchStall, noStall, time.Now())
	case pressure.CPU:
		p.set(noStall, muchStall, time.Now())
	}
	return p
}

// The lines of the rule table.
func TestPlacesFollowTheirTable(t *testing.T) {
	const many = 1000
	for short, want := range map[pressure.Resource]int{pressure.None: many, pressure.CPU: assuredSlots, pressure.Memory: 1} {
		p := newPlaces(short)
		got := 0
		for range many {
			if p.take() {
				got++
			}
		}
		if got != want {
			t.Errorf("short of %q, %d pages are inspected whole at a time, want %d", short, got, want)
		}
	}
}

// wait has a page of each round wait, in the order given, and returns the order in which
// they get a place.
func (p *places) order(ctx context.Context, rounds ...int64) (got chan int64, failed chan int64) {
	got, failed = make(chan int64, len(rounds)), make(chan int64, len(rounds))
	for _, round := range rounds {
		go func() {
			if p.wait(ctx, round) == nil {
				got <- round
			} else {
				failed <- round
			}
		}()
		synctest.Wait()
	}
	return got, failed
}

// Pages wait in the order of their rounds, and get a place one after the other while the
// host is short; all of them when it is not any more.
func TestPlacesGoToTheLowestRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPlaces(pressure.Memory)
		if !p.take() {
			t.Fatal("the first page has no place")
		}
		got, _ := p.order(t.Context(), 5, 3, 9, 3, 1)
		if p.take() {
			t.Error("a page overtakes those that wait")
		}
		for _, want := range []int64{1, 3, 3} {
			p.leave()
			synctest.Wait()
			if round := <-got; round != want || len(got) > 0 {
				t.Errorf("round %d is next, and %d more; want round %d alone", round, len(got), want)
			}
		}
		if p.take() {
			t.Error("a page overtakes those that wait")
		}
		p.set(pressure.Stall{Avg10: pressure.LeaveMemory}, noStall, time.Now())
		synctest.Wait()
		if len(got) > 0 {
			t.Error("the shortage ends above its threshold")
		}
		p.set(noStall, noStall, time.Now())
		synctest.Wait()
		if len(got) != 2 || p.deferred() != 0 || !p.take() {
			t.Errorf("afterwards %d of 2 have a place, and %d wait", len(got), p.deferred())
		}
	})
}

// Of more pages than may wait, those of the highest rounds are given back.
func TestPlacesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		p := newPlaces(pressure.Memory)
		p.take()
		var rounds []int64
		for n := range mostDeferred {
			rounds = append(rounds, int64(n))
		}
		_, failed := p.order(ctx, rounds...)
		if len(failed) > 0 {
			t.Fatal("not as many may wait as should")
		}
		if err := p.wait(ctx, mostDeferred); !errors.Is(err, errDeferred) {
			t.Errorf("one of a higher round: %v", err)
		}
		p.order(ctx, 0)
		if round := <-failed; round != mostDeferred-1 || p.deferred() != mostDeferred {
			t.Errorf("for one of a low round, one of round %d is given back, and %d wait", round, p.deferred())
		}
		cancel()
		synctest.Wait()
		if p.deferred() != 0 {
			t.Errorf("%d wait although they have ended", p.deferred())
		}
	})
}

// Whatever pages come, wait, give up and end while the shortage comes and goes: never are
// more inspected whole than may be at the time they begin, none waits while a place is
// free, and no place is lost.
func TestPlacesAreNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		chance := rand.New(rand.NewPCG(3, 4))
		p := newPlaces(pressure.Memory)
		type page struct {
			cancel context.CancelFunc
			placed chan bool
		}
		var pages []*page
		placed := 0
		for range 5000 {
			switch chance.IntN(6) {
			case 0, 1:
				if p.take() {
					placed++
				}
			case 2:
				ctx, cancel := context.WithCancel(t.Context())
				one := &page{cancel, make(chan bool, 1)}
				round := chance.Int64N(5)
				go func() { one.placed <- p.wait(ctx, round) == nil }()
				pages = append(pages, one)
			case 3:
				if len(pages) > 0 {
					pages[chance.IntN(len(pages))].cancel()
				}
			case 4:
				if placed > 0 {
					p.leave()
					placed--
				}
			case 5:
				stalls := []pressure.Stall{noStall, {Avg10: 7}, muchStall}
				p.set(stalls[chance.IntN(3)], stalls[chance.IntN(3)], time.Now())
			}
			synctest.Wait()
			pages = slices.DeleteFunc(pages, func(one *page) bool {
				select {
				case got := <-one.placed:
					if got {
						placed++
					}
					one.cancel()
					return true
				default:
					return false
				}
			})
			p.mu.Lock()
			if p.used != placed || len(p.waiting) != len(pages) || len(p.waiting) > 0 && p.used < p.most() {
				t.Fatalf("%d places are in use, %d pages have one; %d wait, %d should; %d may be in use", p.used, placed, len(p.waiting), len(pages), p.most())
			}
			p.mu.Unlock()
		}
		for _, one := range pages {
			one.cancel()
		}
	})
}
