package state

import (
	"fmt"
	"slices"
	"time"

	"libra/pkg/component"
	"libra/pkg/libra"
)

// Freshness is the part of a list that says whether the list is known to be
// current. What the list holds while it is not was true at UnknownSince.
type Freshness struct {
	Stale bool `json:"stale"`
	// UnknownSince is since when entries may have come, changed or gone; left out
	// of a current list.
	UnknownSince     time.Time `json:"unknown_since,omitzero"`
	libra.ReasonList           // why stale
}

// lack notes that the list may lack something since a time.
func (f *Freshness) lack(since time.Time, why libra.Reason) {
	f.Stale = true
	if since = since.UTC(); f.UnknownSince.IsZero() || since.Before(f.UnknownSince) {
		f.UnknownSince = since
	}
	f.AddReason(why)
}

// onBus is the freshness of what memory has from the bus: what names it, and
// caughtUp says whether memory has read all of it.
func (s *State) onBus(caughtUp bool, what string) Freshness {
	f := Freshness{ReasonList: libra.NoReasons()}
	switch bus := s.busPart(); {
	case bus.fault != "":
		f.lack(bus.since, libra.Because(libra.CodeBusAway, fmt.Sprintf("the bus is away since %s: newer %s may be missing", libra.FormatTime(bus.since), what)))
	case !caughtUp:
		f.lack(bus.since, libra.Because(libra.CodeCatchingUp, fmt.Sprintf("the newest %s are still being read", what)))
	}
	if since, _ := s.busStopped(); !since.IsZero() {
		f.lack(since, libra.Because(libra.CodeNotStored, fmt.Sprintf("the bus does not store everything since %s: newer %s may be missing", libra.FormatTime(since), what)))
	}
	return f
}

// recalls adds whether SQLite was asked for what the bus may have lost.
func (s *State) recalls(f *Freshness, what string) {
	if _, h := s.health.parts(); h.fault != "" && !s.recalled.Load() {
		f.lack(s.started, libra.Because(libra.CodeHistoryUnreadable, fmt.Sprintf("the history was not read since libra-web started: older %s may be missing", what)))
	}
}

// FreshPages is the freshness of the list of pages.
func (s *State) FreshPages() Freshness { return s.ofReports("pages") }

// FreshReports is the freshness of the newest report of a page.
func (s *State) FreshReports() Freshness { return s.ofReports("reports") }

func (s *State) ofReports(what string) Freshness {
	loaded, _ := s.Memory.Ready()
	return s.onBus(loaded, what)
}

// WithoutHistory adds that the list lacks what only SQLite has.
func (s *State) WithoutHistory(f *Freshness, what string) {
	_, h := s.health.parts()
	since := h.since
	if h.fault == "" { // it could not be read just now
		since = time.Now()
	}
	f.lack(since, libra.Because(libra.CodeHistoryUnreadable, "history cannot be read: "+what))
}

// TooManyRead adds that the list lacks what only SQLite has, which too many read now.
func (f *Freshness) TooManyRead(what string) {
	f.lack(time.Now(), libra.Because(libra.CodeOverloaded, "the history is not read, because too many requests read it at a time: "+what))
}

// FreshWatches is the freshness of the list of watches.
func (s *State) FreshWatches() Freshness {
	f := s.onBus(s.Watches.Ready(), "watches")
	s.recalls(&f, "watches")
	if n, since := s.Watches.Unlisted(); n > 0 {
		f.lack(since, libra.Because(libra.CodeNotListed, libra.Plural(n, "watch", "watches")+" found no room in memory, and the oldest are not listed"))
	}
	return f
}

// FreshSilences is the freshness of the list of silences.
func (s *State) FreshSilences() Freshness {
	f := s.onBus(s.Notes.IsComplete(), "silences")
	s.recalls(&f, "silences")
	if since := s.Notes.Dropped(); !since.IsZero() {
		f.lack(since, libra.Because(libra.CodeNotListed, "not all silences found room in memory, and the oldest are not listed"))
	}
	return f
}

