package meter

import (
	"slices"
	"time"
)

const (
	// recent is for how long something must have grown, and must grow still.
	recent = time.Minute
	// farthest is how far a trend is believed.
	farthest = 30 * 24 * time.Hour
)

// Trend is how a quantity grows, by samples of the last Over, of which it keeps one in
// Every: Over/Every of them at most, and their square is what a look at it costs.
type Trend struct {
	Over, Every time.Duration

	samples []sample // the oldest first
}

type sample struct {
	at    time.Time
	value float64
}

// Add notes what the quantity is now. A sample that comes too soon after the one before
// is left out.
func (t *Trend) Add(now time.Time, value float64) {
	if n := len(t.samples); n > 0 && now.Sub(t.samples[n-1].at) < t.Every {
		return
	}
	t.samples = append(t.samples, sample{now, value})
	for now.Sub(t.samples[0].at) > t.Over {
		t.samples = t.samples[1:]
	}
}

// Rate is by how much it grows per second, negative while it shrinks: the rate of all
// samples, or that of the last minute where that is less; 0 where they disagree. The rate of
// all is that which two thirds of the rates between any two samples exceed, as Theil and Sen
// estimate a slope by the median: what came at once, and then no more, is no trend,
// because fewer than that have it between them, nor is what came and is gone. It is not
// known before there are samples of a minute.
func (t *Trend) Rate() (perSecond float64, known bool) {
	var rates []float64
	var now float64 // since the newest sample that is old enough
	for i, from := range t.samples {
		for _, to := range t.samples[i+1:] {
			rates = append(rates, from.rate(to))
		}
		if last := t.samples[len(t.samples)-1]; last.at.Sub(from.at) >= recent {
			now, known = from.rate(last), true
		}
	}
	if !known {
		return 0, false
	}
	slices.Sort(rates)
	third := len(rates) / 3
	grows, shrinks := rates[third], rates[len(rates)-1-third]
	switch {
	case grows > 0 && now > 0:
		return min(grows, now), true
	case shrinks < 0 && now < 0:
		return max(shrinks, now), true
	}
	return 0, true
}

// Until is how long it takes to grow by so much more; ok is false where it does not grow,
// or where that is more than 30 days away.
func (t *Trend) Until(more float64) (in time.Duration, ok bool) {
	rate, _ := t.Rate()
	if rate <= 0 || more/rate > farthest.Seconds() {
		return 0, false
	}
	return time.Duration(max(0, more) / rate * float64(time.Second)), true
}

// rate is the growth per second from s to a later one.
func (s sample) rate(later sample) float64 {
	return (later.value - s.value) / later.at.Sub(s.at).Seconds()
}
