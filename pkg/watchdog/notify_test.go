package watchdog_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/notifier"
	"libra/pkg/rules"
	"libra/pkg/watchdog"
)

// sink stands in for Slack.
type sink struct {
	*httptest.Server
	mu     sync.Mutex
	bodies []map[string]any // under mu
}

func newSink(t testing.TB) *sink {
	s := &sink{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Errorf("sink got no JSON: %v", err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.bodies = append(s.bodies, body)
		io.WriteString(w, "ok")
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *sink) texts() (all []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.bodies {
		text, _ := b["text"].(string)
		all = append(all, text)
	}
	return all
}

// fakeTarget is a target that fails from fail to repair.
type fakeTarget struct {
	err   atomic.Pointer[error]
	asked atomic.Int64 // over HTTP
}

func (p *fakeTarget) fail(err error) { p.err.Store(&err) }
func (p *fakeTarget) repair()        { p.err.Store(nil) }

func (p *fakeTarget) Check(context.Context) error {
	if err := p.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (p *fakeTarget) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	p.asked.Add(1)
	if p.err.Load() != nil {
		http.Error(w, "LOADING", http.StatusInternalServerError)
	}
}

// busRig is a watchdog and a notifier on a real bus, with a web server, a database
// and a component whose state the test sets, and a sink for Slack.
type busRig struct {
	t           testing.TB
	bus         *bustest.Bus
	web, sqlite *fakeTarget
	slack       *sink
	cfg         watchdog.Config
	seen        *bus.Conn // for the test to look with
}

func newBusRig(t testing.TB) *busRig {
	a := &busRig{t: t, bus: bustest.Start(t), web: &fakeTarget{}, sqlite: &fakeTarget{}, slack: newSink(t)}
	up := httptest.NewServer(a.web)
	t.Cleanup(up.Close)
	a.cfg = watchdog.Config{
		Interval: 50 * time.Millisecond, Timeout: 3 * time.Second, Grace: 300 * time.Millisecond, Thresholds: thresholds(),
		Expect: []watchdog.Target{{Component: "libra-recorder"}},
		WebURL: up.URL + "/up", Folder: t.TempDir(), Proc: t.TempDir(),
		State: t.TempDir(), Runtime: t.TempDir(), Hostname: "box",
		NotifierSocket: filepath.Join(t.TempDir(), "alarm.sock"),
	}
	a.seen = a.bus.Connect("bus")
	return a
}

// run runs something until the test, or stop, ends it.
func (a *busRig) run(run func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := run(ctx); err != nil && !errors.Is(err, context.Canceled) {
			a.t.Errorf("Run: %v", err)
		}
	}()
	stop = func() { cancel(); <-done }
	a.t.Cleanup(stop)
	return stop
}

func (a *busRig) sendHeartbeats(component string) (stop func()) {
	conn := a.bus.Connect("bus")
	return a.run(func(ctx context.Context) error {
		conn.PublishHeartbeats(ctx, func() string { return "" }, func() event.Heartbeat { return event.Heartbeat{Component: component, Instance: "1", PID: 7} })
		return nil
	})
}

func (a *busRig) startWatchdog() (stop func()) {
	return a.run(watchdog.New(a.cfg, watchdog.Deps{Bus: a.bus.Connect("watchdog"), SQLite: a.sqlite, Log: a.bus.Log()}).Run)
}

func (a *busRig) startNotifier(change func(*notifier.Config)) (stop func()) {
	a.t.Helper()
	credentials := a.t.TempDir() + "/"
	if err := os.WriteFile(credentials+"slack-webhook", []byte(a.slack.URL+"/services/T0/B0/sesame\n"), 0o600); err != nil {
		a.t.Fatal(err)
	}
	cfg := notifier.Config{
		Credentials: credentials, Socket: a.cfg.NotifierSocket, Runtime: a.cfg.Runtime, Version: "1.2.3",
		Pace: 10 * time.Millisecond, Backoff: 20 * time.Millisecond, BackoffMax: 100 * time.Millisecond,
	}
	if change != nil {
		change(&cfg)
	}
	return a.run(notifier.New(cfg, notifier.Deps{Bus: a.bus.Connect("notifier"), Log: a.bus.Log()}).Run)
}

func (a *busRig) awaitTexts(want ...string) {
	a.t.Helper()
	bustest.Await(a.t, fmt.Sprintf("%q at Slack's", want), func() bool { return len(a.slack.texts()) >= len(want) })
	got := a.slack.texts()
	for i := range got {
		got[i], _, _ = strings.Cut(got[i], ", down for ")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		a.t.Fatalf("what Slack got (-want +got):\n%s", diff)
	}
}

const (
	webDown = "[critical] libra-web on box: Libra's pages and API cannot be used: libra-web does not serve them"
	webUp   = "[cleared] libra-web on box: Libra's pages and API can be used again"
	busDown = "[critical] libra-bus on box: Libra accepts no requests: libra-bus does not answer"
	busUp   = "[cleared] libra-bus on box: Libra accepts requests again"
)

// From a probe that fails to the body that Slack receives, field by field.
func TestFromProbeToSlack(t *testing.T) {
	a := newBusRig(t)
	a.sendHeartbeats("libra-recorder")
	a.startNotifier(func(c *notifier.Config) {
		c.BaseURL, c.RunbookURL = "https://libra.example/", "https://libra.example/operations"
	})
	a.startWatchdog()
	a.web.fail(errors.New("down"))
	a.awaitTexts(webDown)
	a.web.repair()
	a.awaitTexts(webDown, webUp)

	a.slack.mu.Lock()
	defer a.slack.mu.Unlock()
	type m = map[string]any
	type l = []any
	text := func(kind, s string) m {
		if kind == "mrkdwn" {
			return m{"type": kind, "text": s, "verbatim": true}
		}
		return m{"type": kind, "text": s, "emoji": false}
	}
	button := func(id, label, url string) m {
		return m{"type": "button", "action_id": id, "text": text("plain_text", label), "url": url}
	}
	want := m{
		"text":   webDown,
		"blocks": l{m{"type": "header", "text": text("plain_text", "Critical: Libra's pages and API cannot be used: libra-web does not serve them")}},
		"attachments": l{m{
			"color": "#a30200", "fallback": webDown,
			"blocks": l{
				m{"type": "section", "text": text("plain_text", "GET "+a.cfg.WebURL+" answered 500 Internal Server Error, 200 wanted")},
				m{"type": "section", "text": text("mrkdwn", "*Since* <!date^UNIX^{date_short_pretty} {time_secs}|CLOCK UTC>")},
				m{"type": "section", "text": text("mrkdwn", "*Affected:* Nobody can open Libra's pages or use its API. Inspections and notifications go on.\n*First:* systemctl status libra-web.socket libra-web")},
				m{"type": "actions", "elements": l{
					button("alarm", "Alarm", "https://libra.example/alarms/web"),
					button("runbook", "Runbook", "https://libra.example/operations#web"),
				}},
				m{"type": "context", "elements": l{text("plain_text", "libra-web · host box · Libra 1.2.3 · alarm web")}},
			},
		}},
		"unfurl_links": false, "unfurl_media": false, "delete_original": false, "replace_original": false,
	}
	if diff := cmp.Diff(any(want), replaceDates(a.slack.bodies[0])); diff != "" {
		t.Errorf("body (-want +got):\n%s", diff)
	}
	down := a.slack.bodies[1]["text"].(string)
	if !strings.Contains(down, ", down for ") {
		t.Errorf("recovery names no downtime: %q", down)
	}
}

// The alarm "bus" is notified while the bus is away, and only once when it is
// back; missing heartbeats meanwhile are no alarm.
func TestBusDown(t *testing.T) {
	a := newBusRig(t)
	a.sendHeartbeats("libra-recorder")
	a.startNotifier(nil)
	a.startWatchdog()
	bustest.Await(t, "the watchdog to find everything healthy", func() bool { return a.countersContain(`"beat.recorder":{"state":"good"`) })
	a.bus.Down()
	a.awaitTexts(busDown)
	a.web.fail(errors.New("down"))
	a.awaitTexts(busDown, webDown)
	bustest.Await(t, "a silence that would count", func() bool { return a.silentFor("libra-recorder") > a.cfg.Heartbeat })
	a.bus.Up()
	a.awaitTexts(busDown, webDown, busUp)
	a.web.repair()
	a.awaitTexts(busDown, webDown, busUp, webUp)
	var onBus []string
	for _, id := range []string{"bus", "web", "beat.recorder"} {
		if tr, ok := a.newest(id); ok {
			onBus = append(onBus, id+" "+string(tr.Alarm.State))
		}
	}
	if diff := cmp.Diff([]string{"bus cleared", "web cleared"}, onBus); diff != "" {
		t.Errorf("newest on the bus (-want +got):\n%s", diff)
	}
}

// countersContain looks into the counters' file.
func (a *busRig) countersContain(what string) bool {
	data, err := os.ReadFile(filepath.Join(a.cfg.Runtime, "counters.json"))
	return err == nil && strings.Contains(string(data), what)
}

// silentFor is how long a component has been silent, by the counters' file.
func (a *busRig) silentFor(component string) time.Duration {
	var kept struct {
		Silent []struct {
			Target watchdog.Target
			For    time.Duration
		}
	}
	data, err := os.ReadFile(filepath.Join(a.cfg.Runtime, "counters.json"))
	if err != nil || json.Unmarshal(data, &kept) != nil {
		return 0
	}
	for _, s := range kept.Silent {
		if s.Target.Component == component {
			return s.For
		}
	}
	return 0
}

// newest is an alarm's newest transition on the bus.
func (a *busRig) newest(alarm string) (newest libra.Transition, ok bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	a.seen.ConsumeAlarms(ctx, cancel, func(t libra.Transition) {
		if t.Alarm.ID == alarm {
			newest, ok = t, true
		}
	})
	return newest, ok
}

var dates = regexp.MustCompile(`<!date\^\d+\^([^|]*)\|\d+ [A-Z][a-z]{2} \d{4}, [\d:]{8} UTC>`)

// replaceDates replaces dates by words throughout a decoded JSON value.
func replaceDates(v any) any {
	switch v := v.(type) {
	case string:
		return dates.ReplaceAllString(v, "<!date^UNIX^$1|CLOCK UTC>")
	case []any:
		for i := range v {
			v[i] = replaceDates(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = replaceDates(v[k])
		}
	}
	return v
}

// A request that no inspector claims is found on the real bus.
func TestQueueAlarmOnRealBus(t *testing.T) {
	a := newBusRig(t)
	a.sendHeartbeats("libra-recorder")
	a.cfg.Queue.Minor = 100 * time.Millisecond
	a.startNotifier(nil)
	a.startWatchdog()
	url := "https://example.org/"
	r := event.Request{ID: "r1", Page: libra.PageID(url), URL: url, Site: "home", Client: "alice", Asked: time.Now().UTC()}
	if err := a.bus.Connect("web").Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	a.awaitTexts("[minor] libra-inspector on box: Requests wait too long")
}

// The outside service gets requests while the watchdog works, and its URL is not
// logged.
func TestOutsideHeartbeat(t *testing.T) {
	a := newBusRig(t)
	var asked atomic.Int64
	outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ping/key" && asked.Add(1) == 2 {
			http.Error(w, "not now", http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(outside.Close)
	a.cfg.HeartbeatURL, a.cfg.HeartbeatEvery = outside.URL+"/ping/key", 20*time.Millisecond
	var log bytes.Buffer
	stop := a.run(watchdog.New(a.cfg, watchdog.Deps{Bus: a.bus.Connect("watchdog"), Log: slog.New(slog.NewTextHandler(&log, nil))}).Run)
	bustest.Await(t, "five heartbeats", func() bool { return asked.Load() >= 5 })
	stop()
	if text := log.String(); !strings.Contains(text, "503") || !strings.Contains(text, "succeeded again") || strings.Contains(text, "ping") {
		t.Errorf("the journal has:\n%s", text)
	}
}

// While web or the bus does not answer, or no heartbeat of the notifier arrives, the
// outside service gets no request; when all are healthy again, it does.
func TestOutsideHeartbeatIsWithheld(t *testing.T) {
	a := newBusRig(t)
	var asked atomic.Int64
	outside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	t.Cleanup(outside.Close)
	a.cfg.HeartbeatURL, a.cfg.HeartbeatEvery = outside.URL+"/ping/key", 20*time.Millisecond
	a.cfg.Expect = []watchdog.Target{{Component: "libra-notifier"}}
	var log lockedBuffer
	a.run(watchdog.New(a.cfg, watchdog.Deps{Bus: a.bus.Connect("watchdog"), Log: slog.New(slog.NewTextHandler(&log, nil))}).Run)
	probes := func(n int64) {
		t.Helper()
		from := a.web.asked.Load()
		bustest.Await(t, "probes of web", func() bool { return a.web.asked.Load() >= from+n })
	}
	probes(10)
	if n := asked.Load(); n != 0 {
		t.Errorf("%d requests before the notifier is known to be well", n)
	}
	silence := a.sendHeartbeats("libra-notifier")
	for _, c := range []struct {
		what         string
		fail, repair func()
	}{
		{"web", func() { a.web.fail(errors.New("down")) }, a.web.repair},
		{"bus", a.bus.Down, a.bus.Up},
		{"beat.notifier", silence, func() { a.sendHeartbeats("libra-notifier") }},
	} {
		was := asked.Load()
		bustest.Await(t, "requests before "+c.what+" fails", func() bool { return asked.Load() > was+3 })
		log.Reset()
		c.fail()
		bustest.Await(t, "the journal to say that it is withheld", func() bool { return strings.Contains(log.String(), "outside heartbeat withheld") })
		if text := log.String(); !strings.Contains(text, c.what) {
			t.Errorf("the journal does not name %s:\n%s", c.what, text)
		}
		withheld := asked.Load()
		probes(10)
		if n := asked.Load(); n > withheld+1 { // one may have been on its way
			t.Errorf("%s: %d requests while it is not well", c.what, n-withheld)
		}
		c.repair()
	}
	was := asked.Load()
	bustest.Await(t, "requests again", func() bool { return asked.Load() > was+3 })
}

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer // under mu
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string { b.mu.Lock(); defer b.mu.Unlock(); return b.buf.String() }

func (b *lockedBuffer) Reset() { b.mu.Lock(); defer b.mu.Unlock(); b.buf.Reset() }

// From the fault to the message in Slack, at the appliance's own settings but
// three failures that raise.
func BenchmarkFaultToSlack(b *testing.B) {
	a := newBusRig(b)
	a.sendHeartbeats("libra-recorder")
	a.cfg.Interval, a.cfg.Grace = time.Second, 5*time.Second
	a.cfg.Component, a.cfg.Flap.Raises = rules.Streak{Raise: 3, Clear: 1}, 1000
	a.startNotifier(func(c *notifier.Config) { c.Pace = 0 })
	a.startWatchdog()
	bustest.Await(b, "the watchdog to find everything healthy", func() bool { return a.countersContain(`"beat.recorder":{"state":"good"`) })
	n := 0
	notified := func() bool { return len(a.slack.texts()) > n }
	for b.Loop() {
		a.web.fail(errors.New("down"))
		bustest.Await(b, "the alarm", notified)
		n++
		b.StopTimer()
		a.web.repair()
		bustest.Await(b, "the recovery", notified)
		n++
		b.StartTimer()
	}
}
