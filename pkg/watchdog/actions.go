package watchdog

import (
	"crypto/rand"
	"fmt"
	"time"

	"libra/pkg/component"
	"libra/pkg/libra"
)

// What the appliance does by itself about what is wrong is written down in the
// timeline of the alarm that it is about.

// ownName is by whom.
const ownName = component.Watchdog

// act writes an automatic action down.
func (b *board) act(alarm, format string, args ...any) {
	n := libra.Note{
		ID: rand.Text(), Kind: libra.Action, At: time.Now().UTC(), By: ownName, Alarm: alarm, Text: fmt.Sprintf(format, args...),
	}
	b.deps.Log.Info("automatic action", "alarm", alarm, "text", n.Text, "note", n.ID)
	b.out.addNote(n)
}

// justOver is for how long after its end an alarm's timeline goes on.
const justOver = 10 * time.Minute

// open says whether an alarm is raised, or was just now.
func (b *board) open(alarm string) bool {
	t, ok := b.out.newest(alarm)
	return ok && (t.Alarm.State == libra.Raised || time.Since(t.At) < justOver)
}

// restarted writes down that systemd started a part again, with each alarm
// that this is an answer to.
func (b *board) restarted(r restarted) {
	id, short, name := r.target.names()
	text := fmt.Sprintf("systemd started %s again", name)
	if r.times > 1 {
		text += fmt.Sprintf(", %d times", r.times)
	}
	if why := endings[r.result]; why != "" {
		text += ": " + why
	}
	alarms := []string{"beat." + id, "restarts." + id}
	if short == "bus" || short == "web" {
		alarms = append(alarms, short)
	}
	if short == "bus" {
		alarms = append(alarms, diskAlarm) // a full disk ends it; see pkg/broker
	}
	told := false
	for _, a := range alarms {
		if b.open(a) {
			b.act(a, "%s", text)
			told = true
		}
	}
	if !told {
		b.deps.Log.Info("automatic action", "target", name, "text", text)
	}
}

// endings says how a service's process ended, as systemd.service(5) calls it.
var endings = map[string]string{
	"watchdog":    "it hung, and was ended",
	"oom-kill":    "it was ended because memory ran out",
	"core-dump":   "it crashed",
	"signal":      "it was killed",
	"exit-code":   "it ended with an error",
	"timeout":     "it did not start or stop in time",
	"start-limit": "it was started too often",
}

// guardDisk says what a disk that is nearly full makes the others do: libra-web
// takes no new watches while its alarm is major.
func (b *board) guardDisk(was, is libra.Severity) {
	full := func(s libra.Severity) bool { return s.Rank() >= libra.Major.Rank() }
	switch {
	case full(is) && !full(was):
		b.act(diskAlarm, "new watches are refused until less than %g %% is in use", b.cfg.Disk.Major)
	case full(was) && !full(is):
		b.act(diskAlarm, "new watches are taken again")
	}
}
