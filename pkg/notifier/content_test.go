package notifier_test

import (
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"libra/pkg/bus/bustest"
	"libra/pkg/libra"
	"libra/pkg/notifier"
)

// Nothing that a page says of itself reaches Slack as markup.
func TestEscaping(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	d := newFixture(t, s)
	d.cfg.BaseURL = "https://libra.example"
	d.run()
	tr := transition("web", 1)
	tr.Alarm.Scope, tr.Alarm.Target = libra.ScopePage, "https://example.org/?a=1&b=<2>"
	tr.Alarm.Summary = "<!channel> & <@U1>\nsecond\u202e line"
	tr.Alarm.Evidence = strings.Repeat("<&>", 3000)
	tr.Host = "<!here>"
	d.publish(tr)
	wantTexts(t, s, "[major] https://example.org/?a=1&amp;b=&lt;2&gt; on &lt;!here&gt;: &lt;!channel&gt; &amp; &lt;@U1&gt; second line")
	m := s.messages()[0]
	whole, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	ours := regexp.MustCompile(`\\u003c!date\^[^>]*?\\u003e`)
	if rest := ours.ReplaceAllString(string(whole), ""); strings.Contains(rest, `\u003c`) {
		t.Errorf("not escaped: %s", rest)
	}
	evidence := m.Attachments[0].Blocks.BlockSet[0].(*slack.SectionBlock).Text.Text
	if len([]rune(evidence)) > 3000 || !strings.HasSuffix(evidence, ";…") {
		t.Errorf("evidence of %d characters ends in %q", len([]rune(evidence)), evidence[len(evidence)-20:])
	}
	url := m.Attachments[0].Blocks.BlockSet[3].(*slack.ActionBlock).Elements.ElementSet[1].(*slack.ButtonBlockElement).URL
	if want := "https://libra.example/pages/" + libra.PageID(tr.Alarm.Target); url != want {
		t.Errorf("report at %q, want %q", url, want)
	}
}

// A flapping alarm is called so once: the watchdog's summary says it already.
func TestFlappingIsSaidOnce(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	d := newFixture(t, s)
	d.run()
	tr := transition("web", 1)
	tr.Alarm.Flapping, tr.Alarm.Target, tr.Alarm.Summary, tr.Host = true, "libra-web", "It does not answer (flapping)", "box"
	d.publish(tr)
	wantTexts(t, s, "[major] libra-web on box: It does not answer (flapping)")
}

// The heading of an alarm about a page begins with its address, whatever the
// summary says; others have their summary only.
func TestHeading(t *testing.T) {
	for _, c := range []struct {
		alarm libra.Alarm
		want  string
	}{
		{libra.Alarm{Scope: libra.ScopePage, Target: "https://example.org/a/", Summary: "The page is down"}, "Major: example.org/a: The page is down"},
		{libra.Alarm{Scope: libra.ScopePage, Target: "http://x", Summary: "The page is exposed"}, "Major: x: The page is exposed"},
		{libra.Alarm{Scope: libra.ScopeHost, Target: "x", Summary: "The host is short of memory"}, "Major: The host is short of memory"},
	} {
		c.alarm.Severity, c.alarm.State = libra.Major, libra.Raised
		m, _ := notifier.Written(notifier.Config{}, "alarm", time.Now(), false, notifier.Notification{Transition: libra.Transition{Alarm: c.alarm}})
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), `"text":"`+c.want+`"`) {
			t.Errorf("no heading %q in %s", c.want, text)
		}
	}
}

