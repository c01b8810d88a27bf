package meter_test

import (
	"testing"
	"testing/synctest"
	"time"

	"libra/pkg/meter"
)

// The time of everything in progress is added up while it lasts, of two at once twice, and
// that in which there was any.
func TestSpent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var m meter.Meter
		for _, step := range []struct {
			name string
			do   func()
			want time.Duration // spent
			any  time.Duration
		}{
			{"nothing", func() { time.Sleep(time.Hour) }, 0, 0},
			{"one", func() { defer m.Begin()(); time.Sleep(3 * time.Second) }, 3 * time.Second, 3 * time.Second},
			{"nothing after it", func() { time.Sleep(time.Hour) }, 3 * time.Second, 3 * time.Second},
			{"two at once, for a second of the three and of the two", func() {
				first := m.Begin()
				time.Sleep(2 * time.Second)
				second := m.Begin()
				time.Sleep(time.Second)
				first()
				first() // has no effect
				time.Sleep(time.Second)
				second()
			}, 8 * time.Second, 7 * time.Second},
			{"one that has not ended", func() { m.Begin(); time.Sleep(time.Second) }, 9 * time.Second, 8 * time.Second},
		} {
			step.do()
			if got := m.Spent(); got != step.want.Microseconds() {
				t.Errorf("%s: %d µs spent, want %s", step.name, got, step.want)
			}
			if got := m.Any(); got != step.any.Microseconds() {
				t.Errorf("%s: %d µs with any, want %s", step.name, got, step.any)
			}
		}
	})
}
