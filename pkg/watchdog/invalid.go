package watchdog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// mostEvidence bounds the evidence of what components name, in bytes.
const mostEvidence = 2500

// settingFault is one fault of the settings, and the components that have it.
type settingFault struct {
	text       string
	fatal      bool // they could not start
	components []string
}

// checkSettings raises the alarm settings, brings its evidence up to date, and
// clears it when every component that had a fault runs without one. One whose
// heartbeats do not arrive, and that has not failed, changes nothing.
func (ev *evaluator) checkSettings(now time.Time) {
	ev.heartbeats.forgetGone(ev.cfg.Expect)
	named := ev.heartbeats.settings()
	for _, n := range ev.ownTroubles {
		if n.ID == event.SettingsAlarm {
			named = append(named, n)
		}
	}
	silent := slices.DeleteFunc(strings.Fields(ev.publisher.Sources()[event.SettingsAlarm]), func(name string) bool {
		return name == watchdogName || ev.heartbeats.arriving(name)
	})
	failed := ev.services.misconfigured()
	if len(failed) == 0 && ev.tally(event.SettingsAlarm).State == Unknown && now.Before(ev.counters.Grace) {
		return // after a start of everything, one notification has the faults of all
	}
	n, components, found := invalidSettings(named, failed)
	if !found {
		if len(silent) == 0 && ev.publisher.Sources()[event.SettingsAlarm] != "" {
			ev.passTrouble(event.SettingsAlarm, now)
		}
		return
	}
	unheard := slices.DeleteFunc(silent, func(name string) bool { return slices.Contains(components, name) })
	ev.publisher.SetSource(n.ID, strings.Join(append(components, unheard...), " "))
	p := troubleProbe(n)
	o := observation{p, p.fail("%s", n.Evidence), now, ""}
	changed := ev.observe(o)
	t, ok := ev.publisher.Newest(n.ID)
	if changed || !ok || t.Alarm.State != libra.Raised || t.Alarm.Severity != n.Severity {
		return
	}
	// While heartbeats are missing, so may be faults: what can start is known from systemd.
	if strings.TrimSuffix(t.Alarm.Summary, libra.FlappingNote) != n.Summary || len(unheard) == 0 && t.Alarm.Evidence != n.Evidence {
		ev.emit(o, ev.tally(n.ID), Update)
	}
}

// invalidSettings makes one trouble of all faults of the settings: those that
// components go on in spite of, which their heartbeats name, and those that ended
// components with exit code 2, which systemd has as their last status.
func invalidSettings(named []namedTrouble, failed map[string]string) (n namedTrouble, components []string, found bool) {
	var faults []settingFault
	add := func(text string, fatal bool, name string) {
		i := slices.IndexFunc(faults, func(f settingFault) bool { return f.text == text })
		if i < 0 {
			i, faults = len(faults), append(faults, settingFault{text: text, fatal: fatal})
		}
		if !slices.Contains(faults[i].components, name) {
			faults[i].components = append(faults[i].components, name)
		}
		if source := targetOf(name).Component; !slices.Contains(components, source) {
			components = append(components, source)
		}
	}
	var down []string
	for name, status := range failed {
		add(status, true, name)
		down = append(down, name)
	}
	for _, t := range named {
		add(t.Evidence, false, t.component)
	}
	if len(faults) == 0 {
		return n, nil, false
	}
	slices.Sort(down)
	slices.Sort(components)
	n.Trouble = event.Trouble{
		ID: event.SettingsAlarm, Target: "libra.env", Severity: libra.Minor, Runbook: "#settings",
		Summary: "Settings are invalid and not in effect", Evidence: event.Cut(evidenceOf(faults), mostEvidence),
	}
	if len(down) > 0 {
		n.Severity, n.Summary = libra.Major, fmt.Sprintf("%s cannot start: invalid settings", strings.Join(down, ", "))
	}
	return n, components, true
}

// evidenceOf lists faults, those first that keep a component from starting.
func evidenceOf(faults []settingFault) string {
	slices.SortFunc(faults, func(a, b settingFault) int {
		if a.fatal != b.fatal {
			if a.fatal {
				return -1
			}
			return 1
		}
		return strings.Compare(a.text, b.text)
	})
	var texts []string
	for _, f := range faults {
		slices.Sort(f.components)
		who := strings.Join(f.components, ", ")
		if len(f.components) >= len(component.Required()) {
			who = "every component"
		}
		texts = append(texts, who+": "+f.text)
	}
	return strings.Join(texts, "; ")
}

// reason is why the last process of a unit that does not run could not go on, as
// it left it with systemd; none where it left nothing.
func (s *services) reason(name string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if why := s.why[name]; why != "" {
		return []string{why}
	}
	return nil
}

// misconfigured are the components that ended with exit code 2, and why.
func (s *services) misconfigured() map[string]string {
	all := map[string]string{}
	for _, name := range s.names {
		if u, known := s.of(name); known && u.Active == "failed" && u.Result == "exit-code" && u.ExitStatus == 2 {
			all[strings.TrimSuffix(name, ".service")] = cmp.Or(u.Status, "exit code 2, its configuration is wrong")
		}
	}
	return all
}

// explained adds to a failure what systemd has of the unit; beginning begins the
// summary while the unit is down, "" keeps the summary.
func (w *Watchdog) explained(r Reading, name, beginning string) Reading {
	if r.Verdict != Fail {
		return r
	}
	unit := name + ".service"
	if how, down := w.services.down(unit); down {
		r.Evidence += "; " + how.evidence
		if beginning != "" {
			r.Summary = beginning + name + " " + how.what
		}
	} else if why := w.services.reason(unit); why != nil {
		r.Evidence += "; " + unit + " " + why[0]
	}
	return r
}
