package web_test

import (
	"fmt"
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
	"libra/pkg/store"
	"libra/pkg/web"
)

type problem struct {
	Type, Title, Detail, Instance string
	Status                        int
}

func TestProblems(t *testing.T) {
	t.Parallel()
	h := started(t)
	long := strings.Repeat("a", 70_000)
	for _, c := range []struct {
		method, path, contentType, body string
		code                            int
		detail                          string
	}{
		{"POST", "/api/pages", jsonType, `{"url":"https://example.org/","evry":"30s"}`, 400, `"evry"`},
		{"POST", "/api/pages", jsonType, `{"url":"example.org"}`, 400, "start it with https://"},
		{"POST", "/api/pages", jsonType, `{"url":"file:///etc/passwd"}`, 400, "only http and https"},
		{"POST", "/api/pages", jsonType, `{"url":7}`, 400, `"url" must be a text`},
		{"POST", "/api/pages", jsonType, `{"url":null}`, 400, `"url" must be a text`},
		{"POST", "/api/pages", jsonType, `{}`, 400, `"url" must be a text`},
		{"POST", "/api/pages", jsonType, `{"url":"https://a/"} {}`, 400, "not a JSON object"},
		{"POST", "/api/pages", jsonType, `[]`, 400, "not a JSON object"},
		{"POST", "/api/pages", jsonType, `{"url":"` + long + `"}`, 413, "65536 bytes"},
		{"POST", "/api/pages", "text/plain", `{"url":"https://a/"}`, 415, "application/json"},
		{"POST", "/api/pages", jsonType + "; charset=utf-16", `{"url":"https://a/"}`, 415, "in UTF-8"},
		{"POST", "/api/pages", jsonType + "; charset=UTF-8", `{"url":"http://127.0.0.1:99999/"}`, 400, "must be 1 to 65535"},
		{"POST", "/api/pages", jsonType, `{"url":"http://a..b/"}`, 400, "empty label"},
		{"POST", "/pages", jsonType, `{"url":"https://a/"}`, 415, "x-www-form-urlencoded"},
		{"POST", "/pages", "application/x-www-form-urlencoded", "url=" + long, 413, "65536 bytes"},
		{"DELETE", "/api/pages", "", "", 405, "GET, HEAD, POST"},
		{"GET", "/nowhere", "", "", 404, "/nowhere"},
		{"GET", "/api/pages/short", "", "", 404, "POST its URL"},
		{"GET", "/api/pages?limit=0", "", "", 400, "from 1 to 500"},
		{"GET", "/api/pages?limit=501", "", "", 400, "from 1 to 500"},
		{"GET", "/api/pages?after=x", "", "", 400, "leave it out"},
		{"GET", "/api/alarms?state=odd", "", "", 400, "raised"},
		{"GET", "/alarms?after=x", "", "", 400, "leave it out"},
		{"GET", "/alarms/bus?limit=0", "", "", 400, "from 1 to 500"},
		{"POST", "/alarms/bus/acknowledge", jsonType, `{}`, 415, "x-www-form-urlencoded"},
		{"POST", "/alarms/bus/acknowledge", "application/x-www-form-urlencoded", "name=" + long[:201], 400, "201 bytes long"},
		{"POST", "/api/alarms/bus/acknowledge", jsonType, `{"text":"` + long[:1001] + `"}`, 400, "1001 bytes long"},
		{"POST", "/pages/short/watch", "application/x-www-form-urlencoded", "every=30s", 404, "POST its URL"},
		{"POST", "/api/channels/" + long[:201] + "/test", "", "", 400, "201 bytes long"},
		{"PUT", "/api/silences", "", "", 405, "GET, HEAD, POST"},
		{"GET", "/api/events?page=odd", "", "", 400, "page id"},
		{"GET", "/static/none.css", "", "", 404, "none.css"},
	} {
		name := c.method + " " + c.path + " " + c.body[:min(len(c.body), 40)]
		got := h.do(c.method, c.path, c.body, "Content-Type", c.contentType)
		if got.code != c.code || got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s = %d %s %s", name, got.code, got.header.Get("Content-Type"), got.body)
			continue
		}
		var p problem
		got.into(t, &p)
		path, _, _ := strings.Cut(c.path, "?")
		if p.Type == "" || p.Title == "" || p.Status != c.code || p.Instance != path || !strings.Contains(p.Detail, c.detail) {
			t.Errorf("%s = %+v, want a detail with %q", name, p, c.detail)
		}
		got = h.do(c.method, c.path, c.body, "Content-Type", c.contentType, "Accept", "text/html")
		if got.code != c.code || !strings.HasPrefix(got.header.Get("Content-Type"), "text/html") || !strings.Contains(got.body, "<main") {
			t.Errorf("%s for a browser = %d %s", name, got.code, got.header.Get("Content-Type"))
		}
	}
	if allow := h.do("DELETE", "/api/pages", "").header.Get("Allow"); allow != "GET, HEAD, POST" {
		t.Errorf("Allow = %q", allow)
	}
	golden(t, "problem.json", h.do("POST", "/api/pages", `{"urls":[]}`, "Content-Type", jsonType).body)
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
	if up := h.get("/up"); up.code != 200 || !strings.HasPrefix(up.body, "OK\ndegraded: bus: ") {
		t.Errorf("/up = %d %q", up.code, up.body)
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

// A bus that answers and cannot store is one that is out, until it stores.
func TestBusStoresNothing(t *testing.T) {
	t.Parallel()
	h := started(t)
	h.bus.Down()
	h.bus.Wipe()
	h.bus.Up() // without its streams
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

// Started with nothing there, web listens and says so; it is well when the bus
// comes.
func TestStartWithNothing(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.publish(reported(request(1), time.Now().UTC()))
	h.bus.Down()
	h.start(web.Config{})
	up := h.get("/up")
	if up.code != 500 || !strings.HasPrefix(up.body, "LOADING\ndegraded: bus: ") || !strings.Contains(up.body, "degraded: sqlite: ") {
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
	for _, path := range []string{"/", "/api/pages", "/alarms", "/status", "/api/status", "/metrics"} {
		if got := h.get(path, "Accept", "text/html"); got.code != 200 {
			t.Errorf("%s = %d", path, got.code)
		}
	}
	h.bus.Up()
	h.ready()
	bustest.Await(t, "the report", func() bool { return h.page(request(1).Page).State == libra.Reported })
}

// fill puts reports into SQLite, as the recorder does.
func (h *rig) fill(reports ...event.Reported) {
	h.t.Helper()
	w, err := store.Open(h.t.Context(), h.db)
	if err != nil {
		h.t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.AddReports(h.t.Context(), reports, event.Position{}); err != nil {
		h.t.Fatal(err)
	}
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
		return !strings.Contains(h.get("/", "Accept", "text/html").body, "the history here is new")
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

func ids(numbers ...int) (list []string) {
	for _, n := range numbers {
		list = append(list, request(n).Page)
	}
	return list
}

// walk pages through the whole list.
func walk(h *rig, limit int) (list []string) {
	h.t.Helper()
	next := ""
	for round := range 100 {
		var doc struct {
			Pages []libra.Page
			Next  string
		}
		h.get(fmt.Sprintf("/api/pages?limit=%d&after=%s", limit, next)).into(h.t, &doc)
		if round > 0 && len(doc.Pages) == 0 {
			h.t.Error("the list names a next part, and that is empty")
		}
		for _, p := range doc.Pages {
			list = append(list, p.ID)
		}
		if next = doc.Next; next == "" {
			return list
		}
	}
	h.t.Fatal("the list does not end")
	return nil
}

// Paging shows every page once, from memory and then from SQLite, in whatever
// portions.
func TestPaging(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	var old, young []event.Reported
	for n := range 12 {
		r := reported(request(n), noon.Add(time.Duration(n)*time.Minute))
		if old = append(old, r); n >= 5 {
			young = append(young, r)
		}
	}
	h.fill(old...)
	h.publish(young...)
	h.start(web.Config{}).ready()
	bustest.Await(t, "memory to be full", func() bool { return strings.Contains(h.get("/metrics").body, "libra_web_pages 7\n") })
	for _, limit := range []int{1, 4, 5, 7, 12, 100} {
		// On a busy machine SQLite may be given up for a moment.
		bustest.Await(t, fmt.Sprintf("all pages in order, %d at a time", limit), func() bool {
			return slices.Equal(walk(h, limit), ids(11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0))
		})
	}
}

// Memory is bounded: what does not fit is read from the bus again.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	var all []event.Reported
	for n := range 30 {
		all = append(all, reported(request(n), noon.Add(time.Duration(n)*time.Minute)))
	}
	h.publish(all...)
	h.start(web.Config{CacheBytes: 2000, MaxPages: 10}).ready()
	bustest.Await(t, "every report to be read", func() bool { p := h.page(request(29).Page); return p.State == libra.Reported && !p.Stale })
	metrics := h.get("/metrics").body
	var bytes float64
	for line := range strings.Lines(metrics) {
		if _, err := fmt.Sscanf(line, "libra_web_cache_bytes %g", &bytes); err == nil {
			break
		}
	}
	if !strings.Contains(metrics, "libra_web_pages 10\n") || bytes <= 0 || bytes > 2000 {
		t.Errorf("memory holds %v bytes:\n%s", bytes, metrics)
	}
	for n := range 30 {
		if p := h.page(request(n).Page); p.Report == nil || len(p.Report.Assets) != 3 || p.Stale {
			t.Errorf("page %d = %+v", n, p)
		}
	}
}

// A failed report of a page is no crash of the list, and an older one does not
// replace a newer one.
func TestNewestWins(t *testing.T) {
	t.Parallel()
	h := started(t)
	newer, older := reported(request(1), noon.Add(time.Hour)), reported(request(1), noon)
	newer.Report.Outcome, newer.Report.Reasons, newer.Report.Assets = libra.Failed, []string{"no such host"}, nil
	older.Request.ID = "older"
	h.publish(newer)
	h.listed(libra.Reported, 1)
	if p := h.page(request(1).Page); p.Report.Outcome != libra.Failed || p.Report.Assets == nil {
		t.Errorf("page = %+v", p)
	}
	for _, path := range []string{"/", "/pages/" + request(1).Page} {
		if got := h.get(path, "Accept", "text/html"); got.code != 200 || !strings.Contains(got.body, "failed") {
			t.Errorf("%s = %d\n%s", path, got.code, got.body)
		}
	}
	h.publish(older, reported(request(2), noon))
	h.listed(libra.Reported, 2)
	if p := h.whole(request(1).Page); p.Latest.Outcome != libra.Failed || p.Report.Outcome != libra.Complete {
		t.Errorf("a failure after a good report: %+v", p)
	}
	oldest := reported(request(1), noon.Add(-time.Hour))
	oldest.Request.ID, oldest.Report.Status = "oldest", 404
	h.publish(oldest, reported(request(3), noon))
	h.listed(libra.Reported, 3)
	if p := h.page(request(1).Page); p.Report.Status != 200 {
		t.Errorf("an older report replaces a newer one: %+v", p)
	}
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
