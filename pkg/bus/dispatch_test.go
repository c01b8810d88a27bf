package bus

import (
	"testing"
	"time"
)

// A lane that has no request after a wake-up is asked again once, after a moment; one of
// which nothing was said is not, and each wake-up is asked for itself.
func TestMissedLaneIsAskedAgain(t *testing.T) {
	t.Parallel()
	const n = 3
	d := &dispatcher{news: make(chan struct{}, 1)}
	asked := func() bool {
		number, ok := d.lowest()
		if ok && number != n {
			t.Fatalf("lane %d is asked", number)
		}
		return ok
	}
	for range 2 {
		d.wake(n, 7)
		<-d.news
		if !asked() {
			t.Fatal("a lane that was woken is not asked")
		}
		d.miss(n)
		missed := d.lanes[n].missed
		for !asked() {
			d.idle(t.Context())
		}
		if took := time.Since(missed); took < missedAgain {
			t.Errorf("asked again after %s", took)
		}
		if d.miss(n); !d.lanes[n].missed.IsZero() {
			t.Error("asked a third time")
		}
	}
	d.wake(n, unknownRound)
	asked()
	if d.miss(n); !d.lanes[n].missed.IsZero() {
		t.Error("a lane without a wake-up is asked again")
	}
	d.wake(n, 9)
	d.wake(n, 8)
	if asked(); d.lanes[n].round != 8 {
		t.Errorf("woken with rounds 9 and 8 it is %d", d.lanes[n].round)
	}
}
