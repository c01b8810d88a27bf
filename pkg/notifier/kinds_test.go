package notifier_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"libra/pkg/libra"
	"libra/pkg/notifier"
)

// evidences are an example for each kind of alarm, by its anchor in the runbook.
var evidences = map[string]string{
	"alarms-file":      `alarms.toml:12: unknown key colour in a channel of type slack: use name, type, credential`,
	"beat-bus":         `no heartbeat for 2.5 s, limit 2 s; the last was of process 58: "12 streams"`,
	"beat-inspector":   "libra-inspector@1.service is inactive: it was stopped, and has not failed",
	"beat-notifier":    "libra-notifier.service has failed: exit code 2, its configuration is wrong",
	"beat-recorder":    `no heartbeat for 2.5 s, limit 2 s; the last was of process 61: "recording into /var/lib/libra/history/libra.db"`,
	"beat-web":         "libra-web.service has failed (signal); systemd has given it up after 20 restarts, too many in too short a time (start-limit-hit)",
	"behind":           "since 3 May 2026, 22:09:50 UTC, limit 5 s; database is locked",
	"bus":              "no answer within 1 s; libra-bus.service is inactive: it was stopped, and has not failed",
	"channel":          `failing since 3 May 2026, 22:09:50 UTC: Slack answered 404 Not Found: "no_service"`,
	"disk":             "space 91.2 % used, limit 90 %, 1.8 GB free",
	"history":          "1 beside the database, the newest /var/lib/libra/history/libra.db.damaged-20260503T220900.000Z, 1 min old, an alarm for 7 days",
	"lost":             "476 reports, the newest gap found 3 May 2026, 22:09:50 UTC; an alarm for 7 days, or until it is acknowledged",
	"memory":           "some process waited for memory during 27.0 % of the last minute, limit 25 %, 31.2 MB of 512.0 MB available",
	"page-budget":      "total is 320.0 kB, 12.8 kB over its budget of 307.2 kB (300 KB in the file); +20.1 kB of images since 2 May 2026, 08:00:00 UTC, biggest: hero.png 190.0 kB; 3 inspections in a row failed",
	"page-certificate": "expires on 9 May 2026, 12:00:00 UTC, in 5 days 14 h, limit 7 days",
	"page-down":        "HTTP 500 Internal Server Error; 3 inspections in a row failed",
	"page-missed":      "no report for 41 s; one is due every 10 s, limit 40 s",
	"quarantine":       "the page ended its inspector 3 times and is in quarantine, the last time: out of memory",
	"queue":            "12 requests waiting, the oldest for 5 min 1 s, limit 5 min",
	"restarts":         "systemd restarted it 5 times within 10 min, limit 5",
	"settings":         `libra-watchdog: invalid LIBRA_INSPECTORS "many": must be a whole number from 1 to 1000; 2 is in effect`,
	"sqlite":           "/var/lib/libra/history/libra.db: permission denied",
	"upgrade":          "libra-notifier.service: it does not start (exit-code): panic: nil pointer; 3 May 2026, 22:09:50 UTC, an alarm for 24 h or until an upgrade succeeds",
	"web":              "GET http://127.0.0.1:8080/up answered 500 Internal Server Error, 200 wanted",
}

// kinds are an alarm of every kind: those that the watchdog finds itself, and those
// that components name in their heartbeats.
func kinds(t *testing.T) []libra.Alarm {
	data, err := os.ReadFile("../watchdog/testdata/alarms.json") // TestCatalogue writes it
	if err != nil {
		t.Fatal(err)
	}
	var list []libra.Alarm
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	list = slices.DeleteFunc(list, func(a libra.Alarm) bool { // the same kind of another component
		was := seen[a.Runbook]
		seen[a.Runbook] = true
		return was
	})
	return append(list,
		libra.Alarm{ID: "alarms-file", Scope: libra.ScopeComponent, Target: "alarms.toml", Severity: libra.Minor, State: libra.Raised, Summary: "alarms.toml is invalid: the last valid one stays in force", Runbook: "#alarms-file"},
		libra.Alarm{ID: "channel.ops", Scope: libra.ScopeComponent, Target: "channel ops", Severity: libra.Major, State: libra.Raised, Summary: "Notifications cannot be sent through the channel ops", Runbook: "#channel"},
		libra.Alarm{ID: "settings", Scope: libra.ScopeComponent, Target: "libra.env", Severity: libra.Minor, State: libra.Raised, Summary: "Settings are invalid and not in effect", Runbook: "#settings"},
	)
}

