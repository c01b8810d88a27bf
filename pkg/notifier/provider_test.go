package notifier_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack/slacktest"

	"libra/pkg/bus/bustest"
	"libra/pkg/libra"
	"libra/pkg/notifier"
	"libra/pkg/rules"
)

// configure gives the notifier an alarms.toml.
func (d *fixture) configure(file string) {
	d.t.Helper()
	f, err := rules.Parse("alarms.toml", []byte(file))
	if err != nil {
		d.t.Fatal(err)
	}
	d.cfg.Rules = f
}

const botFile = "[[channel]]\nname = \"bot\"\ntype = \"slack-bot\"\ncredential = \"token\"\nto = \"C1\"\nurl = "

// slackd is slack-go's own stand-in for Slack, and a record of what it was
// asked.
type slackd struct {
	*httptest.Server
	mu      sync.Mutex
	posts   []url.Values // under mu; answered well
	updates []url.Values // under mu; answered well
	stamps  []string     // under mu; of posts
	refuse  string       // under mu; the error with which it answers updates
	locked  string       // under mu; and the one for replies
}

func newSlackd(t *testing.T) *slackd {
	s := &slackd{}
	behind := slacktest.NewTestServer(func(c slacktest.Customize) {
		c.Handle("/chat.update", func(w http.ResponseWriter, r *http.Request) {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.refuse != "" {
				io.WriteString(w, `{"ok":false,"error":"`+s.refuse+`"}`)
				return
			}
			io.WriteString(w, `{"ok":true,"channel":"C1","ts":"1"}`)
		})
	})
	behind.Start()
	t.Cleanup(behind.Stop)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		data, err := io.ReadAll(r.Body)
		form, ferr := url.ParseQuery(string(data))
		if err != nil || ferr != nil {
			t.Error(err, ferr)
		}
		s.mu.Lock()
		locked := s.locked
		s.mu.Unlock()
		if locked != "" && form.Get("thread_ts") != "" {
			io.WriteString(w, `{"ok":false,"error":"`+locked+`"}`)
			return
		}
		req, err := http.NewRequest(r.Method, behind.GetAPIURL()+strings.TrimPrefix(r.URL.Path, "/"), bytes.NewReader(data))
		if err != nil {
			t.Error(err)
			return
		}
		req.Header = r.Header
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer resp.Body.Close()
		var answer struct {
			OK bool
			TS string
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil || json.Unmarshal(body, &answer) != nil {
			t.Errorf("slacktest says %s, %v", body, err)
		}
		s.mu.Lock()
		if answer.OK && r.URL.Path == "/chat.postMessage" {
			s.posts, s.stamps = append(s.posts, form), append(s.stamps, answer.TS)
		} else if answer.OK {
			s.updates = append(s.updates, form)
		}
		s.mu.Unlock()
		w.Write(body)
	}))
	t.Cleanup(s.Close)
	return s
}

// said are the messages posted, in order.
func (s *slackd) said() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.posts)
}

func newBotFixture(t *testing.T, s *slackd) *fixture {
	d := newFixture(t, nil)
	d.credential("token", "xoxb-"+secret)
	d.configure(botFile + `"` + s.URL + `/"`)
	return d
}

