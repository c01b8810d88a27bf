// Package live keeps what the live view shows: figures of the last minute at ten samples
// a second, and the inspections in progress, while somebody looks. It knows neither bus nor
// HTTP. When nobody has looked for a while, all of it goes.
package live

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"libra/pkg/event"
)

// What is kept, and for how long.
const (
	// Every is the time of a sample.
	Every = event.SampleEvery
	// Window is how long one is kept.
	Window = time.Minute
	// Looked is for how long somebody who has looked counts as looking.
	Looked = event.LookedFor

	// settled is after what time a sample is shown: all components have sent theirs.
	settled = 12 * Every
	// mostAhead is how far the samples of components may be ahead of what Take has ended: they
	// are sent at the end of theirs, to the millisecond.
	mostAhead      = 5
	mostSamples    = int64(Window / Every)
	mostInspectors = 32
	mostResident   = 1 << 50 // of a process
	// silent is after what time an inspector that has sent nothing counts no more.
	silent = 2500 * time.Millisecond
)

// Sample is what happened in one Every.
type Sample struct {
	Number int64 `json:"number"` // counts up by one: Unix time in units of Every
	// Inspections that were reported, by their outcome.
	Succeeded int `json:"succeeded"`
	Failed    int `json:"failed"`
	// CPU is in cores and Memory resident bytes, by Doc.Components, of all instances
	// together. A process that has sent no sample has none.
	CPU    []float64 `json:"cpu"`
	Memory []int64   `json:"memory"`
	Queue
}

// Queue is what libra-web itself counts at the end of a sample.
type Queue struct {
	Open        int     `json:"open_requests"`
	OldestS     float64 `json:"oldest_s"` // age of the oldest of them
	Connections int     `json:"connections"`
}

// Row is an inspection in progress.
type Row struct {
	event.Inspection
	Inspector string  `json:"inspector"`
	AgeS      float64 `json:"age_s"`
}

// Doc is what GET /api/live answers.
type Doc struct {
	Now        time.Time `json:"now"`
	Since      time.Time `json:"since"` // when collecting began
	EveryMS    int64     `json:"every_ms"`
	Cores      int       `json:"cores"`
	Components []string  `json:"components"`
	Samples    []Sample  `json:"samples"` // the oldest first; never null
	Next       int64     `json:"next"`    // the number of the next sample
	Running    []Row     `json:"running"` // those that use most CPU, then the oldest first; never null
	Count      int       `json:"running_count"`
	// Inspectors are those that say what they have in progress.
	Inspectors []string `json:"inspectors"`
}

// View is all of it. Its methods may be called concurrently.
type View struct {
	components []string
	cores      int
	wake       chan struct{} // of one: somebody looks

	mu        sync.Mutex
	lookedAt  time.Time           // under mu
	since     time.Time           // under mu; zero while nothing is collected
	samples   []Sample            // under mu; the oldest first, without gaps, about mostSamples at most
	taken     int64               // under mu; the number of the last one that Take has ended
	succeeded int                 // under mu; since the last sample
	failed    int                 // under mu
	running   map[string]received // under mu; by inspector, mostInspectors at most
}

// received is a message of an inspector, by our clock.
type received struct {
	event.Running
	seen time.Time
}

// New returns a view of components, which it lists in that order, on a host with so many
// cores.
func New(components []string, cores int) *View {
	return &View{components: components, cores: cores, wake: make(chan struct{}, 1)}
}

// Look notes that somebody looks now.
func (v *View) Look(now time.Time) {
	v.mu.Lock()
	v.lookedAt = now
	v.mu.Unlock()
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// Wake has a value when somebody has looked.
func (v *View) Wake() <-chan struct{} { return v.wake }

// Looking reports whether somebody looks.
func (v *View) Looking(now time.Time) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return now.Sub(v.lookedAt) < Looked
}

// Begin begins to collect.
func (v *View) Begin(now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.since, v.samples, v.running, v.succeeded, v.failed = now, nil, map[string]received{}, 0, 0
}

// Rest drops everything, as nobody looks any more.
func (v *View) Rest() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.since, v.samples, v.running = time.Time{}, nil, nil
}

// Reported counts an inspection that was reported: it is not in progress any more.
func (v *View) Reported(request string, failed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, r := range v.running {
		for i := range r.Inspections {
			if r.Inspections[i].Request == request {
				r.Inspections[i].Request = ""
			}
		}
	}
	if failed {
		v.failed++
	} else {
		v.succeeded++
	}
}

