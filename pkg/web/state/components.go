package state

import (
	"cmp"
	"os"
	"slices"
	"strings"
	"time"

	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// Condition is the state of a component.
type Condition string

const (
	Healthy Condition = "healthy" // its heartbeats arrive
	Unknown Condition = "unknown" // they do not, and nobody knows why
	Down    Condition = "down"    // they do not, and an alarm of the watchdog says so
)

// ComponentDoc is one instance of one of Libra's processes, by its heartbeats; or
// a component without a heartbeat, whose Instance is "".
type ComponentDoc struct {
	Component string    `json:"component"`
	Instance  string    `json:"instance"`
	Version   string    `json:"version"`
	Up        bool      `json:"up"` // State is Healthy
	State     Condition `json:"state"`
	// UnknownSince is when its last heartbeat came, or when libra-web began to wait for
	// one; left out while it is healthy.
	UnknownSince time.Time        `json:"unknown_since,omitzero"`
	Status       string           `json:"status"`
	PID          int              `json:"pid"`
	Since        time.Time        `json:"since,omitzero"` // when it started; left out where that is not known
	AgeMS        int64            `json:"age_ms"`         // of its last heartbeat
	Counters     map[string]int64 `json:"counters"`

	what string // it did, by its alarm: "was stopped"; "" while nobody knows
}

// Seen reports whether a heartbeat of it has come.
func (c ComponentDoc) Seen() bool { return c.PID != 0 }

// name is that of its unit: "libra-inspector@1", "libra-recorder".
func (c ComponentDoc) name() string { return unitName(c.Component, c.Instance) }

func unitName(name, instance string) string {
	if known, _ := component.Find(name); known.Instances > 0 && instance != "" {
		return name + "@" + instance
	}
	return name
}

// alarm is the id of the watchdog's alarm about its heartbeats.
func (c ComponentDoc) alarm() string { return alarmAbout(c.name()) }

func alarmAbout(unit string) string {
	return "beat." + strings.ToLower(strings.ReplaceAll(strings.TrimPrefix(unit, "libra-"), "@", "."))
}

// lateAfter is how many intervals a heartbeat may be late.
const lateAfter = 3

// oldInterval is that of components that do not name it in their heartbeats.
const oldInterval = time.Second

// arriving reports whether an instance's heartbeats arrive.
func (s *State) arriving(h LastHeartbeat, now time.Time) bool {
	interval := time.Duration(h.Heartbeat.EveryMS) * time.Millisecond
	if interval <= 0 {
		interval = oldInterval
	}
	return now.Sub(h.At) <= max(s.cfg.HeartbeatTimeout, lateAfter*interval)
}

// silentSince is when the last heartbeat of any instance of a component came, if they
// do not arrive; without one, when web began to wait for it.
func (s *State) silentSince(name string, now time.Time) (last time.Time, silent bool) {
	last = s.started
	for _, h := range s.Memory.instancesOf(name) {
		if s.arriving(h, now) {
			return h.At, false
		}
		if h.At.After(last) {
			last = h.At
		}
	}
	return last, true
}

// busStopped is since when a stream of the bus stores nothing, by the bus's own
// heartbeats, and why; the zero time while all of them store. What its last heartbeat
// said holds until another one comes.
func (s *State) busStopped() (since time.Time, why string) {
	for _, h := range s.Memory.instancesOf(component.Bus) {
		if !stopped(h) {
			continue
		}
		since, why = time.Unix(h.Heartbeat.Counters[event.StoppedCounter], 0).UTC(), "one of its streams has stopped"
		for _, r := range h.Heartbeat.Details {
			if r.Code == libra.CodeNotStored {
				why = r.String()
			}
		}
	}
	return since, why
}

// stopped reports whether a heartbeat of the bus says that a stream stores nothing.
func stopped(h LastHeartbeat) bool { return h.Heartbeat.Counters[event.StoppedCounter] > 0 }

// Refused is since when no request may be accepted, by the bus's own heartbeats, and why;
// the zero time while they may be. Not recorded reports would be lost.
func (s *State) Refused() (since time.Time, why string) {
	now := time.Now()
	for _, h := range s.Memory.instancesOf(component.Bus) {
		seconds := h.Heartbeat.Counters[event.RefusedCounter]
		if seconds <= 0 || !s.arriving(h, now) {
			continue
		}
		since, why = time.Unix(seconds, 0).UTC(), "too many reports are not in the history yet"
		for _, r := range h.Heartbeat.Details {
			if r.Code == libra.CodeHistoryBehind {
				why = r.String()
			}
		}
	}
	return since, why
}

// underPressure is since when the host is short of memory or CPU, by the heartbeats of
// the inspectors in which pages wait because of it, and what it is short of; the zero
// time while no page does.
func (s *State) underPressure(now time.Time) (since time.Time, why string) {
	for _, h := range s.Memory.instancesOf(component.Inspector) {
		at := time.Unix(h.Heartbeat.Counters[event.PressureCounter], 0).UTC()
		for _, r := range h.Heartbeat.Details {
			if r.Code == libra.CodePressure && s.arriving(h, now) && (since.IsZero() || at.Before(since)) {
				since, why = at, r.String()
			}
		}
	}
	return since, why
}

// Arriving reports whether heartbeats of a component arrive.
func (s *State) Arriving(h LastHeartbeat) bool { return s.arriving(h, time.Now()) }

// Components lists the instances that have sent a heartbeat, and the required
// components of which none has.
func (s *State) Components(now time.Time) []ComponentDoc {
	list := []ComponentDoc{}
	for _, h := range s.Memory.Instances() {
		b := h.Heartbeat
		c := ComponentDoc{
			Component: b.Component, Instance: b.Instance, Version: b.Version, Status: b.Status, PID: b.PID,
			Up: true, State: Healthy, Since: b.Started, AgeMS: now.Sub(h.At).Milliseconds(), Counters: b.Counters,
		}
		// This process answers, although its heartbeats do not arrive while the bus is away.
		answers := b.Component == component.Web && b.PID == os.Getpid() && !s.BusUp()
		if !s.arriving(h, now) && !answers {
			s.missing(&c, h.At)
		}
		list = append(list, c)
	}
	for _, required := range component.Required() {
		if slices.ContainsFunc(list, func(c ComponentDoc) bool { return c.Component == required.Name }) {
			continue
		}
		c := ComponentDoc{Component: required.Name, Status: "no heartbeat seen", AgeMS: now.Sub(s.started).Milliseconds()}
		s.missing(&c, s.started)
		list = append(list, c)
	}
	for i := range list {
		if list[i].Counters == nil {
			list[i].Counters = map[string]int64{}
		}
	}
	return list
}

// missing notes that heartbeats do not arrive since a time. What the alarm about it
// says takes the place of its last status.
func (s *State) missing(c *ComponentDoc, since time.Time) {
	c.Up, c.State, c.UnknownSince = false, Unknown, since.UTC()
	t, known, _ := s.Memory.AlarmOf(c.alarm())
	if !known || t.Alarm.State != libra.Raised || !s.BusUp() {
		return
	}
	c.State, c.Status = Down, t.Alarm.Evidence
	if what, found := strings.CutPrefix(t.Alarm.Summary, c.name()+" "); found {
		c.what = what
	}
}

// lessWithout says what Libra does less while a component does not work.
var lessWithout = map[string]string{
	component.Inspector: "no page is inspected, and accepted inspections wait",
	component.Recorder:  "history is behind",
	component.Watchdog:  "nothing is probed, and no alarm is raised or cleared",
	component.Notifier:  "nobody is notified of alarms",
}

// busJustBack reports whether heartbeats had no time to arrive yet.
func (s *State) busJustBack(now time.Time) bool {
	bus := s.busPart()
	return bus.fault == "" && now.Sub(bus.since) < s.cfg.ReconnectTime
}

// silent lists the components that are not healthy: one that has no healthy
// instance, or single instances beside healthy ones. One that is unknown because the
// bus was away until just now is not among them.
func (s *State) silent(now time.Time) (list []Degraded) {
	all := s.Components(now)
	young := s.busJustBack(now)
	for _, c := range all {
		if c.State == Healthy || young && c.State == Unknown {
			continue
		}
		alone := !slices.ContainsFunc(all, func(o ComponentDoc) bool {
			return o.Component == c.Component && (o.State == Healthy || young && o.State == Unknown)
		})
		d := Degraded{Part: c.name(), Code: libra.CodeComponentSilent, Reason: cmp.Or(c.what, noHeartbeat), Since: c.UnknownSince}
		if alone {
			d.Part, d.less = c.Component, lessWithout[c.Component]
		}
		i := slices.IndexFunc(list, func(o Degraded) bool { return o.Part == d.Part })
		if i < 0 {
			list = append(list, d)
			continue
		}
		if d.Reason != list[i].Reason {
			list[i].Reason = noHeartbeat // what all instances have in common
		}
		if d.Since.After(list[i].Since) {
			list[i].Since = d.Since // when the last instance fell silent
		}
	}
	for i, d := range list {
		if d.less != "" {
			list[i].Reason += ": " + d.less
		}
	}
	return list
}

const noHeartbeat = "no heartbeat"
