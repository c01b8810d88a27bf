package web_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web"
)

// /up calls no bus healthy whose connection was lost, not even before the next probe.
func TestUpKnowsALostConnection(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(impatient).ready()
	bustest.Await(t, "a healthy bus", func() bool { return !strings.Contains(h.get("/up").body, "bus: ") })
	h.bus.Down()
	bustest.Await(t, "the connection to be lost", func() bool { return !h.conn.Connected() })
	if up := h.get("/up"); !strings.Contains(up.body, "degraded: bus: ") { // not connected, or no answer to a probe
		t.Errorf("/up after the connection was lost = %q", up.body)
	}
}

// The bus goes away and comes back: what was known is read, marked stale;
// what cannot be durable is refused at once; nothing is done by hand.
func TestBusAway(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(impatient).ready()
	known := reported(request(1), time.Now().UTC())
	h.publish(known)
	bustest.Await(t, "the report", func() bool { return h.page(known.Request.Page).State == libra.Reported })

	h.bus.Down()
	bustest.Await(t, "web to see it", func() bool { return h.page(known.Request.Page).Stale })
	p := h.page(known.Request.Page)
	if p.Report == nil || len(p.Report.Assets) != 3 || !strings.Contains(p.Reasons[0], "bus is away since") {
		t.Errorf("page while the bus is away = %+v", p)
	}
	got := h.submit("https://example.org/new")
	retry, err := strconv.Atoi(got.header.Get("Retry-After"))
	if got.code != 503 || err != nil || retry < 1 || retry > 5 || got.header.Get("Content-Type") != "application/problem+json" || !strings.Contains(got.body, "https://example.org/new") {
		t.Errorf("submission while the bus is away = %d, Retry-After %q, %s", got.code, got.header.Get("Retry-After"), got.body)
	}
	if html := h.get("/", "Accept", "text/html"); html.code != 200 || !strings.Contains(html.body, "Libra is degraded") {
		t.Errorf("/ = %d\n%s", html.code, html.body)
	}
	if unknown := h.get("/api/pages/" + libra.PageID("https://example.org/unknown")); unknown.code != 503 || unknown.header.Get("Retry-After") == "" {
		t.Errorf("a page that may be on the bus = %d %s", unknown.code, unknown.body)
	}

	h.bus.Up()
	bustest.Await(t, "a submission", func() bool { return h.submit("https://example.org/new").code == 202 })
	bustest.Await(t, "fresh pages", func() bool { return !h.page(known.Request.Page).Stale })
	late := reported(request(2), time.Now().UTC())
	h.publish(late)
	bustest.Await(t, "the report after the outage", func() bool { return h.page(late.Request.Page).State == libra.Reported })
}

// A page that only the bus knows is waited for while the bus is about to come
// back: web and bus were killed at once.
func TestBusBackSoon(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	known := reported(request(1), noon)
	h.fill(reported(request(2), noon))
	h.publish(known)
	h.bus.Down()
	h.start(web.Config{Patience: time.Minute})
	bustest.Await(t, "OK", func() bool { return h.get("/up").code == 200 })
	read := make(chan answer, 1)
	go func() { read <- h.do("GET", "/api/pages/"+known.Request.Page, "") }()
	bustest.Await(t, "the read to have come to SQLite", func() bool { return h.reads.Load() >= 2 })
	select {
	case got := <-read:
		t.Errorf("while the bus may come back = %d %s", got.code, got.body)
	default:
	}
	h.bus.Up()
	if got := <-read; got.code != 200 || !strings.Contains(got.body, `"state":"reported"`) {
		t.Errorf("once it is back = %d %s", got.code, got.body)
	}
}

// A bus that answers and cannot store is degraded, until it stores.
func TestBusStoresNothing(t *testing.T) {
	t.Parallel()
	h := started(t)
	h.bus.Down()
	h.bus.Wipe()
	h.bus.Up() // without its streams
	h.connected()
	const mark = "degraded: bus: it answers, and does not store: "
	bustest.Await(t, "the mark", func() bool {
		return h.submit("https://example.org/new").code == 503 && strings.Contains(h.get("/up").body, mark)
	})
	if up := h.get("/up"); up.code != 200 {
		t.Errorf("/up = %d %s", up.code, up.body)
	}
	h.bus.Streams()
	bustest.Await(t, "a submission", func() bool { return h.submit("https://example.org/new").code == 202 })
	if up := h.get("/up").body; strings.Contains(up, mark) {
		t.Errorf("/up = %s", up)
	}
}

