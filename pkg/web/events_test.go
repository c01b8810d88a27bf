package web_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web"
)

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
				if kind == "status" && !strings.Contains(path, "status") {
					continue // of a machine that is busy
				}
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
	h.setWatch(watched)
	for _, events := range []<-chan string{all, one} {
		if e := next(t, events); !strings.HasPrefix(e, `watch {"page":"`+r.Page) || !strings.Contains(e, `"every":"30s"`) {
			t.Errorf("event = %q", e)
		}
	}
	// A stream of one page begins with its current state.
	again := h.events("/api/events?page=" + r.Page)
	next(t, again)
	if e := next(t, again); !strings.HasPrefix(e, "report ") {
		t.Errorf("the stream begins with %q", e)
	}
	if len(other) > 0 {
		t.Errorf("another page's stream has %q", <-other)
	}
}

// A client that does not read is disconnected, and the others get everything.
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
	long := strings.Repeat("x", 1<<13) // its backlog holds 128 of them
	bustest.Await(t, "the slow one to be disconnected", func() bool {
		for range 80 {
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
