package watchdog

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// heartbeats holds when each target sent its last heartbeat. Silence counts only
// while heartbeats could arrive: not while the bus was away, nor while this
// process stood still.
//
// A component chooses the name of its instance and what its heartbeats hold: targets
// that are not expected have a place while there is room, and of a large heartbeat
// only who sends it is kept. All of it takes 8 MB at most.
type heartbeats struct {
	interval time.Duration
	expected []Target

	mu    sync.Mutex
	limit time.Duration       // under mu
	seen  map[Target]lastSeen // under mu
	// busSeen is when the bus last carried a message: under mu. Silence since then
	// may be the fault of the bus.
	busSeen   time.Time
	startedAt time.Time // under mu; the silence of targets not yet seen counts from here
	busAway   bool      // under mu
	lookedAt  time.Time // under mu; when read was last called
}

// lastSeen is what is known of one target.
type lastSeen struct {
	silentSince time.Time // when its silence began to count
	received    bool      // silentSince is that of a heartbeat received by this process
	heartbeat   event.Heartbeat
	// starts of the component, as its heartbeats have them, oldest first.
	starts []time.Time
}

// savedSilence is how long a target had been silent when counters were saved.
type savedSilence struct {
	Target Target        `json:"target"`
	For    time.Duration `json:"for"`
	Starts []time.Time   `json:"starts"`
}

func newHeartbeats(cfg Config) *heartbeats {
	return &heartbeats{interval: cfg.Interval, expected: cfg.Expect, limit: cfg.Heartbeat, seen: map[Target]lastSeen{}}
}

func (h *heartbeats) receive(hb event.Heartbeat) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.busSeen = time.Now()
	if len(hb.Component)+len(hb.Instance) > mostName {
		return
	}
	if textOf(hb) > mostHeartbeat {
		hb = event.Heartbeat{Component: hb.Component, Instance: hb.Instance, PID: hb.PID, Started: hb.Started, At: hb.At, EveryMS: hb.EveryMS}
	}
	for _, t := range []Target{{hb.Component, hb.Instance}, {hb.Component, ""}} {
		e, known := h.seen[t]
		if !known && !h.makeRoom(t) {
			continue
		}
		e.silentSince, e.received, e.heartbeat = time.Now(), true, hb
		if !slices.ContainsFunc(e.starts, hb.Started.Equal) {
			e.starts = append(e.starts, hb.Started)
			if len(e.starts) > mostStarts {
				e.starts = slices.Delete(e.starts, 0, 1)
			}
		}
		h.seen[t] = e
	}
}

// Bounds on the heartbeats in memory.
const (
	mostTargets   = 256
	mostHeartbeat = 32_000 // bytes of texts
	mostName      = 128    // bytes
	// replaceable is for how long a target is silent before another one may take its
	// place.
	replaceable = 5 * time.Second
)

// makeRoom reports whether there is room for a target that was not seen yet: a target
// that is expected takes the place of any that is not, others that of one that is
// silent. Callers hold mu.
func (h *heartbeats) makeRoom(t Target) bool {
	if len(h.seen) < mostTargets {
		return true
	}
	var oldest Target
	found := false
	for o, e := range h.seen {
		if h.expects(o) || !h.expects(t) && time.Since(e.silentSince) <= replaceable {
			continue
		}
		if !found || e.silentSince.Before(h.seen[oldest].silentSince) {
			oldest, found = o, true
		}
	}
	if found {
		delete(h.seen, oldest)
	}
	return found
}

// expects reports whether a target, or any instance of the component, is expected.
func (h *heartbeats) expects(t Target) bool {
	return slices.ContainsFunc(h.expected, func(e Target) bool {
		return e.Component == t.Component && (t.Instance == "" || t.Instance == e.Instance || e.Instance == "" && t.Instance == "1")
	})
}

// textOf is how many bytes of text a heartbeat has.
func textOf(hb event.Heartbeat) int {
	n := len(hb.Version) + len(hb.Status)
	for name := range hb.Counters {
		n += len(name) + 16
	}
	for _, t := range hb.Troubles {
		n += len(t.ID) + len(t.Target) + len(t.Summary) + len(t.Evidence) + len(t.Severity) + len(t.Runbook)
	}
	for _, r := range hb.Details {
		n += len(r.Code) + len(r.Text) + len(r.Remedy)
	}
	return n
}

// mostStarts bounds the starts that are remembered of a crash loop.
const mostStarts = 100

// start begins to count silence at now. What an earlier process had saved goes on
// as if no time had passed between the two.
func (h *heartbeats) start(now time.Time, earlier []savedSilence) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.startedAt, h.lookedAt = now, now
	for _, s := range earlier {
		if _, ok := h.seen[s.Target]; !ok {
			h.seen[s.Target] = lastSeen{silentSince: now.Add(-s.For), starts: s.Starts}
		}
	}
}

// saved lists the silence of the targets, for the next process.
func (h *heartbeats) saved(now time.Time, targets []Target) []savedSilence {
	h.mu.Lock()
	defer h.mu.Unlock()
	var all []savedSilence
	for _, t := range targets {
		from := h.startedAt
		if e, ok := h.seen[t]; ok {
			from = e.silentSince
		}
		all = append(all, savedSilence{t, now.Sub(from), h.seen[t].starts})
	}
	return all
}

// setBus notes whether the bus answers. When it is back, silence counts from then.
func (h *heartbeats) setBus(there bool, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if there && h.busAway {
		h.restart(now)
	}
	if h.busAway = !there; there {
		h.busSeen = now
	}
}

