package watchdog_test

import (
	"fmt"
	"strings"
	"testing"

	"libra/pkg/event"
	"libra/pkg/watchdog"
)

// However many instances a component makes up, those that are expected have a place.
func TestForgedInstances(t *testing.T) {
	expected := []watchdog.Target{{Component: "libra-inspector", Instance: "1"}, {Component: "libra-recorder"}}
	var beats []event.Heartbeat
	add := func(component, instance string) {
		beats = append(beats, event.Heartbeat{Component: component, Instance: instance, PID: 1, Status: strings.Repeat("s", 100_000)})
	}
	for n := range 2000 {
		add("libra-inspector", fmt.Sprintf("forged-%d", n))
	}
	add("libra-inspector", "1")
	add("libra-recorder", "1")
	kept, bytes := watchdog.Received(expected, beats)
	for _, want := range []watchdog.Target{expected[0], expected[1]} {
		if !kept[want] {
			t.Errorf("%v is forgotten", want)
		}
	}
	if len(kept) > 300 || bytes > 8_000_000 {
		t.Errorf("%d targets with %d bytes of text", len(kept), bytes)
	}
}
