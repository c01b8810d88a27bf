package web_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/daemon"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web"
)

// What a page says about itself stays text, wherever it is shown.
func TestHostileText(t *testing.T) {
	t.Parallel()
	h := started(t)
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(2)>`
	r := request(1)
	r.URL = "https://example.org/?q=" + evil
	r.Page = libra.PageID(r.URL)
	got := reported(r, time.Now().UTC())
	got.Report.Outcome, got.Report.Reasons = libra.Partial, []string{evil}
	got.Report.FinalURL = "javascript:alert(3)//" + evil
	got.Report.Assets = append(got.Report.Assets,
		libra.Asset{URL: "javascript:alert(4)", Type: libra.Script, Fetch: libra.Fetched, Reason: evil, Error: evil},
		libra.Asset{URL: "data:text/html," + evil, Type: libra.ResourceType(evil), Fetch: libra.Fetch(evil)})
	h.publish(got)
	alarm := libra.Transition{ID: "t1", At: noon, Host: evil, Alarm: libra.Alarm{
		ID: "page", Scope: libra.ScopePage, Target: r.URL, State: libra.Raised, Severity: libra.Severity(evil), Summary: evil, Evidence: evil, Runbook: evil, Since: noon,
	}}
	if err := h.bus.Connect("watchdog").PublishAlarm(t.Context(), alarm); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "the report", func() bool { return h.page(r.Page).State == libra.Reported })
	bustest.Await(t, "the alarm", func() bool {
		return strings.Contains(h.get("/api/alarms").body, `"t`) || strings.Contains(h.get("/api/alarms").body, "raised")
	})
	h.post("/api/alarms/page/acknowledge", string(mustJSON(t, map[string]string{"text": evil})), "X-Libra-Client", evil)
	h.post("/api/silences", string(mustJSON(t, map[string]any{"match": map[string]string{"target": evil + "*", "alarm": "pag*"}, "for": "2h", "why": evil})), "X-Libra-Client", evil)
	watch := event.Watch{Page: r.Page, URL: r.URL, Client: evil, EveryS: 30, At: noon}
	if err := h.conn.SetWatch(t.Context(), watch); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "the watch", func() bool { return h.watched(r.Page) == "30s" })
	for _, path := range []string{"/", "/pages/" + r.Page, "/alarms", "/alarms/page", "/status", "/" + evil, "/pages/" + evil, "/alarms/" + evil} {
		path = strings.NewReplacer(" ", "%20", `"`, "%22", "<", "%3C", ">", "%3E").Replace(path)
		body := h.get(path, "Accept", "text/html").body
		for _, bad := range []string{"<script>alert", "<img", `href="javascript:`, `href="data:`} {
			if strings.Contains(body, bad) {
				t.Errorf("%s holds %q:\n%s", path, bad, body)
			}
		}
	}
	if alarms := h.get("/alarms", "Accept", "text/html").body; !strings.Contains(alarms, "&lt;script&gt;") || !strings.Contains(alarms, "Acknowledged by") || !strings.Contains(alarms, "/end") {
		t.Errorf("the alarm is not shown:\n%s", alarms)
	}
}

func mustJSON(t *testing.T, v any) []byte {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Nothing on a page needs more than the policy allows.
func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	h := started(t)
	h.publish(reported(request(1), time.Now().UTC()))
	bustest.Await(t, "the report", func() bool { return h.page(request(1).Page).State == libra.Reported })
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script(?:>|[^>]*[^r]>[^<])|https?://[^"<]*\.(?:js|css)"`)
	for _, path := range []string{"/", "/pages/" + request(1).Page, "/alarms", "/alarms/none", "/status", "/nowhere", "/api/pages", "/up", "/metrics"} {
		got := h.get(path, "Accept", "text/html")
		for name, want := range map[string]string{"Content-Security-Policy": "default-src 'self'", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"} {
			if !strings.Contains(got.header.Get(name), want) {
				t.Errorf("%s: %s = %q", path, name, got.header.Get(name))
			}
		}
		if found := inline.FindString(strings.ReplaceAll(got.body, "https://example.org/0001/app.css", "")); found != "" && strings.HasPrefix(got.header.Get("Content-Type"), "text/html") {
			t.Errorf("%s needs %q", path, found)
		}
		for _, ref := range regexp.MustCompile(`(?:src|href)="(/static/[^"]+)"`).FindAllStringSubmatch(got.body, -1) {
			file := h.get(ref[1])
			if file.code != 200 || !strings.Contains(file.header.Get("Cache-Control"), "immutable") {
				t.Errorf("%s names %s: %d %q", path, ref[1], file.code, file.header.Get("Cache-Control"))
			}
		}
	}
}

