package notifier_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/slack-go/slack"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/libra"
	"libra/pkg/notifier"
	"libra/pkg/rules"
)

const secret = "sesame-open"

// sink is where Slack would be: each call is answered by the next of answers,
// and with 200 when they are used up.
type sink struct {
	*httptest.Server
	mu      sync.Mutex
	answers []http.HandlerFunc     // under mu
	got     []slack.WebhookMessage // under mu; answered well
	calls   []time.Time            // under mu
}

func newSink(t testing.TB, answers ...http.HandlerFunc) *sink {
	s := &sink{answers: answers}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		var m slack.WebhookMessage
		if err := json.Unmarshal(body, &m); err != nil || !strings.HasSuffix(r.URL.Path, secret) {
			t.Errorf("POST %s: %v", r.URL.Path, err)
		}
		s.mu.Lock()
		s.calls = append(s.calls, time.Now())
		var answer http.HandlerFunc
		if len(s.answers) > 0 {
			answer, s.answers = s.answers[0], s.answers[1:]
		} else {
			s.got = append(s.got, m)
		}
		s.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		io.WriteString(w, "ok")
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

func (s *sink) messages() []slack.WebhookMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]slack.WebhookMessage{}, s.got...)
}

func (s *sink) texts() (all []string) {
	for _, m := range s.messages() {
		all = append(all, m.Text)
	}
	return all
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		io.WriteString(w, "what Slack says")
	}
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func cut(w http.ResponseWriter, _ *http.Request) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
}

// fixture is a notifier on a real bus.
type fixture struct {
	t      testing.TB
	bus    *bustest.Bus
	seen   *bus.Conn
	cfg    notifier.Config
	mu     sync.Mutex
	log    bytes.Buffer // under mu
	status string       // under mu; the newest
	n      *notifier.Notifier
}

func newFixture(t testing.TB, s *sink) *fixture {
	d := newFixtureWithout(t)
	d.bus = bustest.Start(t)
	d.seen = d.bus.Connect("watchdog")
	if s != nil {
		d.credential("slack-webhook", s.URL+"/services/"+secret+"\n")
	}
	return d
}

// newFixtureWithout is one without a bus.
func newFixtureWithout(t testing.TB) *fixture {
	d := &fixture{t: t}
	d.cfg = notifier.Config{
		Socket: filepath.Join(t.TempDir(), "alarm.sock"), Runtime: t.TempDir(), Version: "1.2.3",
		Timeout: 20 * time.Second, Pace: time.Millisecond, Backoff: 10 * time.Millisecond, BackoffMax: 50 * time.Millisecond,
		DigestPace: 10 * time.Millisecond, State: t.TempDir(), Credentials: t.TempDir() + "/", Rules: rules.Defaults(), Host: "box",
	}
	t.Cleanup(func() {
		if strings.Contains(d.logged(), secret) {
			t.Errorf("the webhook's URL was logged:\n%s", d.logged())
		}
	})
	return d
}

// credential puts a secret where the notifier finds it.
func (d *fixture) credential(name, text string) {
	d.t.Helper()
	if err := os.WriteFile(d.cfg.Credentials+name, []byte(text), 0o600); err != nil {
		d.t.Fatal(err)
	}
}

func (d *fixture) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(p)
}

func (d *fixture) said() string { d.mu.Lock(); defer d.mu.Unlock(); return d.status }

func (d *fixture) logged() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

// run starts a notifier with a connection of its own; stop is as good as a
// kill: what is being sent is not acknowledged.
func (d *fixture) run() (stop func()) {
	d.t.Helper()
	n := notifier.New(d.cfg, notifier.Deps{
		Bus: d.bus.Connect("notifier"), Log: slog.New(slog.NewTextHandler(d, nil)),
		Status: func(s string) { d.mu.Lock(); defer d.mu.Unlock(); d.status = s },
	})
	d.n = n
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := n.Run(ctx); !errors.Is(err, context.Canceled) {
			d.t.Errorf("Run: %v", err)
		}
	}()
	stop = func() { cancel(); <-done }
	d.t.Cleanup(stop)
	return stop
}

func (d *fixture) publish(t libra.Transition) {
	d.t.Helper()
	if err := d.seen.PublishAlarm(d.t.Context(), t); err != nil {
		d.t.Fatal(err)
	}
}

func (d *fixture) post(t libra.Transition) int {
	d.t.Helper()
	body, err := json.Marshal(t)
	if err != nil {
		d.t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", d.cfg.Socket)
	}}}
	resp, err := client.Post("http://notifier/alarm", "application/json", bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	resp.Body.Close()
	return resp.StatusCode
}

// transition number n of an alarm: odd ones raise, even ones clear.
func transition(alarm string, n int) libra.Transition {
	at := time.Now().UTC()
	a := libra.Alarm{
		ID: alarm, Scope: libra.ScopeComponent, Target: "libra-" + alarm, Severity: libra.Major, State: libra.Raised,
		Summary: fmt.Sprintf("number %d", n), Evidence: "2 of 1", Runbook: "#" + alarm, Since: at,
	}
	if n%2 == 0 {
		a.State, a.Since, a.Until = libra.Cleared, at.Add(-63*time.Second), at
	}
	return libra.Transition{ID: fmt.Sprintf("%s-%d", alarm, n), Alarm: a, At: at, Host: "box"}
}