// A bot posts the raise; that it is over stands in the same message and in its
// thread, also when the notifier was killed in between.
func TestBot(t *testing.T) {
	t.Parallel()
	s := newSlackd(t)
	d := newBotFixture(t, s)
	stop := d.run()
	raise := transition("web", 1)
	raise.Alarm.Summary = "<!channel> is over budget"
	d.publish(raise)
	bustest.Await(t, "the raise", func() bool { return len(s.said()) == 1 && strings.Contains(d.said(), "1 sent") })
	stop()
	d.run()
	worse := transition("web", 3)
	worse.Alarm.Severity = libra.Critical
	d.publish(worse)
	bustest.Await(t, "the worse one", func() bool { return len(s.said()) == 2 })
	d.publish(transition("web", 4))
	bustest.Await(t, "the clear", func() bool { return len(s.said()) == 3 })
	said := s.said()
	stamp := s.stamps[0]
	for i, want := range []struct{ text, thread string }{
		{"[major] libra-web on box: &lt;!channel&gt; is over budget", ""},
		{"[critical] libra-web on box: number 3", stamp},
		{"[cleared] libra-web on box: number 4, down for 1 min 3 s", stamp},
	} {
		m := said[i]
		if m.Get("text") != want.text || m.Get("thread_ts") != want.thread || m.Get("channel") != "C1" {
			t.Errorf("message %d: %v, want %q in %q", i, m, want.text, want.thread)
		}
		if !strings.Contains(m.Get("blocks"), `"type":"header"`) || !strings.Contains(m.Get("attachments"), `"color":"#`) || strings.Contains(m.Get("blocks")+m.Get("attachments"), "<!channel>") {
			t.Errorf("message %d: blocks %s, attachments %s", i, m.Get("blocks"), m.Get("attachments"))
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, want := range []string{"[critical] libra-web on box: number 3", "[cleared] libra-web on box: number 4, down for 1 min 3 s"} {
		if len(s.updates) != 2 {
			t.Fatalf("%d updates", len(s.updates))
		}
		if u := s.updates[i]; u.Get("ts") != stamp || u.Get("channel") != "C1" || u.Get("text") != want {
			t.Errorf("update %d: %v, want %q of message %s", i, u, want, stamp)
		}
	}
}

// Where somebody has deleted the message of the raise, the clear is a new one.
func TestBotFindsItsMessageDeleted(t *testing.T) {
	t.Parallel()
	s := newSlackd(t)
	d := newBotFixture(t, s)
	d.run()
	d.publish(transition("web", 1))
	bustest.Await(t, "the raise", func() bool { return len(s.said()) == 1 })
	for n, c := range []struct{ refuse, locked string }{{refuse: "message_not_found"}, {refuse: "is_archived"}, {locked: "cannot_reply_to_message"}} {
		s.mu.Lock()
		s.refuse, s.locked = c.refuse, c.locked
		s.mu.Unlock()
		d.publish(transition("web", 2*n+2))
		bustest.Await(t, "the clear", func() bool { return len(s.said()) == 2*n+2 })
		if m := s.said()[2*n+1]; m.Get("thread_ts") != "" || !strings.HasPrefix(m.Get("text"), "[cleared]") {
			t.Errorf("%+v: said %v", c, m)
		}
		d.publish(transition("web", 2*n+3))
		bustest.Await(t, "the next raise", func() bool { return len(s.said()) == 2*n+3 })
	}
}

// slackSays answers every call of Slack's API in one way.
func slackSays(t *testing.T, answer http.HandlerFunc) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.ReadAll(r.Body); err == nil { // else it does not see the client go
			answer(w, r)
		}
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s.URL
}

func answers(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		io.WriteString(w, body)
	}
}

