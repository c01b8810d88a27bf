package capacity

import (
	"sync"
	"time"

	"libra/pkg/bus"
	"libra/pkg/meter"
)

// sample is what all components together have counted until a time, since the first
// sample.
type sample struct {
	at    time.Time
	done  [5]float64 // by stage
	spent [5]float64 // seconds
	slots [5]float64 // seconds: of two slots in a second, two
	bus   float64    // seconds in which it had something to store
	cpu   float64    // seconds
	queue bus.Queue
}

// minus is what was counted since an earlier sample.
func (s sample) minus(was sample) sample {
	for i := range s.done {
		s.done[i] -= was.done[i]
		s.spent[i] -= was.spent[i]
		s.slots[i] -= was.slots[i]
	}
	s.cpu -= was.cpu
	s.bus -= was.bus
	return s
}

// per is a figure for each second of the time since an earlier sample.
func per(figure float64, since time.Duration) float64 {
	if since <= 0 {
		return 0
	}
	return figure / since.Seconds()
}

type instance struct{ component, name string }

// Tracker keeps what is known of the last minutes. Its methods may be called
// concurrently.
type Tracker struct {
	mu      sync.Mutex
	last    map[instance]Reading // under mu; of the newest sample
	samples []sample             // under mu; the oldest first, those of Window
	first   sample               // under mu
	idle    *float64             // under mu; cores in use while nothing was inspected, the least
	open    meter.Trend          // under mu; of the open requests
	bytes   meter.Trend          // under mu; of what they take
}

// NewTracker returns a tracker without samples.
func NewTracker() *Tracker {
	// A sample that is taken a little early counts too.
	trend := meter.Trend{Over: Window, Every: Every / 2}
	return &Tracker{open: trend, bytes: trend}
}

// Take takes a sample. An instance that was not there at the last one has counted
// nothing before: what it counts is its own from then on.
func (t *Tracker) Take(at time.Time, readings []Reading, queue bus.Queue) {
	t.mu.Lock()
	defer t.mu.Unlock()
	next, took := sample{at: at, queue: queue}, time.Duration(0)
	if n := len(t.samples); n > 0 {
		was := t.samples[n-1]
		next.done, next.spent, next.slots, next.cpu, next.bus = was.done, was.spent, was.slots, was.cpu, was.bus
		took = at.Sub(was.at)
	}
	last, idle, steady := make(map[instance]Reading, len(readings)), 1.0, len(readings) >= len(t.last)
	for _, r := range readings {
		key := instance{r.Component, r.Instance}
		was, known := t.last[key]
		steady = steady && known && r.Up && r.Started.Equal(was.Started)
		if known {
			next.add(r, was, took)
			idle *= 1 - min(1, per(grown(r, was, anyCounter)/1e6, took))
		}
		last[key] = r
	}
	t.last = last
	// The bus is busy while any component has something to store, each whenever it likes.
	next.bus += (1 - idle) * took.Seconds()
	switch n := len(t.samples); {
	case n == 0:
		t.first = next
	case steady:
		t.noteIdle(next.minus(t.samples[n-1]), took)
	}
	t.open.Add(at, float64(queue.Open))
	t.bytes.Add(at, float64(queue.Bytes))
	t.samples = append(t.samples, next)
	for len(t.samples) > 1 && at.Sub(t.samples[0].at) > Window {
		t.samples = t.samples[1:]
	}
}

// grown is what an instance has counted since its last reading. A process that has
// started since has counted from 0.
func grown(r, was Reading, counter string) float64 {
	now, before := r.Counters[counter], was.Counters[counter]
	if !r.Started.Equal(was.Started) {
		before = 0
	}
	return float64(max(0, now-before))
}

// add adds what an instance has counted since its last reading, some time before.
func (s *sample) add(r, was Reading, took time.Duration) {
	for i, stage := range stages {
		if stage.component == "" || stage.component == r.Component {
			s.done[i] += grown(r, was, stage.done)
			s.spent[i] += grown(r, was, stage.spent) / 1e6
			if r.Up {
				s.slots[i] += float64(max(0, r.Counters[slotsCounter])) * took.Seconds()
			}
		}
	}
	s.cpu += grown(r, was, cpuCounter) / 1e6
}

// noteIdle notes how busy the processors were while nothing was inspected, and no
// component was away or had just started.
func (t *Tracker) noteIdle(grown sample, took time.Duration) {
	if took < Every/2 || grown.done[inspect] > 0 || grown.spent[inspect] > 0 {
		return
	}
	if cores := per(grown.cpu, took); t.idle == nil || cores < *t.idle {
		t.idle = &cores
	}
}