// FreshAlarms is the freshness of the list of alarms. Without the watchdog, which
// alone raises and clears alarms, nothing is known of them either.
func (s *State) FreshAlarms() Freshness {
	_, alarmed := s.Memory.Ready()
	f := s.onBus(alarmed && s.Notes.IsComplete(), "alarms")
	s.recalls(&f, "alarms")
	if n, since := s.Memory.Unlisted(); n > 0 {
		f.lack(since, libra.Because(libra.CodeNotListed, libra.Several(n, "open alarm")+" found no room in memory: the history has them"))
	}
	if last, silent := s.silentSince(component.Watchdog, time.Now()); silent && s.BusUp() {
		f.lack(last, libra.Because(libra.CodeComponentSilent, component.Watchdog+", which raises and clears alarms, sends no heartbeat"))
	}
	return f
}

// FreshTimeline is the freshness of what happened: that of the alarms, and of
// what the recorder writes.
func (s *State) FreshTimeline() Freshness {
	f := s.FreshAlarms()
	if s.BusUp() && !s.Board.complete.Load() {
		f.lack(s.busPart().since, libra.Because(libra.CodeCatchingUp, "the newest notes on the board are still being read"))
	}
	s.recordedLate(&f)
	return f
}

// recordedLate adds that SQLite may lack the newest.
func (s *State) recordedLate(f *Freshness) {
	if since, why := s.historyBehind(time.Now()); !since.IsZero() {
		f.lack(since, libra.Because(libra.CodeHistoryBehind, "history is behind: "+why))
	} else if last, silent := s.silentSince(component.Recorder, time.Now()); silent && s.BusUp() {
		f.lack(last, libra.Because(libra.CodeHistoryBehind, component.Recorder+", which writes the history, sends no heartbeat"))
	}
}

// Gap is something that web does not know, or does not accept, since a time.
type Gap struct {
	What  string    `json:"what"`
	Since time.Time `json:"since"`
	// Component is the one whose state is unknown, which is listed as degraded, too.
	Component string `json:"component,omitempty"`
}

func (g Gap) String() string { return g.What + " since " + libra.FormatTime(g.Since) }

// gaps lists what is unknown now, and what is refused. They are never null.
func (s *State) gaps(now time.Time) (unknown, refused []Gap) {
	unknown, refused = []Gap{}, []Gap{}
	for _, g := range []struct {
		what string
		f    Freshness
	}{{alarmsGap, s.FreshAlarms()}, {reportsGap, s.FreshPages()}, {watchesGap, s.FreshWatches()}} {
		if g.f.Stale {
			unknown = append(unknown, Gap{What: g.what, Since: g.f.UnknownSince})
		}
	}
	const submissions = "new inspections"
	bus := s.busPart()
	for _, c := range s.Components(now) {
		if c.State == Unknown && bus.fault == "" {
			gap := Gap{"state of " + c.name(), c.UnknownSince, c.name()}
			if s.busJustBack(now) {
				gap.Component = "" // it is not listed as degraded yet
			}
			unknown = append(unknown, gap)
		}
	}
	if bus.fault != "" {
		unknown = append(unknown, Gap{What: "state of the components", Since: bus.since.UTC()})
		refused = append(refused, Gap{What: submissions, Since: bus.since.UTC()})
	} else if storing, out := s.health.notStoring(now); out {
		refused = append(refused, Gap{What: submissions, Since: storing.since.UTC()})
	} else if since, _ := s.Refused(); !since.IsZero() {
		refused = append(refused, Gap{What: submissions, Since: since})
	}
	return unknown, refused
}

// What is counted and may be unknown.
const (
	alarmsGap  = "alarms"
	reportsGap = libra.NewestReports // and so which requests are open
	watchesGap = "watches"
)

// AlarmsUnknownSince is since when web does not know which alarms are open; the zero
// time while it does.
func (d UpDoc) AlarmsUnknownSince() time.Time { return unknownSince(d.Unknown, alarmsGap) }

// unknownSince is since when one of the gaps is there; the zero time without it.
func unknownSince(gaps []Gap, what string) (since time.Time) {
	if i := slices.IndexFunc(gaps, func(g Gap) bool { return g.What == what }); i >= 0 {
		since = gaps[i].Since
	}
	return since
}
