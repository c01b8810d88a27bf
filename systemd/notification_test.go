//go:build appliance

package systemd_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"libra/pkg/libra"
	"libra/systemd/harness"
)

// message is one to Slack, field by field, as people get it: with what Slack
// escapes unescaped.
type message struct {
	text    string   // the push preview
	header  string   // what it begins with
	colour  string   // of the bar beside the rest
	body    []string // sections and remarks, in order
	context string   // the last line
}

var unescape = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")

func newMessage(text string, blocks []slack.Block, attachments []slack.Attachment) message {
	m := message{text: unescape.Replace(text)}
	if len(blocks) == 1 {
		if h, ok := blocks[0].(*slack.HeaderBlock); ok {
			m.header = unescape.Replace(h.Text.Text)
		}
	}
	for _, a := range attachments {
		m.colour = a.Color
		for _, b := range a.Blocks.BlockSet {
			switch b := b.(type) {
			case *slack.SectionBlock:
				m.body = append(m.body, unescape.Replace(b.Text.Text))
			case *slack.ContextBlock:
				for _, e := range b.ContextElements.Elements {
					if t, ok := e.(*slack.TextBlockObject); ok {
						m.context = unescape.Replace(t.Text)
						m.body = append(m.body, m.context)
					}
				}
			}
		}
	}
	return m
}

// findAtWebhook is what Slack's webhook got, the first message that begins with text.
func findAtWebhook(text string) (m message, ok bool) {
	text = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(text)
	found := box.Sink.FindMessage(text)
	if found == nil {
		return m, false
	}
	data, err := json.Marshal(found)
	if err != nil {
		return m, false
	}
	var hook slack.WebhookMessage
	if json.Unmarshal(data, &hook) != nil || hook.Blocks == nil {
		return m, false
	}
	return newMessage(hook.Text, hook.Blocks.BlockSet, hook.Attachments), true
}

// slackChannels are those by which people are told in this suite: Slack's webhook, and
// a bot at slack-go's stand-in for Slack.
var slackChannels = []struct {
	name string
	find func(text string) (message, bool)
}{{"Slack's webhook", findAtWebhook}, {"slacktest", func(text string) (message, bool) { return bot.find(text) }}}

// kinds are the alarms that were told, by their anchors in the runbook.
var notifiedKinds = struct {
	mu  sync.Mutex
	set map[string]bool
}{set: map[string]bool{}}

// kindsNotNotified lists the sections of the runbook whose alarm no test has had told.
func kindsNotNotified() (list []string, err error) {
	doc, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		return nil, err
	}
	_, runbook, _ := strings.Cut(string(doc), "\n## Runbook\n")
	notifiedKinds.mu.Lock()
	defer notifiedKinds.mu.Unlock()
	for line := range strings.Lines(runbook) {
		if anchor, ok := strings.CutPrefix(strings.TrimSpace(line), "### "); ok && !notifiedKinds.set["#"+anchor] {
			list = append(list, anchor)
		}
	}
	return list, nil
}

// told wants an alarm told by every way, field by field, and the same in the
// API.
func wantNotified(t *testing.T, want libra.Alarm, evidence ...string) {
	t.Helper()
	wantAtSlack(t, want, evidence...)
	wantListed(t, want, evidence...)
}

// colours of the bar, by severity.
var colours = map[libra.Severity]string{libra.Minor: "#daa038", libra.Major: "#d9480f", libra.Critical: "#a30200"}

// atSlack wants an alarm told by every way, field by field.
func wantAtSlack(t *testing.T, want libra.Alarm, evidence ...string) {
	t.Helper()
	text := fmt.Sprintf("[%s] %s on %s: %s", want.Severity, want.Target, box.Name, want.Summary)
	header := strings.ToUpper(string(want.Severity[0])) + string(want.Severity[1:]) + ": " + headline(want.Target, want.Summary)
	by := notificationDeadline()
	for _, way := range slackChannels {
		m, ok := awaitMessage(t, way.name, way.find, text, by)
		if !ok {
			continue
		}
		if m.text != text || m.header != header || m.colour != colours[want.Severity] {
			t.Errorf("%s: text %q under the header %q, colour %s; want %q under %q, colour %s", way.name, m.text, m.header, m.colour, text, header, colours[want.Severity])
		}
		if len(m.body) < 3 || !strings.HasPrefix(m.body[1], "*Since* <!date^") {
			t.Errorf("%s: %q does not say since when it is", way.name, m.body)
			continue
		}
		for _, e := range evidence {
			if !strings.Contains(m.body[0], e) {
				t.Errorf("%s: evidence %q, want %q", way.name, m.body[0], e)
			}
		}
		begins, ends := want.Target+" · host "+box.Name+" · Libra ", " · alarm "+want.ID+" · see docs/operations.md"+want.Runbook
		if !strings.HasPrefix(m.context, begins) || !strings.HasSuffix(m.context, ends) {
			t.Errorf("%s: context %q, want %q and %q", way.name, m.context, begins, ends)
		}
	}
	notifiedKinds.mu.Lock()
	defer notifiedKinds.mu.Unlock()
	notifiedKinds.set[want.Runbook] = true
}