func TestCompression(t *testing.T) {
	t.Parallel()
	h := started(t)
	h.publish(reported(request(1), time.Now().UTC()))
	bustest.Await(t, "the report", func() bool { return h.page(request(1).Page).State == libra.Reported })
	for _, path := range []string{"/api/pages/" + request(1).Page, "/"} {
		got := h.get(path, "Accept-Encoding", "gzip", "Accept", "text/html")
		if got.header.Get("Content-Encoding") != "gzip" {
			t.Errorf("%s: Content-Encoding = %q for %d bytes", path, got.header.Get("Content-Encoding"), len(got.body))
			continue
		}
		zr, err := gzip.NewReader(strings.NewReader(got.body))
		if err != nil {
			t.Fatal(err)
		}
		if data, err := io.ReadAll(zr); err != nil || len(data) <= 1024 {
			t.Errorf("%s unpacks to %d bytes, %v", path, len(data), err)
		}
	}
	if got := h.get("/up", "Accept-Encoding", "gzip"); got.header.Get("Content-Encoding") != "" {
		t.Errorf("a short answer is compressed")
	}
}

// events reads a stream into a channel of "kind data" lines.
func (h *rig) events(path string) <-chan string {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), "GET", h.base+path, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	if resp.StatusCode != 200 || resp.Header.Get("Content-Type") != "text/event-stream" {
		h.t.Fatalf("%s = %d %s", path, resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	out := make(chan string, 100)
	go func() {
		defer close(out)
		defer resp.Body.Close()
		kind := ""
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "retry":
				out <- "retry " + value
			case "event":
				kind = value
			case "data":
				out <- kind + " " + value
			}
		}
	}()
	return out
}

func next(t *testing.T, events <-chan string) string {
	t.Helper()
	select {
	case e := <-events:
		return e
	case <-time.After(30 * time.Second):
		t.Fatal("waited 30 s for an event")
		return ""
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	h := started(t)
	bustest.Await(t, "alarms to be read", func() bool { return !strings.Contains(h.get("/api/alarms").body, `"stale":true`) })
	r := request(1)
	all, one, other := h.events("/api/events"), h.events("/api/events?page="+r.Page), h.events("/api/events?page="+request(2).Page)
	for _, events := range []<-chan string{all, one, other} {
		if e := next(t, events); e != "retry 2000" {
			t.Errorf("first line = %q", e)
		}
	}
	h.submit(r.URL)
	r, err := h.conn.OpenRequest(t.Context(), r.Page)
	if err != nil {
		t.Fatal(err)
	}
	for _, events := range []<-chan string{all, one} {
		if e := next(t, events); !strings.HasPrefix(e, `request {"id":"`) || !strings.Contains(e, r.Page) || strings.Contains(e, "127.0.0.1") {
			t.Errorf("event = %q", e)
		}
	}
	inspector, watchdog := h.bus.Connect("inspector"), h.bus.Connect("watchdog")
	inspector.PublishStep(event.Step{Request: r.ID, Page: r.Page, Step: libra.Fetching, Found: 2})
	for _, events := range []<-chan string{all, one} {
		if e := next(t, events); !strings.HasPrefix(e, `step {"request":"`+r.ID) {
			t.Errorf("event = %q", e)
		}
	}
	h.publish(reported(r, time.Now().UTC()))
	for _, events := range []<-chan string{all, one} {
		e := next(t, events)
		if !strings.HasPrefix(e, `report {"page":"`+r.Page) || strings.Contains(e, "assets") {
			t.Errorf("event = %q", e)
		}
	}
	alarm := libra.Transition{ID: "t1", At: noon, Alarm: libra.Alarm{ID: "bus", Scope: libra.ScopeComponent, State: libra.Raised}}
	if err := watchdog.PublishAlarm(t.Context(), alarm); err != nil {
		t.Fatal(err)
	}
	if e := next(t, all); !strings.HasPrefix(e, `alarm {"id":"t1"`) {
		t.Errorf("event = %q", e)
	}
	h.post("/api/alarms/bus/acknowledge", "", "X-Libra-Client", "ann")
	if e := next(t, all); !strings.HasPrefix(e, `note {"id":"`) || !strings.Contains(e, `"by":"ann"`) {
		t.Errorf("event = %q", e)
	}
	watched := event.Watch{Page: r.Page, URL: r.URL, EveryS: 30, At: noon}
	if err := h.conn.SetWatch(t.Context(), watched); err != nil {
		t.Fatal(err)
	}
	for _, events := range []<-chan string{all, one} {
		if e := next(t, events); !strings.HasPrefix(e, `watch {"page":"`+r.Page) || !strings.Contains(e, `"every":"30s"`) {
			t.Errorf("event = %q", e)
		}
	}
	// A stream of one page begins with where it stands.
	again := h.events("/api/events?page=" + r.Page)
	next(t, again)
	if e := next(t, again); !strings.HasPrefix(e, "report ") {
		t.Errorf("the stream begins with %q", e)
	}
	if len(other) > 0 {
		t.Errorf("another page's stream has %q", <-other)
	}
}

// A client that does not read is let go, and the others get everything.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	h := started(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.(*net.TCPConn).SetReadBuffer(4096)
	fmt.Fprintf(conn, "GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
	streams := func(n int) func() bool {
		return func() bool {
			return strings.Contains(h.get("/metrics").body, fmt.Sprintf("libra_web_event_streams %d\n", n))
		}
	}
	bustest.Await(t, "the stream", streams(1))
	inspector := h.bus.Connect("inspector")
	long := strings.Repeat("x", 1<<15) // its backlog holds 128 of them
	bustest.Await(t, "the slow one to be let go", func() bool {
		for range 20 {
			inspector.PublishStep(event.Step{Page: request(1).Page, Request: long})
		}
		return strings.Contains(h.get("/metrics").body, "libra_web_event_streams_dropped_total 1\n")
	})
	if !streams(0)() {
		t.Error("the stream is still counted")
	}
}

func TestTooManyStreams(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{MaxStreams: 1}).ready()
	next(t, h.events("/api/events"))
	if got := h.get("/api/events"); got.code != 503 || got.header.Get("Retry-After") == "" {
		t.Errorf("the second stream = %d %s", got.code, got.body)
	}
}

