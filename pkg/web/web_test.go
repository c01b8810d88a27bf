package web_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/trace"
	"libra/pkg/web"
)

// A page is submitted, seen while it is inspected, and read.
func TestLifeOfAPage(t *testing.T) {
	t.Parallel()
	h := started(t)
	got := h.submit("https://Example.org", "X-Libra-Client", "alice")
	id := libra.PageID("https://example.org/")
	if got.code != 202 || got.header.Get("Location") != "/api/pages/"+id {
		t.Fatalf("submit = %d, Location %q: %s", got.code, got.header.Get("Location"), got.body)
	}
	golden(t, "accepted.json", got.body)
	if open, err := h.conn.OpenRequest(t.Context(), id); err != nil || open.Label != "alice" || len(open.ID) < 16 || open.Site != "home" {
		t.Errorf("on the bus: %+v, %v", open, err)
	}
	if p := h.page(id); p.State != libra.Queued || p.Report != nil || p.Asked.IsZero() || p.Stale {
		t.Errorf("page once submitted = %+v", p)
	}

	inspected := make(chan struct{})
	h.inspect(func(ctx context.Context, conn *bus.Conn, j bus.Job) event.Reported {
		step := event.Step{Request: j.Request.ID, Page: j.Request.Page, Step: libra.Weighing, Found: 3, Done: 1, Inspector: "1", At: time.Now().UTC()}
		stop, err := conn.ServeStep(j.Request.Page, func() event.Step { return step })
		if err != nil {
			t.Error(err)
			return event.Reported{}
		}
		defer stop()
		conn.PublishStep(step)
		select {
		case <-inspected:
		case <-ctx.Done():
		}
		return reported(j.Request, noon.Add(time.Minute))
	})
	bustest.Await(t, "the page to be inspected", func() bool { p := h.page(id); return p.State == libra.Inspecting && p.Step == libra.Weighing })
	if html := h.get("/pages/"+id, "Accept", "text/html").body; !strings.Contains(html, `max="3" value="1"`) || !strings.Contains(html, `http-equiv="refresh"`) {
		t.Errorf("the live page shows no progress:\n%s", html)
	}
	close(inspected)
	bustest.Await(t, "the report", func() bool { return h.page(id).State == libra.Reported })

	got = h.get("/api/pages/" + id)
	golden(t, "page.json", got.body)
	if again := h.get("/api/pages/"+id, "If-None-Match", got.header.Get("ETag")); again.code != 304 || again.body != "" {
		t.Errorf("with its ETag: %d %q", again.code, again.body)
	}
	golden(t, "pages.json", h.get("/api/pages").body)
	html := h.get("/pages/"+id, "Accept", "text/html").body
	for _, want := range []string{"https://example.org/app.css", "link rel=stylesheet", "9.0 kB", "10.3 kB", "loading=lazy"} {
		if !strings.Contains(html, want) {
			t.Errorf("the report's page lacks %q:\n%s", want, html)
		}
	}
	if home := h.get("/", "Accept", "text/html").body; !strings.Contains(home, `href="/pages/`+id) || !strings.Contains(home, "10.3 kB") {
		t.Errorf("the first page lacks the report:\n%s", home)
	}
}

func TestForm(t *testing.T) {
	t.Parallel()
	h := started(t)
	const form, browser = "application/x-www-form-urlencoded", "text/html,application/xhtml+xml,*/*;q=0.8"
	got := h.do("POST", "/pages", "url=https%3A%2F%2Fexample.org%2F", "Content-Type", form, "Accept", browser)
	if want := "/pages/" + libra.PageID("https://example.org/"); got.code != 303 || got.header.Get("Location") != want {
		t.Errorf("form = %d, Location %q", got.code, got.header.Get("Location"))
	}
	got = h.do("POST", "/pages", "url=ftp%3A%2F%2Fexample.org%2F", "Content-Type", form, "Accept", browser)
	if got.code != 400 || !strings.Contains(got.body, `value="ftp://example.org/"`) || !strings.Contains(got.body, "only http and https") {
		t.Errorf("form with a fault = %d\n%s", got.code, got.body)
	}
	got = h.do("POST", "/pages", "url=http%3A%2F%2F10.0.0.1%2F", "Content-Type", form, "Accept", browser)
	if got.code != 400 || !strings.Contains(got.body, `value="http://10.0.0.1/"`) || !strings.Contains(got.body, "10.0.0.1 is a private address: ask the operator") {
		t.Errorf("form with a private address = %d\n%s", got.code, got.body)
	}
	got = h.do("POST", "/pages", "url=https%3A%2F%2Fexample.org%2Fevil", "Content-Type", form, "Sec-Fetch-Site", "cross-site", "Accept", browser)
	if got.code != 403 || !strings.Contains(got.body, "another site") {
		t.Errorf("another site's form = %d\n%s", got.code, got.body)
	}
}

