package notifier_test

import (
	"testing"
	"time"

	"libra/pkg/libra"
	"libra/pkg/notifier"
	"libra/pkg/rules"
)

var noon = time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)

func before(d time.Duration) time.Time { return noon.Add(-d) }

// openAlarm is a raised alarm "web" whose newest raise is "b". notified is the
// raise that the channel was notified of last.
func openAlarm(notified string, change ...func(*notifier.Entry)) notifier.Entry {
	e := notifier.Entry{Notified: notified, Now: libra.Transition{ID: "b", At: before(time.Minute), Alarm: libra.Alarm{
		ID: "web", Scope: libra.ScopeComponent, Severity: libra.Major, State: libra.Raised, Since: before(24 * time.Hour),
	}}}
	for _, c := range change {
		c(&e)
	}
	return e
}

// The three triggers of a notification.
const (
	never = ""  // the channel was not notified of the alarm
	older = "a" // it was, of an earlier raise
	same  = "b" // it was, and nothing happened since
)

// stageTest is what a stage says about one alarm.
type stageTest struct {
	name   string
	entry  notifier.Entry
	passes bool
	reason string
}

func (s stageTest) run(t *testing.T, stage string, stages notifier.Stages) {
	t.Helper()
	if passes, reason := stages.Check(stage, s.entry, noon); passes != s.passes || reason != s.reason {
		t.Errorf("%s: passes %v (%q), want %v (%q)", s.name, passes, reason, s.passes, s.reason)
	}
}

func routesTo(channel string) rules.File {
	f := rules.Defaults()
	f.Routes = []rules.Route{{Channels: []string{channel}}}
	return f
}

func TestRouteStage(t *testing.T) {
	const why = "a route sent it to other channels"
	for _, tt := range []stageTest{
		{"new alarm", openAlarm(never), false, why},
		{"change of a known alarm", openAlarm(older), true, ""},
		{"reminder", openAlarm(same), false, why},
	} {
		tt.run(t, "route", notifier.NewStages(routesTo("other")))
		tt.passes, tt.reason = true, ""
		tt.run(t, "route", notifier.NewStages(routesTo("ops")))
	}
}

func TestInhibitStage(t *testing.T) {
	bus := libra.Transition{ID: "x", Alarm: libra.Alarm{ID: "bus", State: libra.Raised}}
	caused := func(e *notifier.Entry) { e.Now.Alarm.Cause = "bus" }
	ownCause := func(e *notifier.Entry) { e.Now.Alarm.Cause = "web" }
	const why = "it was inhibited by the alarm bus"
	raised := notifier.NewStages(rules.Defaults())
	raised.Open(notifier.Entry{Now: bus})
	raised.Open(openAlarm(never, ownCause))
	for _, tt := range []stageTest{
		{"new alarm", openAlarm(never, caused), false, why},
		{"change of a known alarm", openAlarm(older, caused), true, ""},
		{"reminder", openAlarm(same, caused), false, why},
		{"no cause", openAlarm(never), true, ""},
		{"its own cause", openAlarm(never, ownCause), true, ""},
	} {
		tt.run(t, "inhibit", raised)
	}
	settling := func(cleared time.Duration) notifier.Stages {
		s := notifier.NewStages(rules.Defaults())
		bus.At = before(cleared)
		s.Close(bus)
		return s
	}
	stageTest{"settling", openAlarm(never, caused), false, why}.run(t, "inhibit", settling(4999*time.Millisecond))
	stageTest{"settled", openAlarm(never, caused), true, ""}.run(t, "inhibit", settling(5*time.Second))
	stageTest{"reminder, settling", openAlarm(same, caused), true, ""}.run(t, "inhibit", settling(time.Second))
	stageTest{"cause never raised", openAlarm(never, caused), true, ""}.run(t, "inhibit", notifier.NewStages(rules.Defaults()))
}

func TestSilenceStage(t *testing.T) {
	silence := libra.Silence{ID: "s", Match: libra.Match{Alarm: "web"}, From: before(time.Hour), Until: noon.Add(time.Hour), By: "ann", Why: "moving house"}
	stages := notifier.NewStages(rules.Defaults(), libra.Note{ID: "n", Kind: libra.Silenced, At: before(time.Hour), Silence: &silence})
	const why = "it was silenced by ann until 3 May 2026, 13:00:00 UTC: moving house"
	for _, tt := range []stageTest{
		{"new alarm", openAlarm(never), false, why},
		{"change of a known alarm", openAlarm(older), false, why},
		{"reminder", openAlarm(same), false, why},
		{"another alarm", openAlarm(never, func(e *notifier.Entry) { e.Now.Alarm.ID = "bus" }), true, ""},
	} {
		tt.run(t, "silence", stages)
	}
	if passes, _ := stages.Check("silence", openAlarm(never), noon.Add(time.Hour)); !passes {
		t.Error("an alarm is silenced at the end of the silence")
	}
}

func TestGroupStage(t *testing.T) {
	grouped := func(e *notifier.Entry) { e.Now.Alarm.Group = "host:example.org" }
	for _, tt := range []struct {
		ago time.Duration
		stageTest
	}{
		{9 * time.Second, stageTest{"second of a group", openAlarm(never, grouped), false, ""}},
		{10 * time.Second, stageTest{"late one of a group", openAlarm(never, grouped), true, ""}},
		{0, stageTest{"same moment", openAlarm(never, grouped), true, ""}},
		{time.Second, stageTest{"no group", openAlarm(never), true, ""}},
		{time.Second, stageTest{"change of a known alarm", openAlarm(older, grouped), true, ""}},
		{time.Second, stageTest{"reminder", openAlarm(same, grouped), true, ""}},
	} {
		stages := notifier.NewStages(rules.Defaults())
		stages.Group(libra.Alarm{ID: "first", Group: "host:example.org"}, before(tt.ago))
		tt.run(t, "group", stages)
	}
}

func TestDedupStage(t *testing.T) {
	sent := func(ago time.Duration, s libra.Severity) notifier.Entry {
		return openAlarm(same, func(e *notifier.Entry) { e.LastSent, e.Now.Alarm.Severity = before(ago), s })
	}
	for _, tt := range []stageTest{
		{"new alarm", openAlarm(never), true, ""},
		{"change of a known alarm", openAlarm(older), true, ""},
		{"sent just now", sent(0, libra.Critical), false, ""},
		{"critical, 1 h ago", sent(time.Hour, libra.Critical), true, ""},
		{"major, 1 h ago", sent(time.Hour, libra.Major), false, ""},
		{"major, 4 h ago", sent(4*time.Hour, libra.Major), true, ""},
		{"minor, a day ago", sent(24*time.Hour, libra.Minor), true, ""},
		{"info, a month ago: no reminders", sent(720*time.Hour, libra.Info), false, ""},
	} {
		tt.run(t, "deduplicate", notifier.NewStages(rules.Defaults()))
	}
	ack := libra.Note{ID: "n", Kind: libra.Acknowledged, At: before(2 * time.Hour), Alarm: "web"}
	acknowledged := notifier.NewStages(rules.Defaults(), ack)
	stageTest{"acknowledged", sent(time.Hour, libra.Critical), false, ""}.run(t, "deduplicate", acknowledged)
	stageTest{"acknowledged before it was sent", openAlarm(never), true, ""}.run(t, "deduplicate", acknowledged)
	raisedAgain := sent(time.Hour, libra.Critical)
	raisedAgain.Now.Alarm.Since = before(time.Hour)
	stageTest{"an earlier raise was acknowledged", raisedAgain, true, ""}.run(t, "deduplicate", acknowledged)
}