// The runbook is at hand with the alarm: every anchor of it is served.
func TestRunbook(t *testing.T) {
	t.Parallel()
	h := started(t)
	page := h.get("/runbook", "Accept", "text/html").body
	anchors := regexp.MustCompile(`href="#([a-z-]+)"`).FindAllStringSubmatch(page, -1)
	if len(anchors) < 20 {
		t.Errorf("%d links to sections\n%s", len(anchors), page)
	}
	for _, a := range anchors {
		if !strings.Contains(page, `<h2 id="`+a[1]+`">`) && a[1] != "main" {
			t.Errorf("link to #%s leads nowhere", a[1])
		}
	}
	for _, want := range []string{
		"is it running? <code>systemctl start libra-bus</code>\n2. ",
		`another program on <code>LIBRA_BUS_LISTEN</code>; <strong>no space left</strong> see <a href="#disk">disk</a>.` + "\n3. ",
		"\n<code>libra alarms show disk                       # what was done about it</code>\n<code>journalctl ",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the runbook lacks %q:\n%s", want, page)
		}
	}
	if left := regexp.MustCompile("[`*].*").FindString(regexp.MustCompile("<code>[^<]*</code>").ReplaceAllString(page, "")); left != "" {
		t.Errorf("markup of Markdown is shown: %q", left)
	}
	disk := libra.Alarm{ID: "disk", Target: "/var", Severity: libra.Minor, State: libra.Raised, Summary: "full", Runbook: "#disk", Since: noon}
	for url, want := range map[string]string{"": "/runbook#disk", "https://docs.example/ops": "https://docs.example/ops#disk"} {
		h := newRig(t).start(web.Config{RunbookURL: url}).ready()
		if err := h.bus.Connect("watchdog").PublishAlarm(t.Context(), libra.Transition{ID: "t", At: noon, Alarm: disk}); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/alarms", "/alarms/disk"} {
			bustest.Await(t, path+" to lead to "+want, func() bool {
				return strings.Contains(h.get(path, "Accept", "text/html").body, `href="`+want+`"`)
			})
		}
	}
}

