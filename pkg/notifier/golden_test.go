package notifier_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/libra"
	"libra/pkg/notifier"
)

var update = flag.Bool("update", false, "write the golden files again")

// The runbook is where libra-web serves it, unless another place is named.
func TestRunbookLink(t *testing.T) {
	bus := libra.Transition{ID: "t", Host: "box", Alarm: libra.Alarm{ID: "bus", Target: "libra-bus", Severity: libra.Major, State: libra.Raised, Summary: "gone", Runbook: "#bus"}}
	for _, tt := range []struct{ base, runbook, want string }{
		{"https://libra.example/", "", "https://libra.example/runbook#bus"},
		{"https://example.org/tools/libra/", "", "https://example.org/tools/libra/runbook#bus"}, // below a path prefix
		{"https://libra.example", "https://docs.example/ops", "https://docs.example/ops#bus"},
		{"", "", "see docs/operations.md#bus"},
	} {
		_, mail := notifier.Written(notifier.Config{BaseURL: tt.base, RunbookURL: tt.runbook}, "alarm", bus.At, false, notifier.Notification{Transition: bus})
		if !strings.Contains(mail, tt.want) {
			t.Errorf("%+v: got %s", tt, mail)
		}
	}
}

// What people read, in every detail: in Slack and in a mail.
func TestWritten(t *testing.T) {
	at := time.Date(2026, 5, 3, 22, 10, 0, 0, time.UTC)
	cfg := notifier.Config{BaseURL: "https://libra.example/", RunbookURL: "https://libra.example/operations", Version: "1.2.3"}
	page := libra.Transition{ID: "t1", Host: "box", At: at, Alarm: libra.Alarm{
		ID: "page.budget.x", Scope: libra.ScopePage, Target: "https://example.org/?q=<b>&amp", Page: "x", Severity: libra.Minor, State: libra.Raised,
		Summary:  "<!channel> is over budget",
		Evidence: "total 5.1 MB, budget 3 MB: +2.2 MB of images since Tuesday, biggest: hero.png 1.9 MB; 3 inspections in a row failed",
		Runbook:  "#page-budget", Since: at, Group: "host:example.org",
	}}
	over := page
	over.ID, over.At = "t2", at.Add(63*time.Minute)
	over.Alarm.State, over.Alarm.Until, over.Alarm.Summary, over.Alarm.Evidence = libra.Cleared, over.At, "within budget again", "3 inspections in a row passed"
	bus := libra.Transition{ID: "t3", Host: "box", At: at, Alarm: libra.Alarm{
		ID: "bus", Scope: libra.ScopeComponent, Target: "libra-bus", Severity: libra.Critical, State: libra.Raised, Flapping: true,
		Summary: "The bus does not answer", Evidence: "no answer within 1s", Runbook: "#bus", Since: at,
	}}
	one := func(tr libra.Transition) notifier.Notification { return notifier.Notification{Transition: tr} }
	for _, c := range []struct {
		name, kind string
		at         time.Time
		repeat     bool
		list       []notifier.Notification
	}{
		{"raised", "alarm", at.Add(time.Second), false, []notifier.Notification{one(page)}},
		{"cleared", "alarm", over.At, false, []notifier.Notification{one(over)}},
		{"late", "alarm", at.Add(2 * time.Hour), true, []notifier.Notification{one(bus)}},
		{"held", "alarm", at.Add(2 * time.Hour), false, []notifier.Notification{{Transition: page, Suppressed: "it was silenced by ann until 3 May 24:00:00 UTC: <@U1>"}}},
		{"reminder", "reminder", at.Add(4 * time.Hour), false, []notifier.Notification{{Transition: bus, LastSent: at.Add(3 * time.Hour), Inhibits: 6}}},
		{"reminders", "reminder", at.Add(4 * time.Hour), false, []notifier.Notification{one(page), one(bus)}},
		{"digest", "alarm", over.At, false, []notifier.Notification{one(page), one(bus), one(over)}},
		{"group", "alarm", at.Add(10 * time.Second), false, []notifier.Notification{one(page), {Transition: func() libra.Transition {
			p := page
			p.Alarm.ID, p.Alarm.Target = "page.budget.y", "https://example.org/two"
			return p
		}()}}},
		{"trial", "trial", at, false, []notifier.Notification{{Transition: libra.Transition{Host: "box"}}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			msg, mail := notifier.Written(cfg, c.kind, c.at, c.repeat, c.list...)
			var got bytes.Buffer
			enc := json.NewEncoder(&got)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", " ")
			if err := enc.Encode(msg); err != nil {
				t.Fatal(err)
			}
			got.WriteString("---\n" + mail)
			file := filepath.Join("testdata", c.name+".golden")
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
		})
	}
}