// headline names the page of an alarm about one, once.
func headline(target, summary string) string {
	_, page, ok := strings.Cut(target, "://")
	if !ok || strings.Contains(summary, target) {
		return summary
	}
	return strings.TrimSuffix(page, "/") + ": " + summary
}

// deadline is until when people must have been told.
func notificationDeadline() time.Time { return time.Now().Add(30 * time.Second) }

// arrived waits for a message that begins with text.
func awaitMessage(t *testing.T, way string, find func(string) (message, bool), text string, by time.Time) (m message, ok bool) {
	t.Helper()
	took, ok := harness.Within(time.Until(by), func() bool { m, ok = find(text); return ok })
	if !ok {
		t.Errorf("%s: nobody was told %q; told was:\n%s", way, text, strings.Join(append(box.Sink.Messages(), bot.all()...), "\n---\n"))
		return m, false
	}
	t.Logf("%s: %s: told after %s", way, text, took.Round(time.Millisecond))
	return m, true
}

// over wants the end of an alarm told by every way.
func wantCleared(t *testing.T, target, summary string) {
	t.Helper()
	text := fmt.Sprintf("[cleared] %s on %s: %s", target, box.Name, summary)
	by := notificationDeadline()
	for _, way := range slackChannels {
		m, ok := awaitMessage(t, way.name, way.find, text, by)
		if ok && (!strings.HasPrefix(m.text, text) || m.header != "Cleared: "+headline(target, summary) || m.colour != "#2eb886" ||
			!slices.ContainsFunc(m.body, func(s string) bool { return strings.HasPrefix(s, "*Down for* ") })) {
			t.Errorf("%s: %+v, want %q", way.name, m, text)
		}
	}
}

// alarmDoc is what the API says of one alarm.
type alarmDoc struct {
	libra.Alarm
	Actions []struct{ By, Text string }
}

func alarmOf(t testing.TB, id string) (a alarmDoc, known bool) {
	t.Helper()
	code, body := box.Get(t, "/api/alarms/"+id)
	if code != http.StatusOK {
		return a, false
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return a, true
}

// listed wants an alarm in the API.
func wantListed(t *testing.T, want libra.Alarm, evidence ...string) {
	t.Helper()
	var a alarmDoc
	harness.Within(20*time.Second, func() (known bool) { a, known = alarmOf(t, want.ID); return known && a.State == libra.Raised })
	if a.ID != want.ID || a.Severity != want.Severity || a.Target != want.Target || a.Summary != want.Summary || a.Runbook != want.Runbook ||
		a.Scope != want.Scope || a.State != libra.Raised || a.Since.IsZero() || a.Page != want.Page {
		t.Errorf("the API says %+v, want %+v", a, want)
	}
	for _, e := range evidence {
		if !strings.Contains(a.Evidence, e) {
			t.Errorf("the API's evidence is %q, want %q", a.Evidence, e)
		}
	}
}

// actions wants the timeline of an alarm to say what was done.
func wantAction(t *testing.T, id, text string) {
	t.Helper()
	var a alarmDoc
	_, ok := harness.Within(15*time.Second, func() bool {
		a, _ = alarmOf(t, id)
		for _, done := range a.Actions {
			if done.By == "libra-watchdog" && strings.Contains(done.Text, text) {
				return true
			}
		}
		return false
	})
	if !ok {
		t.Errorf("what was done about %s is %+v, want %q", id, a.Actions, text)
	}
}

// quiet waits until no part is said to be unwell, as those are that an earlier
// test has stopped, and forgets what was told of them. An alarm that flaps is
// not waited for.
func awaitNoAlarms(t *testing.T) {
	t.Helper()
	box.EnsureHealthy(t)
	var open []string
	_, ok := harness.Within(30*time.Second, func() bool {
		var list struct{ Alarms []libra.Alarm }
		code, body := box.Get(t, "/api/alarms?state=raised")
		if err := json.Unmarshal([]byte(body), &list); code != http.StatusOK || err != nil {
			return false
		}
		open = nil
		for _, a := range list.Alarms {
			if a.Scope == libra.ScopeComponent && !a.Flapping && !strings.HasPrefix(a.ID, "restarts.") {
				open = append(open, a.ID+": "+a.Evidence)
			}
		}
		return len(open) == 0
	})
	if !ok {
		t.Fatalf("still raised: %q", open)
	}
	box.Sink.Reset()
	bot.forget()
}
