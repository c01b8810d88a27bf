package inspector

import (
	"testing"
	"time"
)

func TestSlotLimit(t *testing.T) {
	used := int64(10)
	r := newSlotLimit(Config{Workers: 10, Memory: 100})
	r.memory = func() int64 { return used }
	for step, want := range []int{8, 9, 10, 10} {
		if got := r.slots(); got != want {
			t.Errorf("after %d pages the limit is %d, want %d", step, got, want)
		}
		r.ended()
	}
	used = 51
	if r.ended(); r.slots() != assuredSlots {
		t.Errorf("while memory is short the limit is %d, want %d", r.slots(), assuredSlots)
	}
	if few := newSlotLimit(Config{Workers: 2}); few.slots() != 2 {
		t.Errorf("the limit is %d, want 2", few.slots())
	}
}

// However many are given back because too many wait for their hosts, they come back one
// after the other, after a second at the earliest and a minute at the latest.
func TestCrowdComesBackInTurn(t *testing.T) {
	t.Parallel()
	var c crowd
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for n := range 10_000 {
		want := min(time.Second+time.Duration(n)*10*time.Millisecond, time.Minute)
		if got := c.pause(now); got != want {
			t.Fatalf("the %dth comes back after %s, want %s", n, got, want)
		}
	}
	for _, later := range []struct{ after, want time.Duration }{{30 * time.Second, 30*time.Second + 10*time.Millisecond}, {2 * time.Minute, time.Second}} {
		if got := c.pause(now.Add(later.after)); got != later.want {
			t.Errorf("%s later one comes back after %s, want %s", later.after, got, later.want)
		}
	}
}
