package bus

import (
	"testing"
	"time"

	"libra/pkg/event"
)

// newRounds are rounds whose flow "a" has been listed with open requests, and free bytes
// before the reserve.
func newRounds(open int, free int64) *rounds {
	r := &rounds{flows: map[string]place{}, storing: map[string]int{}}
	r.list("a", listing{before: r.soFar("a"), open: make([]event.RequestPlace, open), free: free})
	return r
}

// store stores requests of flow "a" one after the other, each of 1,000 bytes, while they
// are known to have room, and returns how many.
func (r *rounds) store(most int) (n int) {
	for ; n < most && r.room("a", r.begin("a")); n++ {
		r.next("a")
		r.end("a", 1000)
	}
	if n < most {
		r.end("a", 0)
	}
	return n
}

// What is stored after a listing is counted, so that no more are admitted without another
// listing than there was room for; those that are being stored are counted, too.
func TestRoomAfterAListing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name           string
		open, inFlight int
		free           int64
		want           int
	}{
		{"none open", 0, 0, 1 << 40, MostOpen},
		{"some open", 100, 0, 1 << 40, MostOpen - 100},
		{"some being stored", 100, 20, 1 << 40, MostOpen - 120},
		{"all open", MostOpen, 0, 1 << 40, 0},
		{"more open than may be", MostOpen + 3, 0, 1 << 40, 0},
		{"in the reserve", 3, 0, -1, reserved - 3},
		{"in the reserve with enough open", reserved, 0, 0, 0},
		{"the reserve begins after 20 of them", 3, 0, 20_000, 20},
	} {
		r := newRounds(c.open, c.free)
		for range c.inFlight {
			r.begin("a")
		}
		if got := r.store(2 * MostOpen); got != c.want {
			t.Errorf("%s: room for %d, want %d", c.name, got, c.want)
		}
		if full := r.full("a", time.Hour); full != (c.inFlight == 0) {
			t.Errorf("%s: full is %t", c.name, full)
		}
	}
}

// What is stored while the bus lists the requests may be missing in the list: it is
// counted beside it.
func TestStoredDuringAListing(t *testing.T) {
	t.Parallel()
	r := newRounds(0, 1<<40)
	before := r.soFar("a")
	if n := r.store(50); n != 50 {
		t.Fatalf("stored %d", n)
	}
	r.list("a", listing{before: before, open: make([]event.RequestPlace, 30), free: 60_000})
	if got := r.store(2 * MostOpen); got != 10 {
		t.Errorf("room for %d, want 10 until the reserve: 50 of 60 are used", got)
	}
}

// A listing is good for a while; nothing is known without one.
func TestListingIsOld(t *testing.T) {
	t.Parallel()
	r := newRounds(MostOpen, 1<<40)
	if r.room("b", 0) || r.full("b", time.Hour) {
		t.Error("a flow that was not listed has room, or is full")
	}
	p := r.flows["a"]
	p.listed, p.open = p.listed.Add(-listedFor), 0
	r.flows["a"] = p
	if r.room("a", 0) || r.full("a", listedFor) {
		t.Error("an old listing is believed")
	}
}

// A forged step of the last round that there is does not end the turns: rounds that are
// served after it still count.
func TestForgedRound(t *testing.T) {
	t.Parallel()
	r := newRounds(0, 1<<40)
	r.begun(5_000_000)
	if got := r.next("a"); got != 5_000_000 {
		t.Errorf("a process that has just started gives round %d, a worker serves 5,000,000", got)
	}
	for range 1000 {
		r.begun(1<<53 - 1)
		for range 2 * perRound {
			r.begun(r.next("a"))
		}
		if a, b := r.next("a"), r.next("b"); b < a-1 {
			t.Fatalf("the next request of a client is in round %d, the first of another one in round %d", a, b)
		}
	}
}
