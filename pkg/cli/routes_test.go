package cli

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"libra/pkg/libra"
)

// Every kind of alarm that the watchdog raises is among the kinds whose routes are
// shown, with its scope, its severity and an id of its form.
func TestRoutedKindsAreAll(t *testing.T) {
	data, err := os.ReadFile("../watchdog/testdata/alarms.json")
	if err != nil {
		t.Fatal(err)
	}
	var alarms []libra.Alarm
	if err := json.Unmarshal(data, &alarms); err != nil {
		t.Fatal(err)
	}
	kinds := routedKinds("https://www.example.org/")
	stem := func(id string) string { // without the page, or the instance
		return strings.Join(strings.Split(id, ".")[:min(2, strings.Count(id, ".")+1)], ".")
	}
	for _, a := range alarms {
		ok := slices.ContainsFunc(kinds, func(k routedKind) bool {
			return "#"+k.kind == a.Runbook && k.example.Scope == a.Scope && slices.Contains(k.severities, a.Severity) &&
				(stem(k.example.ID) == stem(a.ID) || k.kind == "restarts" || k.kind == "quarantine")
		})
		if !ok {
			t.Errorf("alarm %s of kind %s, %s, %s is not among the kinds", a.ID, a.Runbook, a.Scope, a.Severity)
		}
	}
	for _, k := range kinds { // those of heartbeats are troubles, which the watchdog does not make
		if !slices.ContainsFunc(alarms, func(a libra.Alarm) bool { return a.Runbook == "#"+k.kind }) && !slices.Contains([]string{"channel", "alarms-file", "settings"}, k.kind) {
			t.Errorf("no alarm is of kind %s", k.kind)
		}
	}
}
