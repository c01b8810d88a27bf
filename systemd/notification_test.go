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

// message is a Slack message as people see it, unescaped.
type message struct {
	text    string   // the push preview
	header  string   // the header block
	colour  string   // of the bar beside the body
	body    []string // sections and contexts, in order
	context string   // the last context
	links   []string // of the buttons
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
			case *slack.ActionBlock:
				for _, e := range b.Elements.ElementSet {
					if button, ok := e.(*slack.ButtonBlockElement); ok {
						m.links = append(m.links, button.URL)
					}
				}
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

// findAtWebhook returns the first message to Slack's webhook that contains text.
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

// slackChannels are the channels of this suite: Slack's webhook, and a bot at
// slacktest, slack-go's stand-in for Slack.
var slackChannels = []struct {
	name string
	find func(text string) (message, bool)
}{{"Slack's webhook", findAtWebhook}, {"slacktest", func(text string) (message, bool) { return bot.find(text) }}}

// notifiedKinds are the kinds of alarms that were notified, by their anchors in the
// runbook.
var notifiedKinds = struct {
	mu  sync.Mutex
	set map[string]bool
}{set: map[string]bool{}}

// kindsNotNotified lists the sections of the runbook whose alarm was not notified.
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

// wantNotified wants an alarm in every Slack channel and in the API, with all its
// fields.
func wantNotified(t *testing.T, want libra.Alarm, evidence ...string) {
	t.Helper()
	wantAtSlack(t, want, evidence...)
	wantListed(t, want, evidence...)
}

// colours of the bar, by severity.
var colours = map[libra.Severity]string{libra.Minor: "#daa038", libra.Major: "#d9480f", libra.Critical: "#a30200"}

// wantAtSlack wants an alarm in every Slack channel, with all its fields.
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
			t.Errorf("%s: %q has no time of raising", way.name, m.body)
			continue
		}
		for _, e := range evidence {
			if !strings.Contains(m.body[0], e) {
				t.Errorf("%s: evidence %q, want %q", way.name, m.body[0], e)
			}
		}
		base := fmt.Sprintf("http://%s:%d", box.Name, box.Port) // no LIBRA_BASE_URL is set
		for _, link := range []string{base + "/alarms/" + want.ID, base + "/runbook" + want.Runbook} {
			if !slices.Contains(m.links, link) {
				t.Errorf("%s: links %q, want %q", way.name, m.links, link)
			}
		}
		if all := strings.Join(m.body, "\n"); !strings.Contains(all, "*Affected:* ") || !strings.Contains(all, "\n*First:* ") {
			t.Errorf("%s: it does not say who is affected and what to do first: %q", way.name, m.body)
		}
		begins, ends := want.Target+" · host "+box.Name+" · Libra ", " · alarm "+want.ID
		if !strings.HasPrefix(m.context, begins) || !strings.HasSuffix(m.context, ends) {
			t.Errorf("%s: context %q, want %q and %q", way.name, m.context, begins, ends)
		}
	}
	notifiedKinds.mu.Lock()
	defer notifiedKinds.mu.Unlock()
	notifiedKinds.set[want.Runbook] = true
}

// headline is the headline of an alarm, which names a page once.
func headline(target, summary string) string {
	_, page, ok := strings.Cut(target, "://")
	if !ok || strings.Contains(summary, target) {
		return summary
	}
	return strings.TrimSuffix(page, "/") + ": " + summary
}

// notificationDeadline is the time until which a message must arrive.
func notificationDeadline() time.Time { return time.Now().Add(30 * time.Second) }

// awaitMessage waits for a message that begins with text.
func awaitMessage(t *testing.T, way string, find func(string) (message, bool), text string, by time.Time) (m message, ok bool) {
	t.Helper()
	took, ok := harness.Within(time.Until(by), func() bool { m, ok = find(text); return ok })
	if !ok {
		t.Errorf("%s: no message %q; messages:\n%s", way, text, strings.Join(append(box.Sink.Messages(), bot.all()...), "\n---\n"))
		return m, false
	}
	t.Logf("%s: %s: sent after %s", way, text, took.Round(time.Millisecond))
	return m, true
}

// wantCleared wants the clearing of an alarm in every Slack channel.
func wantCleared(t *testing.T, target, summary string) {
	t.Helper()
	text := fmt.Sprintf("[cleared] %s on %s: %s", target, box.Name, summary)
	by := notificationDeadline()
	for _, way := range slackChannels {
		m, ok := awaitMessage(t, way.name, way.find, text, by)
		if ok && (!strings.HasPrefix(m.text, text) || m.header != "Cleared: "+headline(target, summary) || m.colour != "#2eb886" ||
			!slices.ContainsFunc(m.body, func(s string) bool { return strings.HasPrefix(s, "*") && strings.Contains(s, " for* ") })) {
			t.Errorf("%s: %+v, want %q", way.name, m, text)
		}
	}
}

// alarmDoc is the API's response for one alarm.
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

// wantListed wants a raised alarm in the API.
func wantListed(t *testing.T, want libra.Alarm, evidence ...string) {
	t.Helper()
	var a alarmDoc
	harness.Within(20*time.Second, func() (known bool) { a, known = alarmOf(t, want.ID); return known && a.State == libra.Raised })
	if a.ID != want.ID || a.Severity != want.Severity || a.Target != want.Target || a.Summary != want.Summary || a.Runbook != want.Runbook ||
		a.Scope != want.Scope || a.State != libra.Raised || a.Since.IsZero() || a.Page != want.Page {
		t.Errorf("the API has %+v, want %+v", a, want)
	}
	for _, e := range evidence {
		if !strings.Contains(a.Evidence, e) {
			t.Errorf("the evidence in the API is %q, want %q", a.Evidence, e)
		}
	}
}

// wantAction wants an action of the watchdog in the timeline of an alarm.
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
		t.Errorf("the actions on %s are %+v, want %q", id, a.Actions, text)
	}
}

// awaitNoAlarms waits until no alarm of a component is raised, as those of an
// earlier test are, and resets the stand-ins for Slack. It does not wait for an
// alarm that flaps.
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

// The links of messages lead to pages, although nobody has said where libra-web is
// reached.
func TestLinksOfMessagesLeadToPages(t *testing.T) {
	awaitNoAlarms(t)
	t.Cleanup(func() { box.EnsureHealthy(t) })
	box.Systemctl(t, "stop", "libra-inspector@1", "libra-inspector@2")
	m, ok := awaitMessage(t, "Slack's webhook", findAtWebhook, "[major] libra-inspector@1 was stopped; libra-inspector@2 was stopped on "+box.Name, notificationDeadline())
	if !ok {
		return
	}
	if len(m.links) != 2 {
		t.Errorf("links %q", m.links)
	}
	for _, link := range m.links {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, strings.Replace(link, "//"+box.Name+":", "//127.0.0.1:", 1), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = fmt.Sprint(box.Name, ":", box.Port)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.HasPrefix(link, "http://"+req.Host+"/") {
			t.Errorf("%s: %s", link, resp.Status)
		}
	}
}
