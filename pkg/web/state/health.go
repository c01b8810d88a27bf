package state

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"libra/pkg/component"
	"libra/pkg/libra"
)

// health is the state of the bus and of SQLite, as web sees them. Its mutex is held
// for lookups only.
type health struct {
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
	good  time.Time // when it was last seen healthy
}

// Degraded is one part that is degraded or down.
type Degraded struct {
	Part   string     `json:"part"`
	Code   libra.Code `json:"code"`
	Reason string     `json:"reason"`
	Since  time.Time  `json:"since"`
	less   string     // what Libra does less without a component; "" for none
}

// refusalCounts is for how long the bus counts as unable to store after it has
// refused something, unless it stores something before.
const refusalCounts = 3500 * time.Millisecond

func newHealth(now time.Time) *health {
	return &health{bus: part{fault: "not connected yet", since: now}, history: part{fault: "not read yet", since: now}}
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
	changed := h.bus.set(fault, now)
	if changed && fault != "" {
		h.bus.since = h.bus.lastGood(now)
	} else if fault == "" {
		h.bus.good = now
	}
	return changed
}

// lastGood is when the part was last seen healthy: what is known of it is of then.
func (p *part) lastGood(now time.Time) time.Time {
	if p.good.IsZero() {
		return now
	}
	return p.good
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
	return h.storing, h.storing.fault != "" && now.Sub(h.refused) < refusalCounts
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
		bus.fault, bus.since = notConnected, bus.lastGood(time.Now())
	}
	return bus
}

// BusUp reports whether the bus is expected to answer.
func (s *State) BusUp() bool { return s.busPart().fault == "" }

// BusSoon waits until it is worth asking the bus again. It returns false at
// once for a bus that has been away for longer than Config.Patience, and when ctx
// ends.
func (s *State) BusSoon(ctx context.Context) bool {
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
	Status Overall `json:"status"`
	// Unknown is what web does not know now, and Refused what Libra does not accept;
	// never null.
	Unknown  []Gap      `json:"unknown"`
	Refused  []Gap      `json:"refused"`
	Degraded []Degraded `json:"degraded"` // never null
}

// Serving reports whether web can read or accept anything.
func (d UpDoc) Serving() bool { return d.Status != statusLoading }

// UnknownSince is since when web does not know everything; the zero time while it does.
func (d UpDoc) UnknownSince() (since time.Time) {
	for _, g := range d.Unknown {
		if since.IsZero() || g.Since.Before(since) {
			since = g.Since
		}
	}
	return since
}

// SQLite is history's name in degraded.
const SQLite = "sqlite"

// Overall is the state of the whole, in one word.
type Overall string

const (
	StatusOK       Overall = "OK"       // everything is known, and healthy
	statusDegraded Overall = "DEGRADED" // everything is known, and something is not healthy
	StatusUnknown  Overall = "UNKNOWN"  // something is not known
	statusLoading  Overall = "LOADING"  // nothing can be read yet
)

// Up judges: LOADING until something can be read, and while web can neither read
// nor accept anything; else by what is unknown or degraded.
func (s *State) Up() UpDoc {
	now, bus := time.Now(), s.busPart()
	_, history := s.health.parts()
	loaded, _ := s.Memory.Ready()
	canRead := loaded || history.fault == "" || s.Memory.Counts().Pages > 0
	serving := s.health.latch(canRead)
	if serving && bus.fault != "" && history.fault != "" && s.Memory.Counts().Pages == 0 {
		serving = false // it can neither accept nor read anything
	}
	doc := UpDoc{Status: StatusOK, Degraded: s.Degraded(now)}
	doc.Unknown, doc.Refused = s.gaps(now)
	switch {
	case !serving:
		doc.Status = statusLoading
	case len(doc.Unknown) > 0:
		doc.Status = StatusUnknown
	case len(doc.Degraded) > 0:
		doc.Status = statusDegraded
	}
	return doc
}

