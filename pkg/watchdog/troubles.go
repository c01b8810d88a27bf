package watchdog

import (
	"slices"
	"strings"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// mostTroubles bounds what one round of heartbeats can raise.
const mostTroubles = 100

// namedTrouble is a trouble and the component whose heartbeats name it.
type namedTrouble struct {
	event.Trouble
	component string
}

// troubleProbe has no check: heartbeats are its readings.
func troubleProbe(n namedTrouble) *probe {
	return &probe{
		streak: reported,
		alarm: libra.Alarm{
			ID: n.ID, Scope: libra.ScopeComponent, Target: n.Target, Severity: n.Severity, Summary: n.Summary, Runbook: n.Runbook,
		},
		recovered: recoveredFrom(n.ID, n.Target),
	}
}

func recoveredFrom(id, target string) string {
	if id == event.SettingsAlarm {
		return "All settings are valid again"
	}
	return target + " is healthy again"
}

// checkTroubles raises what components name in their heartbeats, and clears what
// the component that named it does not name any more. A component whose
// heartbeats do not arrive changes nothing.
func (ev *evaluator) checkTroubles() {
	now := time.Now()
	ev.checkSettings(now)
	all := map[string]namedTrouble{}
	for _, n := range append(ev.heartbeats.troubles(), ev.ownTroubles...) {
		if n.ID != event.SettingsAlarm && ev.mayName(n.Trouble) && len(all) < mostTroubles {
			n.Evidence = event.Cut(n.Evidence, mostEvidence)
			if n.Severity.Rank() < 0 {
				n.Severity = libra.Minor
			}
			all[n.ID] = n
		}
	}
	for _, n := range all {
		ev.publisher.SetSource(n.ID, n.component)
		p := troubleProbe(n)
		o := observation{p, p.fail("%s", n.Evidence), now, ""}
		if !ev.observe(o) && n.ID == event.AlarmsFileAlarm {
			ev.updateFile(o, n)
		}
	}
	for id, component := range ev.publisher.Sources() {
		if _, still := all[id]; still || id == event.SettingsAlarm || component != watchdogName && !ev.heartbeats.arriving(component) {
			continue
		}
		ev.passTrouble(id, now)
	}
}

// updateFile publishes the alarm about alarms.toml again where another edit has
// other faults: its evidence names the lines that are wrong now. The evidence of a
// channel is not brought up to date: it differs with each attempt to send.
func (ev *evaluator) updateFile(o observation, n namedTrouble) {
	t, ok := ev.publisher.Newest(n.ID)
	if !ok || t.Alarm.State != libra.Raised || t.Alarm.Severity != n.Severity {
		return
	}
	if strings.TrimSuffix(t.Alarm.Summary, libra.FlappingNote) != n.Summary || t.Alarm.Evidence != n.Evidence {
		ev.emit(o, ev.tally(n.ID), Update)
	}
}

// passTrouble is a reading of a trouble that nobody names any more.
func (ev *evaluator) passTrouble(id string, now time.Time) {
	t, ok := ev.publisher.Newest(id)
	if !ok || t.Alarm.State == libra.Cleared && ev.tally(id).State != Bad {
		ev.publisher.SetSource(id, "")
		delete(ev.counters.Tallies, id)
		return
	}
	p := &probe{streak: reported, alarm: t.Alarm, recovered: recoveredFrom(id, t.Alarm.Target)}
	ev.observe(observation{p, Reading{Verdict: Pass}, now, ""})
}

// mayName keeps components from naming what the watchdog probes itself.
func (ev *evaluator) mayName(t event.Trouble) bool {
	_, ours := ev.probes[t.ID]
	return !ours && t.ID != "" && len(t.ID) <= 100 && strings.Trim(t.ID, "abcdefghijklmnopqrstuvwxyz0123456789._-") == "" &&
		!slices.ContainsFunc(ownPrefixes, func(p string) bool { return strings.HasPrefix(t.ID, p) })
}

// ownPrefixes begin the ids of alarms that only the watchdog itself raises.
var ownPrefixes = []string{pagePrefix, quarantinePrefix, "beat.", "restarts."}
