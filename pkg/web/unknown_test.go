package web_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"libra/pkg/bus/bustest"
	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web"
)

// lists are the documents that list something whose source is the bus.
var lists = []string{"/api/pages", "/api/pages?watched=true", "/api/alarms", "/api/alarms?state=raised", "/api/silences", "/api/history"}

// staleness is what a list says of itself.
type staleness struct {
	Stale        bool
	UnknownSince time.Time `json:"unknown_since"`
	Reasons      []string
}

func (h *rig) staleness(path string) (s staleness) {
	h.t.Helper()
	h.get(path).into(h.t, &s)
	return s
}

// While the bus is away, nothing that it carries is called known: no list, no count
// of alarms, no page, and not /up. What was known before is shown.
func TestUnknownWithoutBus(t *testing.T) {
	t.Parallel()
	h := started(t)
	h.raise(transition(1, "disk", libra.Raised, libra.Minor, 1))
	for _, path := range lists {
		if s := h.staleness(path); s.Stale || !s.UnknownSince.IsZero() {
			t.Errorf("%s of a healthy appliance = %+v", path, s)
		}
	}
	before := time.Now()
	h.bus.Down()
	bustest.Await(t, "web to see it", func() bool { return strings.HasPrefix(h.get("/up").body, "UNKNOWN since ") })
	for _, path := range lists {
		if s := h.staleness(path); !s.Stale || s.UnknownSince.Before(before.Add(-2*time.Second)) || s.UnknownSince.After(time.Now()) || len(s.Reasons) == 0 {
			t.Errorf("%s = %+v", path, s)
		}
	}
	up := h.get("/up")
	for _, want := range []string{")\n", "\nunknown: alarms since ", "\nunknown: newest reports since ", "\nunknown: watches since ", "\nrefused: new inspections since "} {
		if !strings.Contains(up.body, want) {
			t.Errorf("/up lacks %q: %s", want, up.body)
		}
	}
	if up.code != 200 {
		t.Errorf("/up = %d", up.code)
	}
	alarms := h.get("/alarms", "Accept", "text/html").body
	for _, want := range []string{`<h2 id="open">Unknown since <time`, "disk does not answer", "1 alarm is known.", "None is known."} {
		if !strings.Contains(alarms, want) {
			t.Errorf("/alarms lacks %q:\n%s", want, alarms)
		}
	}
	for path, falsehoods := range map[string][]string{
		"/alarms": {"alarm is open", "alarms are open", "No alarm", "no alarm is silenced", "No events yet"}, "/": {"No page has been inspected"},
		"/status": {">OK<", ">healthy <", `<dd>1</dd>`, "<dt>Open requests</dt><dd>0", "<dt>Watched pages</dt><dd>0"}, "/alarms/disk": {`<span class="tag raised">`},
	} {
		body := h.get(path, "Accept", "text/html").body
		for _, falsehood := range falsehoods {
			if strings.Contains(body, falsehood) {
				t.Errorf("%s says %q:\n%s", path, falsehood, body)
			}
		}
		if !strings.Contains(body, "Unknown since") && !strings.Contains(body, "unknown</span>") || !strings.Contains(body, `<span class="badge unknown">?`) {
			t.Errorf("%s does not say that something is unknown:\n%s", path, body)
		}
	}
	if m := h.get("/metrics").body; !strings.Contains(m, "libra_alarms_unknown 1") || !strings.Contains(m, `libra_open_alarms{severity="minor"} 1`) || strings.Contains(m, `libra_open_alarms{severity="critical"} 0`) {
		t.Errorf("/metrics = %s", m)
	}
	bustest.Await(t, "every component to be unknown in the metrics", func() bool {
		return !regexp.MustCompile(`libra_web_degraded\{component="libra-[a-z]+"\} 0`).MatchString(h.get("/metrics").body)
	})
	h.bus.Up()
	h.ready()
	bustest.Await(t, "no list to be stale", func() bool {
		for _, path := range lists {
			if h.staleness(path).Stale {
				return false
			}
		}
		return true
	})
}

