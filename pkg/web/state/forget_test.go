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
	m.forget(start.Add(time.Minute))
	var kept []string
	for _, h := range m.Instances() {
		kept = append(kept, h.Heartbeat.Component+h.Heartbeat.Instance)
	}
	slices.Sort(kept)
	if want := []string{"libra-inspector1", "libra-inspector2", "libra-recorder1"}; !slices.Equal(kept, want) {
		t.Errorf("kept %v, want %v", kept, want)
	}
}
