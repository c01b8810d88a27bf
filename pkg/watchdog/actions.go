package watchdog

import (
	"crypto/rand"
	"fmt"
	"time"

	"libra/pkg/component"
	"libra/pkg/libra"
)

// Automatic actions, such as systemd's restarts, are notes in the timeline of the
// alarm that they are about.

// watchdogName is the author of those notes.
const watchdogName = component.Watchdog

// note publishes a note about an automatic action.
func (ev *evaluator) note(alarm, format string, args ...any) {
	n := libra.Note{
		ID: rand.Text(), Kind: libra.Action, At: time.Now().UTC(), By: watchdogName, Alarm: alarm, Text: fmt.Sprintf(format, args...),
	}
	ev.deps.Log.Info("automatic action", "alarm", alarm, "text", n.Text, "note", n.ID)
	ev.publisher.AddNote(n)
}

// justOver is for how long after its end an alarm gets notes.
const justOver = 10 * time.Minute

// open reports whether an alarm is raised, or was until just now.
func (ev *evaluator) open(alarm string) bool {
	t, ok := ev.publisher.Newest(alarm)
	return ok && (t.Alarm.State == libra.Raised || time.Since(t.At) < justOver)
}

// noteRestart notes that systemd restarted a component, with each alarm that the
// restart may clear.
func (ev *evaluator) noteRestart(r restarted) {
	id, short, name := r.target.names()
	text := fmt.Sprintf("systemd restarted %s", name)
	if r.times > 1 {
		text += fmt.Sprintf(", %d times", r.times)
	}
	if why := endReasons[r.result]; why != "" {
		text += ": " + why
	}
	alarms := []string{"beat." + id, "restarts." + id}
	if short == "bus" || short == "web" {
		alarms = append(alarms, short)
	}
	if short == "bus" {
		alarms = append(alarms, diskAlarm) // a full disk ends it; see pkg/broker
	}
	noted := false
	for _, a := range alarms {
		if ev.open(a) {
			ev.note(a, "%s", text)
			noted = true
		}
	}
	if !noted {
		ev.deps.Log.Info("automatic action", "target", name, "text", text)
	}
}

// endReasons are texts for a service's result, by its name in systemd.service(5).
var endReasons = map[string]string{
	"watchdog":    "it hung, and was ended",
	"oom-kill":    "it was ended because memory ran out",
	"core-dump":   "it crashed",
	"signal":      "it was killed",
	"exit-code":   "it ended with an error",
	"timeout":     "it did not start or stop in time",
	"start-limit": "it was started too often",
}

// noteDisk notes the consequence of a disk that is nearly full: libra-web accepts
// no new watches while its alarm is major.
func (ev *evaluator) noteDisk(was, is libra.Severity) {
	full := func(s libra.Severity) bool { return s.Rank() >= libra.Major.Rank() }
	switch {
	case full(is) && !full(was):
		ev.note(diskAlarm, "new watches are refused until less than %g %% is in use", ev.cfg.Disk.Major)
	case full(was) && !full(is):
		ev.note(diskAlarm, "new watches are accepted again")
	}
}