// Nothing is known of alarms while the watchdog is silent, which raises them.
func TestAlarmsUnknownWithoutWatchdog(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.alone = true
	h.start(web.Config{}).connected()
	var stop func()
	for _, c := range component.Required() {
		if end := h.beats(beatOf(c.Name)); c.Name == component.Watchdog {
			stop = end
		}
	}
	h.ready()
	if html := h.get("/alarms", "Accept", "text/html").body; !strings.Contains(html, "No alarm is open") {
		t.Errorf("/alarms of a healthy appliance:\n%s", html)
	}
	last := time.Now()
	stop()
	bustest.Await(t, "the silence to be noticed", func() bool { return h.staleness("/api/alarms").Stale })
	if took := time.Since(last); took > 10*time.Second {
		t.Errorf("noticed after %v", took)
	}
	s := h.staleness("/api/alarms")
	if s.UnknownSince.After(last.Add(time.Second)) || !strings.Contains(strings.Join(s.Reasons, ""), "libra-watchdog, which raises and clears alarms, sends no heartbeat") {
		t.Errorf("alarms = %+v", s)
	}
	if html := h.get("/alarms", "Accept", "text/html").body; strings.Contains(html, "No alarm is open") || !strings.Contains(html, `<h2 id="open">Unknown since <time`) {
		t.Errorf("/alarms:\n%s", html)
	}
	if up := h.get("/up").body; !strings.HasPrefix(up, "UNKNOWN since ") || !strings.Contains(up, "unknown: alarms since ") || strings.Contains(up, "newest reports") {
		t.Errorf("/up = %s", up)
	}
	if h.staleness("/api/pages").Stale {
		t.Error("the list of pages needs no watchdog")
	}
}

// A component without heartbeats is unknown, and down once the watchdog has an
// alarm about it; the whole is healthy in neither case.
func TestSilentComponentIsUnknown(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.alone = true
	h.start(web.Config{}).connected()
	var stop func()
	for _, c := range component.Required() {
		if end := h.beats(beatOf(c.Name)); c.Name == component.Notifier {
			stop = end
		}
	}
	h.ready()
	state := func() string {
		var doc struct {
			Components []struct {
				Component, State string
				Up               bool
			}
		}
		h.get("/api/status").into(t, &doc)
		for _, c := range doc.Components {
			if c.Component == component.Notifier {
				if c.Up != (c.State == "healthy") {
					t.Errorf("notifier = %+v", c)
				}
				return c.State
			}
		}
		return ""
	}
	if got := state(); got != "healthy" {
		t.Errorf("notifier is %q", got)
	}
	stop()
	bustest.Await(t, "the notifier to be unknown", func() bool { return state() == "unknown" })
	bustest.Await(t, "/up to say it", func() bool {
		up := h.get("/up")
		if up.code != 200 || !strings.HasPrefix(up.body, "UNKNOWN since ") {
			t.Fatalf("/up = %d %s", up.code, up.body)
		}
		return strings.Contains(up.body, "degraded: libra-notifier: no heartbeat: nobody is notified of alarms")
	})
	if html := h.get("/", "Accept", "text/html").body; !strings.Contains(html, "nobody is notified of alarms") {
		t.Errorf("the first page does not say it:\n%s", html)
	}
	down := transition(1, "beat.notifier", libra.Raised, libra.Major, 1)
	down.Alarm.Summary, down.Alarm.Evidence = "libra-notifier was stopped", "it is inactive"
	h.raise(down)
	bustest.Await(t, "the notifier to be down", func() bool { return state() == "down" })
	if up := h.get("/up"); !strings.Contains(up.body, "degraded: libra-notifier: was stopped: nobody is notified of alarms") {
		t.Errorf("/up does not say that it was stopped: %s", up.body)
	}
	if html := h.get("/status", "Accept", "text/html").body; !strings.Contains(html, "it is inactive") {
		t.Errorf("/status does not have the evidence of its alarm:\n%s", html)
	}
	if up := h.get("/up").body; !strings.HasPrefix(up, "DEGRADED\n") {
		t.Errorf("/up = %s", up)
	}
	if html := h.get("/status", "Accept", "text/html").body; !strings.Contains(html, `<span class="tag down">down</span>`) {
		t.Errorf("/status:\n%s", html)
	}
}