// Degraded lists the parts that are degraded or down. While the bus is away, which
// carries heartbeats, it alone is listed and not every component.
func (s *State) Degraded(now time.Time) []Degraded {
	list := []Degraded{}
	bus := s.busPart()
	if bus.fault != "" {
		list = append(list, Degraded{Part: "bus", Code: libra.CodeBusAway, Reason: bus.fault, Since: bus.since.UTC()})
	} else if storing, out := s.health.notStoring(now); out {
		list = append(list, Degraded{Part: "bus", Code: libra.CodeNotStored, Reason: "it answers, and does not store: " + storing.fault, Since: storing.since.UTC()})
	}
	if since, why := s.busStopped(); !since.IsZero() && len(list) == 0 {
		list = append(list, Degraded{
			Part: "bus", Code: libra.CodeNotStored, Reason: "it answers, and does not store everything: " + why, Since: since,
			less: "not everything that happens is stored: the newest reports and alarms may be missing",
		})
	}
	if since, why := s.Refused(); !since.IsZero() && len(list) == 0 {
		list = append(list, Degraded{
			Part: "bus", Code: libra.CodeHistoryBehind, Reason: "it answers, and accepts no new inspections: " + why, Since: since,
			less: "new inspections are not accepted until the history has caught up",
		})
	}
	list = append(list, s.restored(now)...)
	list = append(list, s.crowds()...)
	if since, why := s.historyBehind(now); !since.IsZero() {
		list = append(list, Degraded{Part: SQLite, Code: libra.CodeHistoryBehind, Reason: "history is behind: " + why, Since: since})
	}
	if bus.fault != "" {
		return list
	}
	if since, why := s.underPressure(now); !since.IsZero() {
		list = append(list, Degraded{
			Part: component.Inspector, Code: libra.CodePressure, Reason: why, Since: since,
			less: "pages that answer are inspected later; those that do not are reported at once",
		})
	}
	return append(list, s.silent(now)...)
}

// Effect is what a reader of the pages notices of it.
func (d Degraded) Effect() string {
	switch {
	case d.less != "":
		return d.less
	case d.Code == libra.CodeComponentSilent:
		return "part of it does not respond"
	}
	return "new inspections are not accepted, and the newest reports may be missing"
}

func (d Degraded) String() string {
	return fmt.Sprintf("%s: %s (since %s)", d.Part, d.Reason, libra.FormatTime(d.Since))
}

// statusDoc is what /api/status answers.
type statusDoc struct {
	Status       Overall        `json:"status"`
	UnknownSince time.Time      `json:"unknown_since,omitzero"` // left out while everything is known
	Version      string         `json:"version"`
	Unknown      []Gap          `json:"unknown"`    // never null
	Refused      []Gap          `json:"refused"`    // never null
	Degraded     []Degraded     `json:"degraded"`   // never null
	Components   []ComponentDoc `json:"components"` // never null
	Counts       counts         `json:"counts"`
	// AlarmsUnknownSince is since when the open alarms may be others than those
	// counted; left out while they are not.
	AlarmsUnknownSince time.Time `json:"alarms_unknown_since,omitzero"`
	// HistorySince is since when the history goes; left out while that is not
	// known.
	HistorySince time.Time `json:"history_since,omitzero"`
}

// Word is the status for people.
func (d statusDoc) Word() string {
	if d.Status == StatusOK {
		return string(Healthy)
	}
	return strings.ToLower(string(d.Status))
}

// OpenUnknown reports whether requests may be open that are not counted, or the
// other way round.
func (d statusDoc) OpenUnknown() bool { return !unknownSince(d.Unknown, reportsGap).IsZero() }

// WatchedUnknown reports the same of the watched pages.
func (d statusDoc) WatchedUnknown() bool { return !unknownSince(d.Unknown, watchesGap).IsZero() }

// Status is the state of web, the components by their heartbeats, and counts.
func (s *State) Status() statusDoc {
	up := s.Up()
	doc := statusDoc{
		Status: up.Status, UnknownSince: up.UnknownSince(), Version: s.cfg.Version, Unknown: up.Unknown, Refused: up.Refused, Degraded: up.Degraded,
		Components: s.Components(time.Now()), Counts: s.Memory.Counts(), HistorySince: s.HistorySince(), AlarmsUnknownSince: up.AlarmsUnknownSince(),
	}
	doc.Counts.Streams, doc.Counts.Watched = s.Hub.Size(), s.Watches.count()
	return doc
}
