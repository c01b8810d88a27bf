package meter_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"libra/pkg/meter"
)

// What goes on growing is a trend, also where it goes up and down meanwhile. What came at
// once is no trend, whether it stayed or is gone.
func TestTrend(t *testing.T) {
	t.Parallel()
	noise := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name      string
		value     func(second int) float64
		perSecond float64
		within    float64 // of perSecond
	}{
		{"steady growth", func(n int) float64 { return 100 + 2*float64(n) }, 2, 1e-9},
		{"steady growth and noise", func(n int) float64 { return 2*float64(n) + 50*noise.Float64() }, 2, 0.3},
		{"noise", func(int) float64 { return 1000 * noise.Float64() }, 0, 0.5},
		{"nothing happens", func(int) float64 { return 7 }, 0, 0},
		{"shrinks", func(n int) float64 { return 1000 - float64(n) }, -1, 1e-9},
		{"a spike that has drained", func(n int) float64 { return during(n, 240, 295, 2000) }, 0, 0},
		{"a spike that has drained for long", func(n int) float64 { return during(n, 100, 155, 2000) }, 0, 0},
		{"a step a moment ago", func(n int) float64 { return during(n, 295, 999, 2000) }, 0, 0},
		{"a step half a minute ago", func(n int) float64 { return during(n, 270, 999, 2000) }, 0, 0},
		{"a step in the middle", func(n int) float64 { return during(n, 150, 999, 2000) }, 0, 0},
		{"a step down in the middle", func(n int) float64 { return -during(n, 150, 999, 2000) }, 0, 0},
		{"two steps", func(n int) float64 { return during(n, 100, 999, 2000) + during(n, 200, 999, 2000) }, 0, 0},
		{"grew, and has stopped", func(n int) float64 { return float64(min(n, 230)) }, 0, 0},
		{"has begun to grow", func(n int) float64 { return float64(max(0, n-250)) }, 0, 0},
	} {
		trend := meter.Trend{Over: 5 * time.Minute, Every: 5 * time.Second}
		began := time.Unix(1_800_000_000, 0)
		for n := range 301 {
			trend.Add(began.Add(time.Duration(n)*time.Second), c.value(n))
		}
		got, known := trend.Rate()
		if !known || math.Abs(got-c.perSecond) > c.within {
			t.Errorf("%s: %g per second (known: %t), want %g", c.name, got, known, c.perSecond)
		}
		if in, ok := trend.Until(4000); ok != (got > 0) || ok && math.Abs(in.Seconds()-4000/got) > 1e-6 {
			t.Errorf("%s: 4000 more in %s, %t", c.name, in, ok)
		}
	}
}

// during is value from one second until another.
func during(second, from, until int, value float64) float64 {
	if second >= from && second < until {
		return value
	}
	return 0
}

// It takes a minute until there is a trend, and none goes beyond 30 days.
func TestTrendIsNotKnown(t *testing.T) {
	t.Parallel()
	trend := meter.Trend{Over: 5 * time.Minute, Every: 5 * time.Second}
	began := time.Unix(1_800_000_000, 0)
	for n := range 12 {
		trend.Add(began.Add(time.Duration(5*n)*time.Second), float64(n))
		if _, known := trend.Rate(); known {
			t.Errorf("known after %d s", 5*n)
		}
	}
	trend.Add(began.Add(time.Minute), 12)
	if _, known := trend.Rate(); !known {
		t.Error("not known after a minute")
	}
	const month = 30 * 24 * 3600
	if in, ok := trend.Until(0.2 * month); !ok || in < 30*24*time.Hour-time.Minute {
		t.Errorf("a month away: %s, %t", in, ok)
	}
	if _, ok := trend.Until(0.21 * month); ok {
		t.Error("more than a month away is believed")
	}
}