func text(n int) string {
	if n%2 == 0 {
		return fmt.Sprintf("[cleared] libra-web on box: number %d, down for 1 min 3 s", n)
	}
	return fmt.Sprintf("[major] libra-web on box: number %d", n)
}

func wantTexts(t *testing.T, s *sink, want ...string) {
	t.Helper()
	bustest.Await(t, fmt.Sprintf("%d messages", len(want)), func() bool { return len(s.texts()) >= len(want) })
	if diff := cmp.Diff(want, s.texts()); diff != "" {
		t.Fatalf("sent (-want +got):\n%s", diff)
	}
}

// Whatever Slack does, everything is sent, in order, once.
func TestSlackFails(t *testing.T) {
	t.Parallel()
	const repeat = " (possible repeat)"
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		mark   string        // on the message
		pause  time.Duration // before the second call, at least
	}{
		{"500", status(500), "", 0},
		{"429 with Retry-After", status(429, "Retry-After", "1"), "", time.Second},
		{"503 with Retry-After", status(503, "Retry-After", "1"), "", time.Second},
		{"404", status(404), "", 0},
		{"redirect", status(302, "Location", "https://example.org/"), "", 0},
		{"hangs", hang, repeat, 0},
		{"cut", cut, repeat, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSink(t, c.answer)
			d := newFixture(t, s)
			if c.name == "hangs" {
				d.cfg.Timeout = 300 * time.Millisecond
			}
			d.run()
			d.publish(transition("web", 1))
			d.publish(transition("web", 2))
			wantTexts(t, s, text(1)+c.mark, text(2))
			if gap := s.calls[1].Sub(s.calls[0]); gap < c.pause {
				t.Errorf("called again after %s, want %s", gap, c.pause)
			}
			if !strings.Contains(d.logged(), "cannot send notification, retrying") {
				t.Error("the trouble was not logged")
			}
		})
	}
}

// An outage of ten answers delays, and loses and reorders nothing; what piled
// up comes as one digest that names every transition.
func TestDigestAfterAnOutage(t *testing.T) {
	t.Parallel()
	var down []http.HandlerFunc
	for range 10 {
		down = append(down, status(500))
	}
	s := newSink(t, down...)
	d := newFixture(t, s)
	d.cfg.Backoff = 30 * time.Millisecond
	d.run()
	d.publish(transition("web", 1))
	bustest.Await(t, "a call", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.calls) > 0 })
	for n := 2; n <= 9; n++ {
		d.publish(transition("web", n))
	}
	d.publish(transition("bus", 2))
	bustest.Await(t, "two messages", func() bool { return len(s.texts()) == 2 })
	got := s.messages()
	if got[0].Text != text(1) || !strings.HasPrefix(got[1].Text, "9 notifications in one: 1 open, 1 cleared on box, ") {
		t.Errorf("texts %q", s.texts())
	}
	body := got[1].Attachments[0].Blocks.BlockSet[0].(*slack.SectionBlock).Text.Text
	body = regexp.MustCompile(`\d\d:\d\d:\d\d`).ReplaceAllString(body, "T")
	want := "[major] libra-web: number 9 (cleared T, major T, cleared T, 2 more, major T, cleared T, major T UTC)"
	want += "\n[cleared] libra-bus: number 2 (cleared T UTC)"
	if diff := cmp.Diff(want, body); diff != "" {
		t.Errorf("digest (-want +got):\n%s", diff)
	}
}

// Killed in the middle of a POST, repeatedly: nothing is lost, the order
// holds, and what may be a repeat says so.
func TestKilledInThePost(t *testing.T) {
	t.Parallel()
	s := newSink(t, hang, hang)
	d := newFixture(t, s)
	d.cfg.Timeout = time.Minute
	calls := func(n int) func() bool {
		return func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.calls) == n }
	}
	for n := 1; n <= 3; n++ {
		d.publish(transition("web", n))
	}
	for n := range 2 {
		stop := d.run()
		bustest.Await(t, "a call", calls(n+1))
		stop()
	}
	d.run()
	wantTexts(t, s, text(1)+" (possible repeat)", text(2), text(3))
}

// The bus's connection breaks while Slack is away: sent once.
func TestBusAwayMeanwhile(t *testing.T) {
	t.Parallel()
	s := newSink(t, hang)
	d := newFixture(t, s)
	d.cfg.Timeout = time.Second
	d.run()
	d.publish(transition("web", 1))
	bustest.Await(t, "a call", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.calls) > 0 })
	d.bus.Down()
	wantTexts(t, s, text(1)+" (possible repeat)")
	d.bus.Up()
	bustest.Await(t, "the bus to take the next", func() bool { return d.seen.PublishAlarm(t.Context(), transition("web", 2)) == nil })
	wantTexts(t, s, text(1)+" (possible repeat)", text(2))
}
