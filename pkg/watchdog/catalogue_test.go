package watchdog_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"log/slog"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/libra"
	"libra/pkg/watchdog"
)

var update = flag.Bool("update", false, "write the golden files again")

// Alarms of every kind are in a file, with their summaries and without evidence:
// pkg/notifier renders the messages about them from it.
func TestCatalogue(t *testing.T) {
	w := watchdog.New(watchdog.Config{
		Database: "/var/lib/libra/history/libra.db", UpgradeRecord: "/opt/libra/upgrade.json", Folder: "/var/lib/libra", Hostname: "box",
		Expect: []watchdog.Target{{Component: "libra-bus"}, {Component: "libra-web"}, {Component: "libra-inspector", Instance: "1"}, {Component: "libra-recorder"}, {Component: "libra-notifier"}},
	}, watchdog.Deps{SQLite: &fakeTarget{}, Log: slog.New(slog.DiscardHandler)})
	var list []libra.Alarm
	for _, a := range w.Alarms() {
		a.State = libra.Raised
		list = append(list, a)
	}
	var got bytes.Buffer
	enc := json.NewEncoder(&got)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "\t")
	if err := enc.Encode(list); err != nil {
		t.Fatal(err)
	}
	const file = "testdata/alarms.json"
	if *update {
		if err := os.WriteFile(file, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