// Whatever is wrong with a channel, a trial says so at once, in the provider's
// own words; what only a person can correct becomes a trouble.
func TestTry(t *testing.T) {
	t.Parallel()
	const hook = "[[channel]]\nname = \"hook\"\ntype = \"webhook\"\nurl_credential = \"hook-url\"\ncredential = \"key\"\n"
	const phone = "[[channel]]\nname = \"phone\"\ntype = \"shoutrrr\"\ncredential = \"phone\"\n"
	const slackFile = "[[channel]]\nname = \"slack\"\ntype = \"slack\"\ncredential = \"slack-webhook\"\n"
	for _, c := range []struct {
		name, file, channel string
		provider            http.HandlerFunc
		ok                  bool
		answer              string
		trouble             bool
	}{
		{"well", slackFile, "slack", answers(200, "ok"), true, `Slack answered 200 OK: "ok"`, false},
		{"wrong webhook", slackFile, "slack", answers(404, "no_service"), false, `Slack answered 404 Not Found: "no_service"`, true},
		{"revoked webhook", slackFile, "slack", answers(403, "invalid_token"), false, `Slack answered 403 Forbidden: "invalid_token"`, true},
		{"redirected", slackFile, "slack", answers(302, "", "Location", "/login"), false, `Slack answered 302 Found`, true},
		{"Slack is down", slackFile, "slack", answers(500, ""), false, `Slack answered 500 Internal Server Error`, false},
		{"Slack is busy", slackFile, "slack", answers(429, "", "Retry-After", "30"), false, `Slack answered 429 Too Many Requests`, false},
		{"Slack hangs", slackFile, "slack", hang, false, "post to Slack: no answer in time", false},
		{"Slack cuts", slackFile, "slack", cut, false, "post to Slack: EOF", false},
		{"bot", botFile + `"URL"`, "bot", answers(200, `{"ok":true,"channel":"C1","ts":"1.2"}`), true, "Slack accepted it: channel C1, message 1.2", false},
		{"revoked token", botFile + `"URL"`, "bot", answers(200, `{"ok":false,"error":"invalid_auth"}`), false, `Slack answered "invalid_auth"`, true},
		{"unknown channel", botFile + `"URL"`, "bot", answers(200, `{"ok":false,"error":"channel_not_found"}`), false, `Slack answered "channel_not_found"`, true},
		{"missing scope", botFile + `"URL"`, "bot", answers(200, `{"ok":false,"error":"missing_scope","needed":"chat:write"}`), false, `Slack answered "missing_scope": the bot needs the scope chat:write`, true},
		{"bot is busy", botFile + `"URL"`, "bot", answers(429, "", "Retry-After", "30"), false, "Slack answered 429 Too Many Requests", false},
		{"bot hangs", botFile + `"URL"`, "bot", hang, false, "post to Slack: no answer in time", false},
		{"no bot's token", strings.Replace(botFile, "token", "key", 1) + `"URL"`, "bot", nil, false, `credential "key": invalid Slack bot token`, true},
		{"hook", hook, "hook", answers(204, ""), true, "the webhook answered 204 No Content", false},
		{"hook refuses", hook, "hook", answers(401, "bad signature"), false, `the webhook answered 401 Unauthorized: "bad signature"`, true},
		{"missing credential", strings.Replace(hook, "hook-url", "nowhere", 1), "hook", nil, false, `credential "nowhere" is missing: put it into /etc/libra/credentials/nowhere (mode 600), then systemctl restart libra-notifier`, true},
		{"phone", phone, "phone", answers(200, ""), true, "the service accepted it", false},
		{"phone's token is revoked", phone, "phone", answers(401, ""), false, "failed to send notification to generic webhook: server returned unexpected response status code: 401 Unauthorized", true},
		{"phone is forbidden", phone, "phone", answers(403, ""), false, "failed to send notification to generic webhook: server returned unexpected response status code: 403 Forbidden", true},
		{"phone is gone", phone, "phone", answers(404, ""), false, "failed to send notification to generic webhook: server returned unexpected response status code: 404 Not Found", true},
		{"phone is down", phone, "phone", answers(503, ""), false, "failed to send notification to generic webhook: server returned unexpected response status code: 503 Service Unavailable", false},
		{"phone is busy", phone, "phone", answers(429, ""), false, "failed to send notification to generic webhook: server returned unexpected response status code: 429 Too Many Requests", false},
		{"phone cuts", phone, "phone", cut, false, "failed to send notification to generic webhook: sending HTTP request: ", false},
		{"no such channel", hook, "pager", nil, false, `no such channel "pager"`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			d := newFixtureWithout(t)
			if strings.HasSuffix(c.name, "hangs") {
				d.cfg.Timeout = 300 * time.Millisecond
			}
			at := slackSays(t, c.provider)
			d.credential("slack-webhook", at+"/services/"+secret)
			d.credential("hook-url", at+"/hook/"+secret)
			d.credential("token", "xoxb-"+secret)
			d.credential("key", secret)
			d.credential("phone", "generic://"+strings.TrimPrefix(at, "http://")+"/"+secret+"?disabletls=yes")
			d.configure(strings.Replace(c.file, "URL", at+"/", 1))
			n := d.alone(t)
			bustest.Await(t, "channels", func() bool { return len(n.Try(t.Context(), "").Channels) == 1 })
			got := n.Try(t.Context(), c.channel)
			if got.Channel != c.channel || got.OK != c.ok || !strings.HasPrefix(got.Answer, c.answer) || strings.Contains(got.Answer, secret) {
				t.Errorf("%+v, want %v and %q", got, c.ok, c.answer)
			}
			if c.channel == "pager" && !cmp.Equal(got.Channels, []string{"hook"}) {
				t.Errorf("channels %q", got.Channels)
			}
			troubles := n.Troubles()
			if (len(troubles) > 0) != c.trouble {
				t.Errorf("troubles %v, want some: %v", troubles, c.trouble)
			}
			for _, trouble := range troubles {
				if trouble.ID != "channel."+c.channel || !strings.Contains(trouble.Evidence, c.answer) {
					t.Errorf("trouble %+v", trouble)
				}
			}
		})
	}
}