// Take ends the samples until now, with what libra-web counts. Of several, as after this
// process was stopped, all but the last have nothing but that.
func (v *View) Take(q Queue, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.since.IsZero() {
		return
	}
	to := event.SampleAt(now)
	if len(v.samples) == 0 || to-v.taken >= mostSamples || to < v.taken { // the first, or the clock was set
		v.samples, v.taken = nil, to-1
	}
	v.extend(to)
	for i := range v.samples {
		s := &v.samples[i]
		if s.Number > v.taken && s.Number <= to {
			s.Queue = q
		}
		if s.Number == to {
			s.Succeeded, s.Failed = s.Succeeded+v.succeeded, s.Failed+v.failed
			v.succeeded, v.failed = 0, 0
		}
	}
	v.taken = to
	if more := int64(len(v.samples)) - mostSamples; more > 0 {
		v.samples = slices.Delete(v.samples, 0, int(more))
	}
	for name, r := range v.running {
		if now.Sub(r.seen) > silent {
			delete(v.running, name)
		}
	}
}

// extend begins the samples up to a number. v.mu is held.
func (v *View) extend(to int64) {
	next := to
	if n := len(v.samples); n > 0 {
		next = v.samples[n-1].Number + 1
	}
	for ; next <= to; next++ {
		v.samples = append(v.samples, Sample{Number: next, CPU: make([]float64, len(v.components)), Memory: make([]int64, len(v.components))})
	}
}

// Samples takes what a process says that it has used. What is of another time than those
// that are kept is dropped.
func (v *View) Samples(s event.Samples) {
	v.mu.Lock()
	defer v.mu.Unlock()
	at := slices.Index(v.components, s.Component)
	if at < 0 {
		return
	}
	for _, one := range s.Samples[:min(len(s.Samples), event.MostSamples)] {
		if len(v.samples) == 0 || one.TookUS <= 0 {
			return
		}
		if one.Number <= v.taken+mostAhead {
			v.extend(one.Number)
		}
		first := v.samples[0].Number
		for n := max(first, one.Number-one.Took+1); n <= min(one.Number, first+int64(len(v.samples))-1); n++ {
			v.samples[n-first].CPU[at] += max(0, float64(one.CPUUS)/float64(one.TookUS))
			v.samples[n-first].Memory[at] += min(max(0, one.Resident), mostResident)
		}
	}
}

// Running takes what an inspector has in progress.
func (v *View) Running(r event.Running, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if _, known := v.running[r.Inspector]; v.since.IsZero() || !known && len(v.running) >= mostInspectors {
		return
	}
	r.Inspections = slices.Clone(r.Inspections[:min(len(r.Inspections), event.MostRunning)]) // a forged message may have many
	v.running[r.Inspector] = received{r, now}
}

// Doc is everything with samples from a number on.
func (v *View) Doc(from int64, now time.Time) Doc {
	v.mu.Lock()
	defer v.mu.Unlock()
	d := Doc{Now: now.UTC(), Since: v.since.UTC(), EveryMS: Every.Milliseconds(), Cores: v.cores, Components: v.components, Samples: []Sample{}, Next: max(from, 0), Running: []Row{}, Inspectors: []string{}}
	if v.since.IsZero() {
		d.Since = now.UTC()
	}
	last := event.SampleAt(now.Add(-settled))
	if from > last+1 { // the clock was set back, or the number is made up
		from, d.Next = 0, 0
	}
	for _, s := range v.samples {
		if s.Number >= from && s.Number <= last {
			s.CPU, s.Memory = slices.Clone(s.CPU), slices.Clone(s.Memory) // a late message adds to them
			d.Samples = append(d.Samples, s)
			d.Next = s.Number + 1
		}
	}
	for name, r := range v.running {
		d.Count += r.Count
		d.Inspectors = append(d.Inspectors, name)
		for _, i := range r.Inspections {
			if i.Request == "" { // it was reported
				d.Count--
				continue
			}
			d.Running = append(d.Running, Row{i, name, max(0, now.Sub(i.Since).Seconds())})
		}
	}
	slices.Sort(d.Inspectors)
	slices.SortFunc(d.Running, func(a, b Row) int {
		return cmp.Or(cmp.Compare(b.CPUMS, a.CPUMS), a.Since.Compare(b.Since), cmp.Compare(a.Request, b.Request))
	})
	return d
}

// Find is an inspection in progress.
func (v *View) Find(request string) (Row, bool) {
	for _, r := range v.Doc(0, time.Now()).Running {
		if r.Request == request {
			return r, true
		}
	}
	return Row{}, false
}