// Every section of the runbook is of a kind of alarm whose meaning is known.
func TestEveryKindOfTheRunbook(t *testing.T) {
	doc, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, runbook, _ := strings.Cut(string(doc), "\n## Runbook\n")
	known := map[string]bool{}
	for _, a := range kinds(t) {
		known[a.Runbook] = true
	}
	for line := range strings.Lines(runbook) {
		if anchor, ok := strings.CutPrefix(strings.TrimSpace(line), "### "); ok && !known["#"+anchor] {
			t.Errorf("no message about an alarm of the section %q is in testdata/kinds.golden", anchor)
		}
	}
}

// What somebody reads who was just woken, of every kind of alarm: as Slack shows
// it, as a mail, and what a webhook gets beside the alarm itself. Every message
// says what is wrong, of what, since when, who is affected and what to do first,
// and leads to the alarm and to its section of the runbook.
func TestEveryKind(t *testing.T) {
	at := time.Date(2026, 5, 3, 22, 10, 0, 0, time.UTC)
	cfg := notifier.Config{BaseURL: "http://box:8080", Version: "1.2.3"}
	var got strings.Builder
	for _, a := range kinds(t) {
		kind := strings.TrimPrefix(a.Runbook, "#")
		a.Since, a.Evidence = at, evidences[kind]
		raised := libra.Transition{ID: "t1", Host: "box", At: at, Alarm: a}
		cleared := libra.Transition{ID: "t2", Host: "box", At: at.Add(35 * time.Second), Alarm: a}
		cleared.Alarm.State, cleared.Alarm.Until, cleared.Alarm.Evidence = libra.Cleared, cleared.At, "3 probes in a row passed"
		msg, mail := notifier.Written(cfg, "alarm", at, false, notifier.Notification{Transition: raised})
		shown := blocks(msg.(*slack.WebhookMessage))
		hook := notifier.Hooked(cfg, at, notifier.Notification{Transition: raised})
		_, over := notifier.Written(cfg, "alarm", cleared.At, false, notifier.Notification{Transition: cleared})
		lasted := regexp.MustCompile(`(?m)^.* for 35 s, 3 May.*$`).FindString(over)
		fmt.Fprintf(&got, "=== %s\n--- Slack\n%s--- mail\n%s--- webhook\n%s\n--- mail, cleared\n%s\n\n", kind, shown, mail, hook, lasted)
		if a.Evidence == "" {
			t.Errorf("%s: no example of its evidence", kind)
		}
		for _, want := range []string{a.Summary, a.Target, "*Since* <!date^1777846200^", "*Affected:* ", "*First:* ", "http://box:8080/alarms/" + a.ID, "http://box:8080/runbook" + a.Runbook} {
			if !strings.Contains(shown, want) {
				t.Errorf("%s: the message lacks %q:\n%s", kind, want, shown)
			}
		}
		for _, want := range []string{a.Summary, a.Target, "\nSince 3 May 2026, 22:10:00 UTC\n", "\nAffected: ", "\nFirst: ", "\nAlarm: http://box:8080/alarms/" + a.ID, "\nRunbook: http://box:8080/runbook" + a.Runbook} {
			if !strings.Contains(mail, want) {
				t.Errorf("%s: the mail lacks %q:\n%s", kind, want, mail)
			}
		}
		isDown := strings.HasPrefix(kind, "beat-") || slices.Contains([]string{"bus", "web", "page-down"}, kind)
		if down := strings.HasPrefix(lasted, "Down for"); down != isDown || lasted == "" {
			t.Errorf("%s: it is cleared: %q; was it down: %v", kind, over, isDown)
		}
	}
	const file = "testdata/kinds.golden"
	if *update {
		if err := os.WriteFile(file, []byte(got.String()), 0o644); err != nil {
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

// blocks are the texts of a message as Slack shows them, a line each.
func blocks(m *slack.WebhookMessage) string {
	var b strings.Builder
	fmt.Fprintf(&b, "preview: %s\n", m.Text)
	list := slices.Clone(m.Blocks.BlockSet)
	for _, a := range m.Attachments {
		list = append(list, a.Blocks.BlockSet...)
	}
	for _, block := range list {
		switch block := block.(type) {
		case *slack.HeaderBlock:
			fmt.Fprintf(&b, "header: %s\n", block.Text.Text)
		case *slack.SectionBlock:
			fmt.Fprintf(&b, "section: %s\n", strings.ReplaceAll(block.Text.Text, "\n", "\nsection: "))
		case *slack.ActionBlock:
			for _, e := range block.Elements.ElementSet {
				button := e.(*slack.ButtonBlockElement)
				fmt.Fprintf(&b, "button: %s %s\n", button.Text.Text, button.URL)
			}
		case *slack.ContextBlock:
			for _, e := range block.ContextElements.Elements {
				fmt.Fprintf(&b, "context: %s\n", e.(*slack.TextBlockObject).Text)
			}
		}
	}
	return b.String()
}
