package notifier_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"libra/pkg/bus/bustest"
	"libra/pkg/notifier"
	"libra/pkg/rules"
)

// Shoutrrr's services get the words; its errors do not have the secret.
func TestShoutrrr(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	bodies := make(chan string, 10)
	refuse := true
	var mu sync.Mutex
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if refuse {
			refuse = false
			w.WriteHeader(http.StatusForbidden)
			return
		}
		bodies <- r.URL.Path + " " + string(body)
	})
	d := newFixture(t, nil)
	d.credential("phone", "generic://"+strings.TrimPrefix(s.URL, "http://")+"/"+secret+"?disabletls=yes")
	d.configure("[[channel]]\nname = \"phone\"\ntype = \"shoutrrr\"\ncredential = \"phone\"\n")
	d.run()
	d.publish(transition("web", 1))
	if got := <-bodies; !strings.HasPrefix(got, "/"+secret+" "+text(1)) || !strings.Contains(got, "2 of 1\n\nSince ") {
		t.Errorf("sent %q", got)
	}
	if !strings.Contains(d.logged(), "cannot send notification, retrying") {
		t.Error("the refusal was not logged")
	}
}

// What shoutrrr's many services say of a refusal, and whether that passes.
func TestShoutrrrSays(t *testing.T) {
	for said, want := range map[string]string{
		"Unauthorized":                                                           "permanent",
		"Forbidden: bot was blocked by the user":                                 "permanent",
		"google chat api returned unexpected http status code: 403":              "permanent",
		"OpsGenie notification returned unexpected HTTP status code: 404 - {}":   "permanent",
		"notification failed: 401 {}":                                            "permanent",
		"failed to send notification to Mattermost: 400 Bad Request":             "message",
		"pushover: HTTP 429":                                                     "passing",
		"server returned status 503":                                             "passing",
		"failed to send notification to Teams: 502 Bad Gateway":                  "passing",
		"Message exceeds the max length":                                         "message",
		"unexpected status code: 413 Request Entity Too Large":                   "message",
		"Bad Request: message is too long":                                       "message",
		`Post "http://127.0.0.1:403/x": EOF`:                                     "unknown",
		`Post "https://example.org:443/x": context deadline exceeded`:            "unknown",
		`Post "https://example.org/x": read: connection reset by peer after 404`: "unknown",
	} {
		if got := notifier.ShoutrrrSays(said); got != want {
			t.Errorf("%q is %s, want %s", said, got, want)
		}
	}
}

// Nothing of a secret URL is in what is printed.
func TestScrub(t *testing.T) {
	for _, raw := range []string{
		"telegram://110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw@telegram?chats=@ops",
		"https://hooks.slack.com/services/T0000/B0000/XXXXXXXX",
		"ntfy://user:pass%2Fword@ntfy.sh/topic-of-mine?token=tk_123456",
		"pushover://shoutrrr:abcdefgh@userkey1234/?devices=phone",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		said := "Post \"" + raw + "\": dial tcp: bad path " + u.Path + " of " + u.User.String() + " with " + u.RawQuery
		got := notifier.Scrub(said, raw)
		for _, part := range []string{"AAHdq", "T0000/", "XXXX", "pass", "word@", "topic", "tk_123", "abcdefgh", "userkey"} {
			if strings.Contains(got, part) {
				t.Errorf("%q is in %q", part, got)
			}
		}
	}
}

// What would speak in clear to a server elsewhere is refused beforehand.
func TestShoutrrrInClear(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"generic://example.org/x?disabletls=yes", "turns TLS off"},
		{"generic+http://example.org/x", "turns TLS off"},
		{"ntfy://ntfy.sh/topic?scheme=http", "turns TLS off"},
		{"gotify://example.org/Aaa.bbb.ccc.ddd?DisableTLS=Yes", "turns TLS off"},
		{"nosuchservice://x/y", "invalid shoutrrr URL"},
		{"generic://127.0.0.1:1/x?disabletls=yes", ""},
		{"generic://example.org/x", ""},
	} {
		d := notifier.Config{Credentials: t.TempDir() + "/"}
		f, err := rules.Parse("alarms.toml", []byte("[[channel]]\nname = \"phone\"\ntype = \"shoutrrr\"\ncredential = \"phone\"\n"))
		if err != nil {
			t.Fatal(err)
		}
		d.Rules = f
		(&fixture{t: t, cfg: d}).credential("phone", c.url)
		faults := notifier.Check(d)
		switch {
		case c.want == "" && faults != nil:
			t.Errorf("%s: %v", c.url, faults)
		case c.want != "" && (len(faults) != 1 || !strings.HasPrefix(faults[0].Error(), "alarms.toml:1: channel phone: ") || !strings.Contains(faults[0].Error(), c.want)):
			t.Errorf("%s: %v, want %q", c.url, faults, c.want)
		}
	}
}

// An answer that is cut in the middle of a secret does not show a part of it.
func TestAnswerIsCutAfterItsSecrets(t *testing.T) {
	t.Parallel()
	s := slackSays(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, strings.Repeat("x", 190)+r.URL.Path)
	})
	d := newFixtureWithout(t)
	d.credential("slack-webhook", s+"/"+secret+secret+secret)
	n := d.alone(t)
	bustest.Await(t, "the channel", func() bool { return len(n.Try(t.Context(), "").Channels) == 1 })
	tried := n.Try(t.Context(), "slack")
	if tried.OK || strings.Contains(tried.Answer, secret[:6]) || !strings.Contains(tried.Answer, "xxx") {
		t.Errorf("%+v", tried)
	}
}
