package watchdog

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"libra/pkg/event"
)

// beats remembers who was heard when. Silence counts only while we could have
// heard: not while the bus was away, nor while we stood still ourselves.
type beats struct {
	interval time.Duration

	mu      sync.Mutex
	silence time.Duration  // under mu
	ears    map[Target]ear // under mu
	// proof is when the bus last showed that it carries messages: under mu.
	// Silence since then may be the bus's own.
	proof time.Time
	since time.Time // under mu; silence of those without an ear counts from here
	away  bool      // under mu; the bus is
	round time.Time // under mu; when we last looked
}

// ear is for one target.
type ear struct {
	from  time.Time // its silence counts from here
	fresh bool      // from is a beat of this process's time
	beat  event.Heartbeat
	// starts of the component, by its own account, oldest first.
	starts []time.Time
}

// silent is how long a target had been silent when its counters were kept.
type silent struct {
	Target Target        `json:"target"`
	For    time.Duration `json:"for"`
	Starts []time.Time   `json:"starts"`
}

func newBeats(cfg Config) *beats {
	return &beats{interval: cfg.Interval, silence: cfg.Heartbeat, ears: map[Target]ear{}}
}

func (b *beats) hear(beat event.Heartbeat) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.proof = time.Now()
	for _, t := range []Target{{beat.Component, beat.Instance}, {beat.Component, ""}} {
		e := b.ears[t]
		e.from, e.fresh, e.beat = time.Now(), true, beat
		if !slices.ContainsFunc(e.starts, beat.Started.Equal) {
			e.starts = append(e.starts, beat.Started)
			if len(e.starts) > mostStarts {
				e.starts = slices.Delete(e.starts, 0, 1)
			}
		}
		b.ears[t] = e
	}
}

// mostStarts bounds what is remembered of a crash loop.
const mostStarts = 100

// start begins to listen at now. What an earlier process had heard is taken
// over as if the time between had not been.
func (b *beats) start(now time.Time, earlier []silent) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.since, b.round = now, now
	for _, s := range earlier {
		if _, ok := b.ears[s.Target]; !ok {
			b.ears[s.Target] = ear{from: now.Add(-s.For), starts: s.Starts}
		}
	}
}

// silences lists the targets for the next process.
func (b *beats) silences(now time.Time, targets []Target) []silent {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []silent
	for _, t := range targets {
		from := b.since
		if e, ok := b.ears[t]; ok {
			from = e.from
		}
		all = append(all, silent{t, now.Sub(from), b.ears[t].starts})
	}
	return all
}

// bus says whether the bus is there. When it comes back, silence counts anew.
func (b *beats) bus(there bool, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if there && b.away {
		b.anew(now)
	}
	if b.away = !there; there {
		b.proof = now
	}
}

// anew is called with mu held.
func (b *beats) anew(now time.Time) {
	b.since = now
	for t, e := range b.ears {
		e.from, e.fresh = now, false
		b.ears[t] = e
	}
}

// read judges one heart.
func (b *beats) read(p *probe, t Target) Reading {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if now.Sub(b.round) > b.interval+held {
		b.anew(now)
	}
	b.round = now
	if b.away {
		return Reading{Evidence: "the bus is away: silence says nothing"}
	}
	e, ok := b.ears[t]
	if !ok {
		e.from = b.since
	}
	quiet := now.Sub(e.from).Round(100 * time.Millisecond)
	switch {
	case quiet <= b.silence && e.fresh:
		return Reading{Verdict: Pass}
	case quiet <= b.silence:
		return Reading{Evidence: fmt.Sprintf("not heard yet, for %s", quiet)}
	case b.proof.Sub(e.from) <= b.silence*3/5 && quiet <= b.silence+doubt:
		return Reading{Evidence: fmt.Sprintf("not heard for %s, but neither was the bus", quiet)}
	case e.beat.PID != 0:
		return p.explained("no beat for %s, limit %s; the last was of process %d: %q", quiet, b.silence, e.beat.PID, e.beat.Status)
	}
	return p.explained("no beat for %s, limit %s", quiet, b.silence)
}

// doubt is for how long the silence of everybody may be the bus's, before the
// bus has an alarm of its own.
const doubt = 2 * time.Second

// canHear says whether a component's beats come.
func (b *beats) canHear(component string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.ears[Target{component, ""}]
	return ok && e.fresh && !b.away && time.Since(e.from) <= b.silence
}

// troubles lists what the components that can be heard name.
func (b *beats) troubles() (all []named) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for t, e := range b.ears {
		if t.Instance != "" && e.fresh && !b.away && time.Since(e.from) <= b.silence {
			for _, trouble := range e.beat.Troubles {
				all = append(all, named{trouble, t.Component})
			}
		}
	}
	slices.SortFunc(all, func(a, b named) int { return strings.Compare(a.ID+" "+a.component, b.ID+" "+b.component) })
	return all
}

// readStarts judges how often a component was started, by its own account or
// by systemd's, which knows of those that never came to speak, too.
func (b *beats) readStarts(p *probe, t Target, most, restarts int, window time.Duration) Reading {
	b.mu.Lock()
	defer b.mu.Unlock()
	e, ok := b.ears[t]
	now, recent := time.Now(), 0
	for _, at := range e.starts {
		if now.Sub(at) < window {
			recent++
		}
	}
	switch {
	case restarts >= most && restarts >= recent:
		return p.fail("systemd started it again %d times within %s, limit %d", restarts, window, most)
	case recent >= most:
		return p.fail("started %d times within %s, limit %d; now process %d", recent, window, most, e.beat.PID)
	case !ok:
		return Reading{Evidence: "not heard yet"}
	}
	return Reading{Verdict: Pass}
}

// counter is a component's own word for what is wrong with it. heard is false
// where it is silent, which another alarm is about.
func (b *beats) counter(t Target, name string) (value int64, status string, heard bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	e := b.ears[t]
	value, ok := e.beat.Counters[name]
	return value, e.beat.Status, ok && e.fresh && !b.away && time.Since(e.from) <= b.silence
}

// readSince judges a counter that says since when something is wrong, in unix
// time; 0 is never.
func (b *beats) readSince(p *probe, t Target, counter string, limit time.Duration) Reading {
	unix, status, heard := b.counter(t, counter)
	if !heard {
		return Reading{Evidence: "not heard"}
	}
	since := time.Unix(unix, 0).UTC()
	if unix == 0 || time.Since(since) <= limit {
		return Reading{Verdict: Pass}
	}
	return p.explained("since %s, limit %s; %s", since.Format("2 Jan 15:04:05 UTC"), limit, status)
}

// patience changes how long silence may last.
func (b *beats) patience(silence time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.silence = silence
}
