package state

import (
	"context"
	"fmt"
	"sync"
	"time"

	"libra/pkg/libra"
)

// Needed are the components without which Libra does less, and what is less.
var Needed = []struct{ Component, Means string }{
	{"libra-inspector", "accepted inspections wait"},
	{recorderName, "history is behind"},
}

// health is the state of the bus and of SQLite, as web sees them. Its mutex is held
// for lookups only.
type health struct {
	timeout time.Duration // for how long a refusal counts

	mu      sync.Mutex
	bus     part      // under mu
	history part      // under mu
	storing part      // under mu; whether the bus stores what people submit
	refused time.Time // under mu; when it last did not
	ready   bool      // under mu; /up was OK once
}

// part is the state of one of them.
type part struct {
	tried bool
	fault string    // "" while it is healthy
	since time.Time // when the fault began, or ended
}

// Degraded is one part that is degraded or down.
type Degraded struct {
	Part   string     `json:"part"`
	Code   libra.Code `json:"code"`
	Reason string     `json:"reason"`
	Since  time.Time  `json:"since"`
}

func newHealth(now time.Time, timeout time.Duration) *health {
	return &health{timeout: timeout, bus: part{fault: "not connected yet", since: now}, history: part{fault: "not read yet", since: now}}
}

// set stores the state of a part, and reports whether it has changed.
func (p *part) set(fault string, now time.Time) (changed bool) {
	changed = (fault == "") != (p.fault == "")
	if changed {
		p.since = now
	}
	p.tried, p.fault = true, fault
	return changed
}

func (h *health) setBus(fault string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bus.set(fault, now)
}

func (h *health) setHistory(fault string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.history.set(fault, now)
}

// setStoring notes what became of a submission.
func (h *health) setStoring(fault string, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.storing.set(fault, now)
	if fault != "" {
		h.refused = now
	}
}

// SetStoring notes that the bus has stored a submission, or the fault for which
// it has not.
func (s *State) SetStoring(fault string, now time.Time) { s.health.setStoring(fault, now) }

// notStoring is the state of storing, if the bus has just refused to store
// something, and has stored nothing since.
func (h *health) notStoring(now time.Time) (part, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.storing, h.storing.fault != "" && now.Sub(h.refused) < h.timeout
}

func (h *health) parts() (bus, history part) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.bus, h.history
}

// latch remembers that web was ready once, and reports whether it ever was.
func (h *health) latch(ready bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ready = h.ready || ready
	return h.ready
}

// busPart is the state of the bus by the newest probe, or by the connection, which
// may have been lost since.
func (s *State) busPart() part {
	bus, _ := s.health.parts()
	if bus.fault == "" && !s.conn.Connected() {
		bus.fault, bus.since = notConnected, time.Now()
	}
	return bus
}

// BusUp reports whether the bus is expected to answer.
func (s *State) BusUp() bool { return s.busPart().fault == "" }

// busSoon waits until it is worth asking the bus again. It returns false at
// once for a bus that has been away for longer than Config.Patience, and when ctx
// ends.
func (s *State) busSoon(ctx context.Context) bool {
	tick := time.NewTicker(probeEvery / 10)
	defer tick.Stop()
	for {
		if bus := s.busPart(); bus.fault != "" && time.Since(bus.since) >= s.cfg.Patience {
			return false
		}
		select {
		case <-ctx.Done():
			return false
		case <-tick.C:
		}
		if s.BusUp() {
			return true
		}
	}
}

// UpDoc is what /up answers.
type UpDoc struct {
	Status   string     `json:"status"`
	Degraded []Degraded `json:"degraded"` // never null
}

// SQLite is history's name in degraded.
const SQLite = "sqlite"

const (
	StatusOK      = "OK"
	statusLoading = "LOADING"
)

// Up judges: LOADING until something can be read; after that OK for as long as
// web can read or accept.
func (s *State) Up() UpDoc {
	bus := s.busPart()
	_, history := s.health.parts()
	loaded, _ := s.Memory.Ready()
	canRead := loaded || history.fault == "" || s.Memory.Counts().Pages > 0
	ok := s.health.latch(canRead)
	if ok && bus.fault != "" && history.fault != "" && s.Memory.Counts().Pages == 0 {
		ok = false // it can neither accept nor read anything
	}
	doc := UpDoc{Status: StatusOK, Degraded: s.Degraded(time.Now())}
	if !ok {
		doc.Status = statusLoading
	}
	return doc
}