func TestAlarms(t *testing.T) {
	t.Parallel()
	h := started(t)
	watchdog := h.bus.Connect("watchdog")
	publish := func(n int, alarm string, state libra.AlarmState) {
		at := noon.Add(time.Duration(n) * time.Minute)
		tr := libra.Transition{ID: fmt.Sprint("t", n), At: at, Host: "box", Alarm: libra.Alarm{
			ID: alarm, Scope: libra.ScopeComponent, Target: "libra-" + alarm, Severity: libra.Major, State: state,
			Summary: alarm + " does not answer", Evidence: "3 of 3 probes", Runbook: "#" + alarm, Since: noon,
		}}
		if state == libra.Cleared {
			tr.Alarm.Until = at
		}
		if err := watchdog.PublishAlarm(t.Context(), tr); err != nil {
			t.Fatal(err)
		}
	}
	publish(1, "bus", libra.Raised)
	publish(2, "web", libra.Raised)
	publish(3, "bus", libra.Cleared)
	publish(4, "disk", libra.Raised)
	var doc struct{ Alarms []libra.Alarm }
	list := func(query string) (got []string) {
		h.get("/api/alarms"+query).into(t, &doc)
		for _, a := range doc.Alarms {
			got = append(got, a.ID)
		}
		return got
	}
	bustest.Await(t, "three alarms", func() bool { return len(list("")) == 3 && !strings.Contains(h.get("/api/alarms").body, `"stale":true`) })
	for query, want := range map[string]string{"": "[disk web bus]", "?state=raised": "[disk web]", "?state=cleared": "[bus]"} {
		if got := fmt.Sprint(list(query)); got != want {
			t.Errorf("alarms%s = %s, want %s", query, got, want)
		}
	}
	golden(t, "alarms.json", h.get("/api/alarms?state=cleared").body)
	if home := h.get("/", "Accept", "text/html").body; !strings.Contains(home, `<span class="badge">2<`) {
		t.Errorf("the first page does not count the alarms:\n%s", home)
	}
}

// What components say of themselves is in status and metrics, and their
// silence is noticed.
func TestStatus(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{HeartbeatTimeout: 300 * time.Millisecond}).ready()
	beat := func() {
		h.beat(event.Heartbeat{Component: "libra-inspector", Instance: "1", Version: daemon.Version, PID: 7, Started: noon, At: time.Now(), Status: "2 of 4 busy", Counters: map[string]int64{"reports_published": 42}})
	}
	var doc struct {
		Status     string
		Degraded   []struct{ Part string }
		Components []struct {
			Component, Instance, Version, Status string
			Up                                   bool
			Since                                time.Time
			AgeMS                                int64 `json:"age_ms"`
		}
	}
	bustest.Await(t, "the heartbeat", func() bool {
		beat() // lost while web has not subscribed
		h.get("/api/status").into(t, &doc)
		return len(doc.Components) == 1 && doc.Components[0].Up
	})
	if c := doc.Components[0]; c.Component != "libra-inspector" || c.Status != "2 of 4 busy" || !c.Since.Equal(noon) || c.AgeMS > 300 {
		t.Errorf("component = %+v", c)
	}
	const up = `libra_component_up{component="libra-inspector",instance="1",version="0.0.0"} 1`
	var metrics string
	bustest.Await(t, "the heartbeat in the metrics", func() bool {
		beat()
		metrics = h.get("/metrics").body
		return strings.Contains(metrics, up)
	})
	for _, want := range []string{
		`libra_inspector_reports_published_total{component="libra-inspector",instance="1"} 42`,
		`libra_web_requests_total{code="200",route="/api/status"}`,
		`libra_web_request_duration_seconds_bucket{route="/api/status",le="+Inf"}`,
		`libra_build_info{version="0.0.0"} 1`, `libra_web_degraded{component="bus"} 0`, "libra_web_cache_bytes 0",
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("metrics lack %s:\n%s", want, metrics)
		}
	}
	bustest.Await(t, "its silence to be noticed", func() bool {
		h.get("/api/status").into(t, &doc)
		out, _ := json.Marshal(doc.Degraded)
		return !doc.Components[0].Up && strings.Contains(string(out), "libra-inspector")
	})
	if html := h.get("/status", "Accept", "text/html"); !strings.Contains(html.body, ">down<") || !strings.Contains(html.body, "accepted inspections wait") {
		t.Errorf("/status:\n%s", html.body)
	}
	h.bus.Down()
	bustest.Await(t, "silence to say nothing without a bus", func() bool {
		html := h.get("/status", "Accept", "text/html").body
		return strings.Contains(html, ">unknown<") && !strings.Contains(html, ">down<")
	})
}
