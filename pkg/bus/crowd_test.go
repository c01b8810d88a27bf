package bus_test

import (
	"testing"
	"time"

	"libra/pkg/bus"
)

// However many are given back, they come back one after the other, after a second at the
// earliest and a minute at the latest.
func TestCrowdComesBackInTurn(t *testing.T) {
	t.Parallel()
	c := bus.Crowd{Every: 10 * time.Millisecond, Least: time.Second, Most: time.Minute}
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for n := range 10_000 {
		want := min(time.Second+time.Duration(n)*10*time.Millisecond, time.Minute)
		if got := c.Pause(now); got != want {
			t.Fatalf("the %dth comes back after %s, want %s", n, got, want)
		}
	}
	for _, later := range []struct{ after, want time.Duration }{{30 * time.Second, 30*time.Second + 10*time.Millisecond}, {2 * time.Minute, time.Second}} {
		if got := c.Pause(now.Add(later.after)); got != later.want {
			t.Errorf("%s later one comes back after %s, want %s", later.after, got, later.want)
		}
	}
}