// Degraded lists the parts that are degraded or down. While the bus is away, a
// component without heartbeats is not listed.
func (s *State) Degraded(now time.Time) []Degraded {
	list := []Degraded{}
	bus := s.busPart()
	if bus.fault != "" {
		list = append(list, Degraded{"bus", libra.CodeBusAway, bus.fault, bus.since.UTC()})
	} else if storing, out := s.health.notStoring(now); out {
		list = append(list, Degraded{"bus", libra.CodeNotStored, "it answers, and does not store: " + storing.fault, storing.since.UTC()})
	}
	if since, why := s.historyBehind(now); !since.IsZero() {
		list = append(list, Degraded{SQLite, libra.CodeHistoryBehind, "history is behind: " + why, since})
	}
	if bus.fault != "" || now.Sub(bus.since) < s.cfg.HeartbeatTimeout {
		return list
	}
	beats := s.Memory.Instances()
	for _, n := range Needed {
		last := bus.since
		for _, h := range beats {
			if h.Heartbeat.Component == n.Component && h.At.After(last) {
				last = h.At
			}
		}
		if now.Sub(last) > s.cfg.HeartbeatTimeout {
			list = append(list, Degraded{n.Component, libra.CodeComponentSilent, "no heartbeat: " + n.Means, last.UTC()})
		}
	}
	return list
}

// Effect is what a reader of the pages notices of it.
func (d Degraded) Effect() string {
	for _, n := range Needed {
		if n.Component == d.Part {
			return n.Means
		}
	}
	return "new inspections are not accepted, and the newest reports may be missing"
}

func (d Degraded) String() string {
	return fmt.Sprintf("%s: %s (since %s)", d.Part, d.Reason, libra.FormatTime(d.Since))
}

// component is one instance of one of Libra's processes, by its heartbeats.
type component struct {
	Component string           `json:"component"`
	Instance  string           `json:"instance"`
	Version   string           `json:"version"`
	Up        bool             `json:"up"`
	Status    string           `json:"status"`
	PID       int              `json:"pid"`
	Since     time.Time        `json:"since"`  // when it started
	AgeMS     int64            `json:"age_ms"` // of its last heartbeat
	Counters  map[string]int64 `json:"counters"`
}

// statusDoc is what /api/status answers.
type statusDoc struct {
	Status     string      `json:"status"`
	Version    string      `json:"version"`
	Degraded   []Degraded  `json:"degraded"`   // never null
	Components []component `json:"components"` // never null
	Counts     counts      `json:"counts"`
	// HistorySince is since when the history goes; left out while that is not
	// known.
	HistorySince time.Time `json:"history_since,omitzero"`
}

// Status is the state of web, the components by their heartbeats, and counts.
func (s *State) Status() statusDoc {
	now := time.Now()
	up := s.Up()
	doc := statusDoc{Status: up.Status, Version: s.cfg.Version, Degraded: up.Degraded, Components: []component{}, Counts: s.Memory.Counts(), HistorySince: s.HistorySince()}
	doc.Counts.Streams, doc.Counts.Watched = s.Hub.Size(), s.Watches.count()
	for _, h := range s.Memory.Instances() {
		b := h.Heartbeat
		if b.Counters == nil {
			b.Counters = map[string]int64{}
		}
		doc.Components = append(doc.Components, component{
			Component: b.Component, Instance: b.Instance, Version: b.Version, Status: b.Status, PID: b.PID,
			Up: now.Sub(h.At) <= s.cfg.HeartbeatTimeout, Since: b.Started, AgeMS: now.Sub(h.At).Milliseconds(), Counters: b.Counters,
		})
	}
	return doc
}

// Behind adds to why the reason for which memory may be stale, and reports whether it is.
func (s *State) Behind(why *libra.ReasonList, caughtUp bool, what string) bool {
	bus := s.busPart()
	switch {
	case bus.fault != "":
		why.AddReason(libra.Reason{
			Code: libra.CodeBusAway, Text: fmt.Sprintf("the bus is away since %s: newer %s may be missing", libra.FormatTime(bus.since), what),
		})
		return true
	case !caughtUp:
		why.AddReason(libra.Reason{Code: libra.CodeCatchingUp, Text: fmt.Sprintf("the newest %s are still being read", what)})
		return true
	}
	return false
}