// alone runs a notifier on a bus that brings nothing.
func (d *fixture) alone(t *testing.T) *notifier.Notifier {
	n := notifier.New(d.cfg, notifier.Deps{Bus: newStory(t, ""), Log: slog.New(slog.NewTextHandler(d, nil))})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); _ = n.Run(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return n
}

// A trial that arrives ends the trouble, and what waits is sent at once.
func TestTrialEndsTheTrouble(t *testing.T) {
	t.Parallel()
	s := newSink(t, status(403), status(403), status(403))
	d := newFixture(t, s)
	d.cfg.Backoff, d.cfg.BackoffMax = time.Hour, time.Hour
	d.run()
	d.publish(transition("web", 1))
	bustest.Await(t, "trouble", func() bool { return len(d.n.Troubles()) == 1 })
	s.mu.Lock()
	s.answers = nil
	s.mu.Unlock()
	if tried := d.n.Try(t.Context(), "slack"); !tried.OK {
		t.Fatalf("%+v", tried)
	}
	wantTexts(t, s, "[test] Libra on box: this channel works; this is no alarm", text(1))
	bustest.Await(t, "no trouble", func() bool { return d.n.Troubles() == nil })
}

// The webhook's body is as documented, and signed.
func TestWebhook(t *testing.T) {
	t.Parallel()
	type call struct {
		header http.Header
		body   []byte
	}
	calls := make(chan call, 10)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		calls <- call{r.Header, body}
	}))
	t.Cleanup(s.Close)
	d := newFixture(t, nil)
	d.credential("key", secret)
	d.configure("[[channel]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"" + s.URL + "/alarms\"\ncredential = \"key\"\n")
	d.run()
	raise := transition("web", 1)
	d.publish(raise)
	got := <-calls
	stamp := got.header.Get("X-Libra-Timestamp")
	mac := hmac.New(sha256.New, []byte(secret))
	io.WriteString(mac, stamp+".")
	mac.Write(got.body)
	if want := "sha256=" + hex.EncodeToString(mac.Sum(nil)); got.header.Get("X-Libra-Signature") != want || stamp == "" {
		t.Errorf("signature %q, want %q", got.header.Get("X-Libra-Signature"), want)
	}
	var body struct {
		Kind, Text  string
		Repeat      bool
		Sent        time.Time
		Transitions []struct {
			libra.Transition
			Text string
		}
	}
	if err := json.Unmarshal(got.body, &body); err != nil {
		t.Fatal(err)
	}
	if body.Kind != "alarm" || body.Text != text(1) || body.Repeat || body.Sent.Before(raise.At) || len(body.Transitions) != 1 {
		t.Fatalf("body %s", got.body)
	}
	if diff := cmp.Diff(raise, body.Transitions[0].Transition); diff != "" || body.Transitions[0].Text != text(1) {
		t.Errorf("transition (-want +got):\n%s", diff)
	}
}