// The second request for an open page is the first.
func TestAskedTwice(t *testing.T) {
	t.Parallel()
	h := started(t)
	first, second := h.submit("https://example.org/"), h.submit("https://example.org/#again")
	var a, b struct{ ID, Note string }
	first.into(t, &a)
	second.into(t, &b)
	if second.code != 202 || a.ID != b.ID || a.Note != "" || b.Note == "" {
		t.Errorf("first %s\nsecond %d %s", first.body, second.code, second.body)
	}
	if pages, err := h.conn.OpenPages(t.Context()); err != nil || len(pages) != 1 {
		t.Errorf("open on the bus: %v, %v", pages, err)
	}
	h.inspect(func(_ context.Context, _ *bus.Conn, j bus.Job) event.Reported {
		return reported(j.Request, time.Now().UTC())
	})
	bustest.Await(t, "one report to answer both", func() bool { return h.page(a.ID).State == libra.Reported })
}

// Who asks is the header, else the peer's address.
func TestClient(t *testing.T) {
	t.Parallel()
	h := started(t)
	h.submit("https://example.org/a")
	open, err := h.conn.OpenRequest(t.Context(), libra.PageID("https://example.org/a"))
	if err != nil || open.Client != "127.0.0.1" {
		t.Errorf("client = %q, %v", open.Client, err)
	}
	if got := h.submit("https://example.org/b", "X-Libra-Client", strings.Repeat("x", 201)); got.code != 400 || !strings.Contains(got.body, "X-Libra-Client") {
		t.Errorf("a client with a long name: %d %s", got.code, got.body)
	}
}

// Request ids sort by time and never repeat; web's journal knows them, too, where it has
// every step.
func TestRequestIDs(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	var journal strings.Builder // the handler writes one line at a time
	h.log = slog.New(slog.NewTextHandler(&journal, &slog.HandlerOptions{Level: slog.LevelDebug}))
	h.start(web.Config{}).ready()
	var ids []string
	for n := range 20 {
		url := fmt.Sprintf("https://example.org/%d", n)
		h.submit(url)
		open, err := h.conn.OpenRequest(t.Context(), libra.PageID(url))
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, open.ID)
		// The next one is asked in a later millisecond.
		bustest.Await(t, "the clock", func() bool { return time.Since(open.Asked) > time.Millisecond })
	}
	for i := 1; i < len(ids); i++ {
		if ids[i-1] >= ids[i] {
			t.Errorf("id %q comes before %q", ids[i-1], ids[i])
		}
	}
	if err := h.stop(); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if !strings.Contains(journal.String(), `msg="request accepted" request=`+id+" trace_id="+trace.ID(event.Request{ID: id})+" page=") {
			t.Errorf("the journal does not know %s:\n%s", id, journal.String())
		}
	}
}

// A worker that is gone without a report leaves its page queued, not in
// inspection for ever.
func TestWorkerGone(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{StepTimeout: 100 * time.Millisecond}).ready()
	h.submit("https://example.org/")
	id := libra.PageID("https://example.org/")
	conn := h.bus.Connect("inspector")
	bustest.Await(t, "the step", func() bool {
		conn.PublishStep(event.Step{Request: "r", Page: id, Step: libra.Fetching}) // lost while web has not subscribed
		return h.page(id).State == libra.Inspecting
	})
	bustest.Await(t, "the page to be queued again", func() bool { p := h.page(id); return p.State == libra.Queued && p.Step == "" })
}

// Open requests that web never saw, as after a restart, are found; those
// that are gone are forgotten.
func TestOpenRequestsAreFound(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	r := request(1)
	if err := h.connect("web").Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := h.bus.Connect("web").Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	h.start(web.Config{}).ready()
	bustest.Await(t, "the open request", func() bool { a := h.get("/api/pages"); return strings.Contains(a.body, r.Page) })
	if p := h.page(r.Page); p.State != libra.Queued || p.URL != r.URL {
		t.Errorf("page = %+v", p)
	}
	h.inspect(func(_ context.Context, _ *bus.Conn, j bus.Job) event.Reported {
		return reported(j.Request, time.Now().UTC())
	})
	bustest.Await(t, "no open request", func() bool { return h.page(r.Page).State == libra.Reported })
	var status struct {
		Counts struct {
			Open int `json:"open_requests"`
		}
	}
	h.get("/api/status").into(t, &status)
	if status.Counts.Open != 0 {
		t.Errorf("open requests = %d", status.Counts.Open)
	}
}
