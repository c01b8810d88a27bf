package watchdog_test

import (
	"log/slog"
	"net/url"
	"os"
	"strings"
	"testing"

	"libra/pkg/libra"
	"libra/pkg/watchdog"
)

// Every alarm has its section in the runbook, under the anchor it names.
func TestRunbookHasEveryAlarm(t *testing.T) {
	doc, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	alarms := watchdog.New(watchdog.Config{Database: "/var/lib/libra/history/libra.db", UpgradeRecord: "/opt/libra/upgrade.json"}, watchdog.Deps{SQLite: &fakeTarget{}, Log: slog.Default()}).Alarms()
	if len(alarms) < 20 {
		t.Errorf("only %d alarms", len(alarms))
	}
	// What is named as a trouble; see pkg/notifier and settings.go.
	for _, anchor := range []string{"channel", "alarms-file", "settings"} {
		if !strings.Contains(string(doc), "\n### "+anchor+"\n") {
			t.Errorf("operations.md has no section %q", anchor)
		}
	}
	seen := map[string]bool{}
	for _, a := range alarms {
		heading := "\n### " + strings.TrimPrefix(a.Runbook, "#") + "\n"
		if strings.Count(string(doc), heading) != 1 {
			t.Errorf("alarm %q: docs/operations.md: add one section %q", a.ID, strings.TrimSpace(heading))
		}
		if strings.Trim(a.ID, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" || seen[a.ID] {
			t.Errorf("alarm id %q is taken, or not fit for a subject", a.ID)
		}
		seen[a.ID] = true
		if a.Target == "" || a.Summary == "" || a.Severity == "" || a.Scope == "" {
			t.Errorf("alarm %q is incomplete: %+v", a.ID, a)
		}
		// A message has the address of a page before the summary.
		if u, err := url.Parse(a.Target); a.Scope == libra.ScopePage && (err != nil || u.Hostname() == "" || strings.Contains(a.Summary, u.Hostname())) {
			t.Errorf("alarm %q about the page %q (%v): the summary %q must not name it", a.ID, a.Target, err, a.Summary)
		}
	}
}