// Times in the evidence are of the reader's zone in Slack, and UTC in a mail; what
// else is in it stays text.
func TestTimesInTheEvidence(t *testing.T) {
	at := time.Date(2026, 5, 3, 22, 10, 0, 0, time.UTC)
	tr := transition("behind", 1)
	tr.Alarm.Evidence = "since " + libra.FormatTime(at) + ", again " + libra.FormatTime(at) + ", not 40 Foo 2026, 10:00:00 UTC; <!channel> is locked"
	msg, mail := notifier.Written(notifier.Config{}, "alarm", at, false, notifier.Notification{Transition: tr})
	const local = "<!date^1777846200^{date_short_pretty} {time_secs}|3 May 2026, 22:10:00 UTC>"
	text := msg.(*slack.WebhookMessage).Attachments[0].Blocks.BlockSet[0].(*slack.SectionBlock).Text
	if want := "since " + local + ", again " + local + ", not 40 Foo 2026, 10:00:00 UTC; &lt;!channel&gt; is locked"; text.Text != want || text.Type != slack.MarkdownType {
		t.Errorf("got %s %q, want %q", text.Type, text.Text, want)
	}
	if !strings.Contains(mail, "\n"+tr.Alarm.Evidence+"\n") {
		t.Errorf("mail: %s", mail)
	}
	tr.Alarm.Evidence = strings.Repeat(libra.FormatTime(at)+" ", 200)
	msg, _ = notifier.Written(notifier.Config{}, "alarm", at, false, notifier.Notification{Transition: tr})
	text = msg.(*slack.WebhookMessage).Attachments[0].Blocks.BlockSet[0].(*slack.SectionBlock).Text
	if n := len([]rune(text.Text)); n > 3000 || strings.Count(text.Text, "<!date^") != 10 {
		t.Errorf("%d characters, %d times", n, strings.Count(text.Text, "<!date^"))
	}
}

// Late messages say how late.
func TestLate(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	d := newFixture(t, s)
	d.run()
	tr := transition("web", 1)
	tr.At = tr.At.Add(-2 * time.Hour)
	d.publish(tr)
	wantTexts(t, s, text(1))
	note := s.messages()[0].Attachments[0].Blocks.BlockSet[3].(*slack.ContextBlock).ContextElements.Elements[0].(*slack.TextBlockObject).Text
	if !strings.HasPrefix(note, "Sent 2 h late: it happened ") {
		t.Errorf("remark %q", note)
	}
}

// Without a channel, alarms go to the journal, and a channel that is configured
// later begins after it.
func TestNoChannel(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	d := newFixture(t, s)
	if err := os.Remove(d.cfg.Credentials + "slack-webhook"); err != nil {
		t.Fatal(err)
	}
	stop := d.run()
	d.publish(transition("web", 1))
	bustest.Await(t, "the journal", func() bool { return strings.Contains(d.logged(), "notification sent") })
	if !strings.Contains(d.logged(), "no channel is configured") {
		t.Errorf("the journal says %s", d.logged())
	}
	stop()
	d.publish(transition("web", 2))
	d.credential("slack-webhook", s.URL+"/services/"+secret)
	d.run()
	wantTexts(t, s, text(2))
}

// A webhook that cannot be used is a fault of the configuration, named without
// what is in the file.
func TestWebhookFile(t *testing.T) {
	for _, c := range []struct{ content, want string }{
		{"", "is empty"},
		{"sesame-open", "invalid URL"},
		{"https://hooks.slack.com/" + secret + " https://hooks.slack.com/", "invalid URL"},
		{"https://hooks.slack.com/" + secret + "\nhttps://hooks.slack.com/", "several lines"},
		{"http://hooks.slack.com/" + secret, "does not start with https://"},
		{"https://hooks.slack.com:a/" + secret, "invalid URL"},
		{"https://hooks.slack.com/services/" + secret + "\n", ""},
		{"http://127.0.0.1:1/" + secret, ""},
		{"http://10.1.2.3/" + secret, ""},
	} {
		cfg := notifier.Config{Credentials: t.TempDir() + "/"}
		if err := os.WriteFile(cfg.Credentials+"slack-webhook", []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		err := errors.Join(notifier.Check(cfg)...)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%q: %v", c.content, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%q: %v, want %q", c.content, err, c.want)
		case err != nil && strings.Contains(err.Error(), secret):
			t.Errorf("the error has the secret: %v", err)
		}
	}
}
