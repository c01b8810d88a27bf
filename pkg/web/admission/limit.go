package admission

import (
	"slices"
	"time"
)

// The constants of a limit.
const (
	// Start is the limit before anything was measured. With Least, one call is prepared,
	// one on its way, one written to the disk of the bus and one answered, also where all
	// is slow because the processor is busy. Most is far beyond what one disk can use.
	Start = 16
	Least = 4
	Most  = 64
	// Window is how long latencies are gathered at least, and Samples how many, before
	// the limit is judged; mostSamples bounds them.
	Window      = 100 * time.Millisecond
	Samples     = 10
	mostSamples = 512
	// Tolerance is how many times the unloaded latency is tolerated: beyond it calls
	// wait for each other.
	Tolerance = 2
	// ProbeEvery is how old the unloaded latency may be, before the limit is one for a
	// window to measure it.
	ProbeEvery = 10 * time.Second
	// ProbeFor is how long that lasts at most: what waits meanwhile does not wait for
	// MostWait, however slow the calls are.
	ProbeFor = MostWait / 2
)

// Limit is how many requests may be worked on at a time (AIMD). After each window it is
// judged by the median of the calls that ended in it:
//
//	the median is                        slots in use at most    limit
//	more than Tolerance times unloaded   any                     half, at least Least
//	no more than that                    all                     one more, at most Most
//	no more than that                    fewer                   as it was
//
// Before that, the median may change the unloaded latency:
//
//	slots in use at most    the median is    unloaded latency
//	one                     any              the median
//	more                    lower            a quarter of the way to the median
//	more                    no lower         as it was
//
// Where no window had one slot in use for ProbeEvery, and after the first window, the next one is a probe: the limit
// is one, and is not judged by it. So also what is slower for good is found. A probe ends after ProbeFor, too, with the
// calls that have ended in it; with none, the unloaded latency is as it was. So no probe outlasts a quiet time.
type Limit struct {
	limit    int
	unloaded time.Duration // 0 before the first window
	latency  time.Duration // median of the newest window

	began   time.Time // of the window
	took    []time.Duration
	most    int       // slots in use at a time, in this window
	probed  time.Time // when the last window with one slot in use ended, or the last probe
	probing bool
	probe   time.Time // when the newest probe began
}

func newLimit(now time.Time) Limit { return Limit{limit: Start, began: now} }

// Now is the limit now.
func (l *Limit) Now() int {
	if l.probing {
		return 1
	}
	return l.limit
}

// used notes that n slots are in use.
func (l *Limit) used(n int) { l.most = max(l.most, n) }

// observe notes how long a call took, with so many slots in use at its end. A probe that
// begins then is to be ended after ProbeFor.
func (l *Limit) observe(took time.Duration, used int, now time.Time) (probe bool) {
	l.used(used)
	if l.probing && len(l.took) == 0 && used > 1 {
		l.began, l.most = now, 0 // those from before the probe have not ended yet
		return false
	}
	if len(l.took) < mostSamples {
		l.took = append(l.took, took)
	}
	if now.Sub(l.began) < Window || len(l.took) < Samples {
		return false
	}
	l.judge(now)
	probe = !l.probing && now.Sub(l.probed) >= ProbeEvery
	l.next(now, used)
	if probe {
		l.probing, l.probe = true, now
	}
	return probe
}

// endProbe ends the probe that began at a time, if it lasts still.
func (l *Limit) endProbe(began time.Time, used int, now time.Time) {
	if !l.probing || !l.probe.Equal(began) {
		return
	}
	if len(l.took) > 0 {
		l.judge(now)
	}
	l.probed = now
	l.next(now, used)
}

// next begins a window.
func (l *Limit) next(now time.Time, used int) {
	l.began, l.took, l.most, l.probing = now, l.took[:0], used, false
}

// judge ends a window.
func (l *Limit) judge(now time.Time) {
	slices.Sort(l.took)
	median := l.took[len(l.took)/2]
	l.latency = median
	switch {
	case l.most <= 1:
		l.unloaded, l.probed = median, now
	case l.unloaded == 0:
		l.unloaded = median
	case median < l.unloaded:
		l.unloaded -= (l.unloaded - median) / 4
	}
	switch {
	case l.probing:
	case median > Tolerance*l.unloaded:
		l.limit = max(l.limit/2, Least)
	case l.most >= l.limit:
		l.limit = min(l.limit+1, Most)
	}
}
