package state

import (
	"slices"
	"testing"
	"time"

	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// Of what has been silent for long, the last of each component stays, and what an
// alarm is raised about: it is missed. An instance that nobody misses is forgotten.
func TestForgetKeepsWhatIsMissed(t *testing.T) {
	m := newState(Bounds{}).Memory
	start := time.Unix(1_800_000_000, 0)
	for _, b := range []event.Heartbeat{
		{Component: component.Recorder, Instance: "1"},
		{Component: component.Inspector, Instance: "1"},
		{Component: component.Inspector, Instance: "2"},
		{Component: component.Inspector, Instance: "3"},
	} {
		m.beat(b, start)
	}
	m.beat(event.Heartbeat{Component: component.Inspector, Instance: "1"}, start.Add(time.Hour))
	m.alarm(libra.Transition{Alarm: libra.Alarm{ID: "beat.inspector.2", State: libra.Raised, Severity: libra.Major, Since: start}, At: start})
	m.forget(start.Add(time.Minute), start.Add(time.Minute))
	var kept []string
	for _, h := range m.Instances() {
		kept = append(kept, h.Heartbeat.Component+h.Heartbeat.Instance)
	}
	slices.Sort(kept)
	if want := []string{"libra-inspector1", "libra-inspector2", "libra-recorder1"}; !slices.Equal(kept, want) {
		t.Errorf("kept %v, want %v", kept, want)
	}
}

// What people have started beside libra.target, and stopped, is forgotten sooner: nothing is
// missing without it. One that an alarm says is missing stays.
func TestForgetWhatPeopleHaveStopped(t *testing.T) {
	m := newState(Bounds{}).Memory
	start := time.Unix(1_800_000_000, 0)
	for _, b := range []event.Heartbeat{
		{Component: component.Lab, Instance: "1"},
		{Component: component.Inspector, Instance: "2"},
		{Component: component.Inspector, Instance: "3"},
		{Component: component.Inspector, Instance: "4"},
	} {
		m.beat(b, start)
	}
	m.alarm(libra.Transition{Alarm: libra.Alarm{ID: "beat.inspector.4", State: libra.Raised, Severity: libra.Major, Since: start}, At: start})
	kept := func() (names []string) {
		for _, h := range m.Instances() {
			names = append(names, h.Heartbeat.Component+h.Heartbeat.Instance)
		}
		slices.Sort(names)
		return names
	}
	m.forget(start.Add(-time.Minute), start)
	if got := kept(); len(got) != 4 {
		t.Errorf("kept %v of four that are not silent for long", got)
	}
	m.forget(start.Add(-time.Minute), start.Add(time.Second))
	if got, want := kept(), []string{"libra-inspector2", "libra-inspector4"}; !slices.Equal(got, want) {
		t.Errorf("kept %v, want %v", got, want)
	}
}