// A heartbeat of a version that sends one every second is not missed before the next.
func TestOldHeartbeatIsNotMissed(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.alone = true
	h.start(web.Config{HeartbeatTimeout: time.Millisecond}).connected()
	old, err := json.Marshal(map[string]any{"component": component.Notifier, "instance": "1", "version": "0.1.0", "pid": 7, "started": noon, "at": noon, "status": "well", "counters": map[string]int64{}})
	if err != nil {
		t.Fatal(err)
	}
	key, err := nats.NkeyOptionFromSeed(h.bus.Seed("notifier"))
	if err != nil {
		t.Fatal(err)
	}
	nc, err := nats.Connect(h.bus.URL(), key)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	var age int64
	bustest.Await(t, "an age of half a second", func() bool {
		var doc struct {
			Components []struct {
				Component, State string
				PID              int
				AgeMS            int64 `json:"age_ms"`
			}
		}
		h.get("/api/status").into(t, &doc)
		for _, c := range doc.Components {
			if c.Component == component.Notifier && c.PID != 0 {
				if age = c.AgeMS; c.State != "healthy" && age < 2900 {
					t.Fatalf("after %d ms it is %s", age, c.State)
				}
			}
		}
		if age == 0 {
			if err := nc.Publish(event.HeartbeatSubject(component.Notifier, "1"), old); err != nil {
				t.Fatal(err)
			}
		}
		return age > 500
	})
}

// Started while SQLite cannot be read, web does not claim to know what the bus may
// have lost.
func TestAlarmsUnknownWithoutHistory(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	os.Remove(h.db)
	h.start(web.Config{HistoryCheck: 50 * time.Millisecond}).connected()
	for _, path := range lists {
		s := h.staleness(path)
		if !s.Stale || s.UnknownSince.IsZero() {
			t.Errorf("%s = %+v", path, s)
		}
	}
	if html := h.get("/alarms", "Accept", "text/html").body; strings.Contains(html, "No alarm is open") || !strings.Contains(html, "the history was not read") {
		t.Errorf("/alarms:\n%s", html)
	}
	h.fill()
	h.ready()
	bustest.Await(t, "alarms", func() bool { return !h.staleness("/api/alarms").Stale })
	// Once it was read, memory has what it needs.
	if err := os.Rename(h.db, filepath.Join(t.TempDir(), "aside.db")); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "the history to be missed", func() bool { return strings.Contains(h.get("/up").body, "history is behind") })
	if s := h.staleness("/api/alarms"); s.Stale {
		t.Errorf("alarms = %+v", s)
	}
	for _, path := range []string{"/api/history", "/api/pages"} {
		if s := h.staleness(path); !s.Stale || s.UnknownSince.IsZero() {
			t.Errorf("%s = %+v", path, s)
		}
	}
}

// A page that the bus does not know is not waited for because SQLite is away.
func TestUnknownPageWithoutHistory(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	os.Remove(h.db)
	h.start(web.Config{Patience: time.Hour, HistoryCheck: 50 * time.Millisecond}).connected()
	read := make(chan answer, 1)
	go func() { read <- h.do("GET", "/api/pages/"+request(9).Page, "") }()
	select {
	case got := <-read:
		if got.code != 503 {
			t.Errorf("= %d %s", got.code, got.body)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("it waits for a bus that has answered")
	}
}

// A page whose inspector is silent is not shown as being inspected.
func TestPageOfSilentInspectorWaits(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.alone = true
	h.start(web.Config{StepTimeout: time.Hour}).connected()
	stop := h.beats(beatOf(component.Inspector))
	bustest.Await(t, "the inspector", func() bool { return strings.Contains(h.get("/api/status").body, `"state":"healthy"`) })
	h.submit("https://example.org/")
	id := libra.PageID("https://example.org/")
	conn := h.bus.Connect("inspector")
	bustest.Await(t, "the step", func() bool {
		conn.PublishStep(event.Step{Request: "r", Page: id, Step: libra.Fetching, Inspector: "1"}) // lost while web has not subscribed
		return h.page(id).State == libra.Inspecting
	})
	stop()
	bustest.Await(t, "the page to be queued again", func() bool { p := h.page(id); return p.State == libra.Queued && p.Step == "" })
}