// Started with nothing there, web listens and says so; it is healthy when the bus
// comes.
func TestStartWithNothing(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	os.Remove(h.db)
	h.publish(reported(request(1), time.Now().UTC()))
	h.bus.Down()
	h.start(web.Config{})
	up := h.get("/up")
	if up.code != 500 || !strings.HasPrefix(up.body, "LOADING\n") || !strings.Contains(up.body, "\ndegraded: bus: ") || !strings.Contains(up.body, "degraded: sqlite: ") {
		t.Errorf("/up = %d %q", up.code, up.body)
	}
	var doc struct {
		Status   string
		Degraded []struct{ Part, Reason string }
	}
	h.get("/up", "Accept", jsonType).into(t, &doc)
	if doc.Status != "LOADING" || len(doc.Degraded) != 2 || doc.Degraded[0].Part != "bus" {
		t.Errorf("/up as JSON = %+v", doc)
	}
	for _, path := range []string{"/", "/api/pages", "/alarms", "/board", "/api/board", "/status", "/api/status", "/capacity", "/api/capacity", "/metrics"} {
		if got := h.get(path, "Accept", "text/html"); got.code != 200 {
			t.Errorf("%s = %d", path, got.code)
		}
	}
	h.bus.Up()
	h.connected()
	bustest.Await(t, "the report", func() bool { return h.page(request(1).Page).State == libra.Reported })
}

// A history that is new says so: else pages that are gone would look as if they
// had never been.
func TestNewHistory(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.fill()
	h.start(web.Config{}).ready()
	year := time.Now().UTC().Format("2006")
	bustest.Await(t, "the first page to say since when it is empty", func() bool {
		body := h.get("/", "Accept", "text/html").body
		return strings.Contains(body, "(the history begins on <time") && strings.Contains(body, year)
	})
	if got := h.get("/api/status").body; !strings.Contains(got, `"history_since":"`+year) {
		t.Errorf("/api/status = %s", got)
	}
	h.publish(reported(request(1), noon))
	bustest.Await(t, "a page", func() bool {
		return !strings.Contains(h.get("/", "Accept", "text/html").body, "the history begins on")
	})
}

// Without the bus, SQLite answers.
func TestStartFromHistory(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	var all []event.Reported
	for n := range 7 {
		all = append(all, reported(request(n), noon.Add(time.Duration(n)*time.Minute)))
	}
	h.fill(all...)
	h.bus.Down()
	h.start(web.Config{HistoryCheck: 50 * time.Millisecond})
	bustest.Await(t, "OK", func() bool { return h.get("/up").code == 200 })
	p := h.page(request(3).Page)
	if !p.Stale || p.Report == nil || len(p.Report.Assets) != 3 || p.URL != request(3).URL {
		t.Errorf("page = %+v", p)
	}
	if got := walk(h, 3); !slices.Equal(got, ids(6, 5, 4, 3, 2, 1, 0)) {
		t.Errorf("pages = %v", got)
	}
	os.Remove(h.db)
	bustest.Await(t, "web to say that it can do nothing", func() bool { return h.get("/up").code == 500 })
}

// The heartbeat goes on while HTTP is answered, and Run ends although a stream
// is open.
func TestHeartbeatAndEnd(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{Drain: time.Hour}).ready()
	was := h.loop.Rounds()
	bustest.Await(t, "three beats", func() bool { return h.loop.Rounds() >= was+3 })
	resp, err := http.Get(h.base + "/api/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	ended := make(chan error, 1)
	go func() { ended <- h.stop() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("Run = %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("Run waits for a stream that its client keeps open")
	}
	if _, err := http.Get(h.base + "/up"); err == nil {
		t.Error("it still answers")
	}
}

// Asked to stop, it goes on answering for a moment on the connections that clients have, and
// on new ones, and asks them to send nothing more there: no request meets a connection that
// is being closed.
func TestStopDisturbsNoClient(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{Linger: 2 * time.Second}).ready()
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	ask := func() (*http.Response, error) {
		if _, err := io.WriteString(conn, "GET /up HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
			return nil, err
		}
		res, err := http.ReadResponse(answers, nil)
		if err == nil {
			_, err = io.Copy(io.Discard, res.Body)
		}
		return res, err
	}
	if res, err := ask(); err != nil || res.StatusCode != 200 || res.Close {
		t.Fatalf("before: %v, %v", res, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- h.stop() }()
	bustest.Await(t, "the connection to be given up", func() bool {
		res, err := ask()
		if err != nil || res.StatusCode != 200 {
			t.Fatalf("while it stops: %v, %v", res, err)
		}
		return res.Close
	})
	if got := h.submit("https://example.org/late"); got.code != 202 {
		t.Errorf("on a new connection: %d %s", got.code, got.body)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run = %v", err)
	}
}

// What is to be stored while the bus is restarted waits for it.
func TestBusRestartRefusesNothing(t *testing.T) {
	t.Parallel()
	h := started(t)
	h.bus.Down()
	bustest.Await(t, "web to miss the bus", func() bool { return !strings.HasPrefix(h.get("/up").body, "OK") })
	answered := make(chan answer, 2)
	go func() { answered <- h.submit("https://example.org/waits") }()
	go func() {
		answered <- h.do("POST", "/api/pages", `{"url":"https://example.org/waits-too","every":"30s"}`, "Content-Type", "application/json")
	}()
	h.bus.Up()
	for range 2 {
		if got := <-answered; got.code/100 != 2 {
			t.Errorf("%d %s", got.code, got.body)
		}
	}
}