// restart counts all silence from now. Callers hold mu.
func (h *heartbeats) restart(now time.Time) {
	h.startedAt = now
	for t, e := range h.seen {
		e.silentSince, e.received = now, false
		h.seen[t] = e
	}
}

// read judges the heartbeats of one target.
func (h *heartbeats) read(p *probe, t Target) Reading {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if now.Sub(h.lookedAt) > h.interval+stoodStill {
		h.restart(now)
	}
	h.lookedAt = now
	if h.busAway {
		return Reading{Evidence: "the bus is away: no heartbeat can arrive"}
	}
	e, ok := h.seen[t]
	if !ok {
		e.silentSince = h.startedAt
	}
	quiet := now.Sub(e.silentSince).Round(100 * time.Millisecond)
	since, limit := libra.FormatDurationBoth(quiet, h.limit)
	switch {
	case quiet <= h.limit && e.received:
		return Reading{Verdict: Pass}
	case quiet <= h.limit:
		return Reading{Evidence: fmt.Sprintf("no heartbeat yet, for %s", since)}
	case h.busSeen.Sub(e.silentSince) <= h.limit*3/5 && quiet <= h.limit+busGrace:
		return Reading{Evidence: fmt.Sprintf("no heartbeat for %s, but none of the bus either", since)}
	case e.heartbeat.PID != 0:
		return p.failByBus("no heartbeat for %s, limit %s; the last was of process %d: %q", since, limit, e.heartbeat.PID, e.heartbeat.Status)
	}
	return p.failByBus("no heartbeat for %s, limit %s", since, limit)
}

// busGrace is for how long the silence of all targets may be the fault of the
// bus, before the bus has an alarm of its own.
const busGrace = 2 * time.Second

// arriving reports whether a component's heartbeats arrive.
func (h *heartbeats) arriving(component string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	e, ok := h.seen[Target{component, ""}]
	return ok && e.received && !h.busAway && time.Since(e.silentSince) <= h.limit
}

// troubles lists the troubles that components name in heartbeats that arrive.
func (h *heartbeats) troubles() (all []namedTrouble) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for t, e := range h.seen {
		if t.Instance != "" && e.received && !h.busAway && time.Since(e.silentSince) <= h.limit {
			for _, trouble := range e.heartbeat.Troubles {
				if trouble.ID != event.SettingsAlarm {
					all = append(all, namedTrouble{trouble, t.Component})
				}
			}
		}
	}
	slices.SortFunc(all, func(a, b namedTrouble) int { return strings.Compare(a.ID+" "+a.component, b.ID+" "+b.component) })
	return all
}

// settings lists the faults of settings that components named last, also those
// whose heartbeats do not arrive just now: a process keeps its settings.
func (h *heartbeats) settings() (all []namedTrouble) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for t, e := range h.seen {
		for _, trouble := range e.heartbeat.Troubles {
			if t.Instance != "" && trouble.ID == event.SettingsAlarm {
				all = append(all, namedTrouble{trouble, t.Component})
			}
		}
	}
	return all
}

// goneAfter is for how long an instance that nobody expects is silent, while another
// one of its component is not, before it counts as stopped for good.
const goneAfter = 10 * time.Minute

// forgetGone forgets the instances that were stopped for good, and so what their
// last heartbeats named.
func (h *heartbeats) forgetGone(expected []Target) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for t, e := range h.seen {
		newest := h.seen[Target{t.Component, ""}]
		if newest.received && newest.silentSince.Sub(e.silentSince) > goneAfter && !slices.Contains(expected, t) {
			delete(h.seen, t)
		}
	}
}

// readStarts judges how often a component was started, by its heartbeats or by
// systemd, which also counts processes that never sent one.
func (h *heartbeats) readStarts(p *probe, t Target, most, restarts int, window time.Duration) Reading {
	h.mu.Lock()
	defer h.mu.Unlock()
	e, ok := h.seen[t]
	now, recent := time.Now(), 0
	for _, at := range e.starts {
		if now.Sub(at) < window {
			recent++
		}
	}
	switch {
	case restarts >= most && restarts >= recent:
		return p.fail("systemd restarted it %s within %s, limit %d", libra.Several(restarts, "time"), libra.FormatDuration(window), most)
	case recent >= most:
		return p.fail("started %s within %s, limit %d; now process %d", libra.Several(recent, "time"), libra.FormatDuration(window), most, e.heartbeat.PID)
	case !ok:
		return Reading{Evidence: "no heartbeat yet"}
	}
	return Reading{Verdict: Pass}
}

// counter is a counter in a component's last heartbeat. arriving is false where
// heartbeats do not arrive, which has an alarm of its own.
func (h *heartbeats) counter(t Target, name string) (value int64, status string, arriving bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e := h.seen[t]
	value, ok := e.heartbeat.Counters[name]
	return value, e.heartbeat.Status, ok && e.received && !h.busAway && time.Since(e.silentSince) <= h.limit
}

// readSince judges a counter that is the unix time since when a component has a
// fault; 0 for no fault.
func (h *heartbeats) readSince(p *probe, t Target, counter string, limit time.Duration) Reading {
	unix, status, arriving := h.counter(t, counter)
	if !arriving {
		return Reading{Evidence: "no heartbeat arrives"}
	}
	since := time.Unix(unix, 0).UTC()
	if unix == 0 || time.Since(since) <= limit {
		return Reading{Verdict: Pass}
	}
	return p.failByBus("since %s, limit %s; %s", libra.FormatTime(since), libra.FormatDuration(limit), status)
}

// setLimit changes how long silence may last.
func (h *heartbeats) setLimit(limit time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.limit = limit
}
