package web_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/component"
	"libra/pkg/daemon"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web"
	"libra/pkg/web/state"
)

// pageAnswer is what GET /api/pages/{id} answers.
type pageAnswer struct {
	libra.Page
	Score *struct {
		Score   int
		Verdict string
	}
	Latest *struct {
		At          time.Time
		Outcome     libra.Outcome
		Quarantined bool
		Reasons     []string
	}
}

func (h *rig) whole(id string) (p pageAnswer) {
	h.t.Helper()
	h.get("/api/pages/"+id).into(h.t, &p)
	return p
}

// failed is a report that says why the page could not be fetched.
func failed(r event.Request, at time.Time, why libra.Reason) event.Reported {
	rep := event.Reported{Request: r, Attempt: 1, Inspector: "1", At: at, Report: libra.Report{
		URL: r.URL, Started: at, DurationMS: 3, Outcome: libra.Error, Totals: libra.Sum(nil), Assets: []libra.Asset{},
	}}
	sentence := why.String()
	if why.Code != libra.CodeQuarantined {
		sentence = fmt.Sprintf("cannot fetch %q: %s", r.URL, why)
	}
	rep.Report.AddSentence(sentence, why)
	return rep
}

// listed waits until memory holds so many pages in a state.
func (h *rig) listed(state libra.PageState, n int) {
	h.t.Helper()
	bustest.Await(h.t, fmt.Sprintf("%d pages %s", n, state), func() bool {
		return strings.Count(h.get("/api/pages").body, `"state":"`+string(state)+`"`) == n
	})
}

func again(r event.Request, id string) event.Request {
	r.ID = id
	return r
}

var refused = libra.Reason{Code: libra.CodeConnectionRefused, Text: "connection refused by 192.0.2.1:443"}

// A page shows its newest good report, and says that later inspections failed: from
// the bus, after a restart, and from SQLite without the bus.
func TestLastGoodReport(t *testing.T) {
	t.Parallel()
	h := started(t)
	good, bad := reported(request(1), noon.Add(time.Minute)), failed(again(request(1), "second"), noon.Add(time.Hour), refused)
	never := failed(request(2), noon, refused)
	h.publish(good, bad, never)
	h.fill(good, bad, never)
	id := good.Request.Page
	holds := func(when string) {
		t.Helper()
		bustest.Await(t, "the page "+when, func() bool { return h.whole(id).Latest != nil && h.whole(never.Request.Page).Latest != nil })
		p := h.whole(id)
		if p.State != libra.Reported || !p.Stale || p.Report == nil || p.Report.Outcome != libra.Complete || len(p.Report.Assets) != 3 ||
			p.Reasons[0] != "no good report since 1 Mar 2026, 12:00:00 UTC: "+refused.Text || !p.HasReason(refused.Code) {
			t.Errorf("%s: %+v", when, p.Page)
		}
		if p.Score == nil || p.Score.Score != 100 || p.Latest.Outcome != libra.Error || !p.Latest.At.Equal(bad.At) {
			t.Errorf("%s: score %+v, latest %+v", when, p.Score, p.Latest)
		}
		if p := h.whole(never.Request.Page); p.Report == nil || p.Report.Outcome != libra.Error || p.Score != nil || slices.Contains(p.Reasons, refused.Text) {
			t.Errorf("%s: a page that was never fetched: %+v", when, p)
		}
		list := h.get("/api/pages").body
		if !strings.Contains(list, p.Reasons[0]) || strings.Count(list, `"outcome":"complete"`) != 1 {
			t.Errorf("%s: list %s", when, list)
		}
		html := h.get("/pages/"+id, "Accept", "text/html").body
		if !strings.Contains(html, refused.Text) || !strings.Contains(html, "/app.css") {
			t.Errorf("%s: the page lacks the failure or the good report:\n%s", when, html)
		}
		if home := h.get("/", "Accept", "text/html").body; !strings.Contains(home, ">error<") {
			t.Errorf("%s: the first page does not mark it:\n%s", when, home)
		}
	}
	h.awaitListed(bad, never)
	holds("from the bus")
	if err := h.stop(); err != nil {
		t.Error(err)
	}
	h.start(web.Config{}).ready()
	h.awaitListed(bad, never)
	holds("after a restart")
	if err := h.stop(); err != nil {
		t.Error(err)
	}
	h.bus.Down()
	h.start(web.Config{})
	bustest.Await(t, "OK", func() bool { return h.get("/up").code == 200 })
	holds("from SQLite")

	h.bus.Up()
	h.publish(reported(again(request(1), "third"), noon.Add(2*time.Hour)))
	bustest.Await(t, "the page to be fresh", func() bool { p := h.whole(id); return !p.Stale && p.Latest.Outcome == libra.Complete })
	if p := h.page(id); len(p.Reasons) != 0 {
		t.Errorf("once it was fetched again: %+v", p)
	}
}

// A good report that the bus no longer has is found in SQLite.
func TestGoodReportFromHistory(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	good, bad := reported(request(1), noon), failed(again(request(1), "second"), noon.Add(8*24*time.Hour), refused)
	h.fill(good, bad)
	h.publish(bad)
	h.start(web.Config{}).ready()
	bustest.Await(t, "the good report", func() bool {
		p := h.page(good.Request.Page)
		return p.Stale && p.Report.Outcome == libra.Complete
	})
	bustest.Await(t, "it in the list", func() bool { return strings.Contains(h.get("/", "Accept", "text/html").body, "10.3 kB") })
}

func quarantined(r event.Request, at time.Time) event.Reported {
	q := failed(r, at, libra.Reason{
		Code: libra.CodeQuarantined, Text: "the page ended its inspector 3 times and is in quarantine, the last time: panic: poison", Remedy: "release it with: libra release " + r.URL,
	})
	q.Quarantined = true
	return q
}

func TestQuarantine(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(impatient).ready()
	const form = "application/x-www-form-urlencoded"
	r := request(1)
	h.publish(quarantined(r, noon), reported(request(2), noon))
	h.listed("quarantined", 1)
	h.listed("reported", 1)
	got := h.get("/api/pages/" + r.Page)
	golden(t, "quarantined.json", got.body)

	refusal := h.submit(r.URL)
	if refusal.code != 409 || refusal.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("submission = %d %s", refusal.code, refusal.header.Get("Content-Type"))
	}
	golden(t, "quarantined-problem.json", refusal.body)
	if got := h.do("POST", "/pages", "url="+r.URL, "Content-Type", form, "Accept", "text/html"); got.code != 409 || !strings.Contains(got.body, `<a href="/pages/`+r.Page+`">Open its page to release it</a>`) {
		t.Errorf("the form = %d\n%s", got.code, got.body)
	}
	html := h.get("/pages/"+r.Page, "Accept", "text/html").body
	if !strings.Contains(html, "Quarantined: not inspected until it is released") || !strings.Contains(html, "panic: poison") || !strings.Contains(html, `action="/pages/`+r.Page+`/release"`) || strings.Contains(html, "Inspect again") || strings.Contains(html, "Inspect every") ||
		strings.Contains(html, "no answer") || strings.Contains(html, "<dt>Duration</dt>") {
		t.Errorf("the page does not say it:\n%s", html)
	}
	if home := h.get("/", "Accept", "text/html").body; !strings.Contains(home, ">quarantined<") {
		t.Errorf("the first page does not say it:\n%s", home)
	}
	for path, code := range map[string]int{"/api/pages/" + request(2).Page + "/release": 409, "/api/pages/" + request(3).Page + "/release": 404, "/api/pages/short/release": 404} {
		if got := h.do("POST", path, ""); got.code != code {
			t.Errorf("POST %s = %d %s", path, got.code, got.body)
		}
	}
	if got := h.do("POST", "/api/pages/"+r.Page+"/release", "", "Sec-Fetch-Site", "cross-site"); got.code != 403 {
		t.Errorf("another site's release = %d", got.code)
	}

	got = h.do("POST", "/api/pages/"+r.Page+"/release", "", "X-Libra-Client", "alice")
	if got.code != 202 || got.header.Get("Location") != "/api/pages/"+r.Page || !strings.Contains(got.body, `"state":"queued"`) {
		t.Errorf("release = %d %s", got.code, got.body)
	}
	if open, err := h.conn.OpenRequest(t.Context(), r.Page); err != nil || !open.Release || open.URL != r.URL || open.Label != "alice" {
		t.Errorf("on the bus: %+v, %v", open, err)
	}
	if p := h.page(r.Page); p.State != libra.Queued {
		t.Errorf("state once released = %s", p.State)
	}
	if got := h.do("POST", "/api/pages/"+r.Page+"/release", "", "X-Libra-Client", "alice"); got.code != 202 || !strings.Contains(got.body, `"note"`) {
		t.Errorf("a second release = %d %s", got.code, got.body)
	}
	h.inspect(func(_ context.Context, _ *bus.Conn, j bus.Job) event.Reported {
		return reported(j.Request, time.Now().UTC())
	})
	bustest.Await(t, "the page to be inspected", func() bool { p := h.page(r.Page); return p.State == libra.Reported && !p.Stale })
	if got := h.submit(r.URL); got.code != 202 {
		t.Errorf("submission once released = %d %s", got.code, got.body)
	}

	// The button.
	q := quarantined(request(4), noon)
	h.publish(q)
	h.listed("quarantined", 1)
	if got := h.do("POST", "/pages/"+q.Request.Page+"/release", "", "Content-Type", form, "Accept", "text/html"); got.code != 303 || got.header.Get("Location") != "/pages/"+q.Request.Page {
		t.Errorf("the button = %d %s", got.code, got.body)
	}
}

// A page in quarantine that memory has no room for is refused all the same,
// and keeps the good report that it had.
func TestQuarantineOutsideMemory(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	reports := []event.Reported{reported(request(0), noon), quarantined(again(request(0), "second"), noon.Add(time.Second))}
	for n := 1; n < 8; n++ {
		reports = append(reports, reported(request(n), noon.Add(time.Duration(n)*time.Minute)))
	}
	h.publish(reports...)
	h.start(web.Config{Bounds: state.Bounds{Pages: 6000}}).ready()
	bustest.Await(t, "memory to have dropped the oldest pages", func() bool {
		metrics := h.get("/metrics").body
		return metricOf(t, metrics, "libra_web_pages") < 6 && strings.Contains(h.get("/api/pages").body, request(7).Page)
	})
	if p := h.whole(request(0).Page); p.State != libra.Quarantined || p.Report == nil || p.Report.Outcome != libra.Complete || len(p.Reasons) != 2 || p.Score == nil {
		t.Errorf("page = %+v", p)
	}
	if got := h.submit(request(0).URL); got.code != 409 {
		t.Errorf("submission = %d %s", got.code, got.body)
	}
	if got := h.do("POST", "/api/pages/"+request(0).Page+"/release", ""); got.code != 202 {
		t.Errorf("release = %d %s", got.code, got.body)
	}
}

// What only history lacks is a mark, and no error anywhere.
func TestHistoryIsBehind(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.fill(reported(request(1), noon))
	h.publish(reported(request(2), noon))
	h.alone = true
	h.start(web.Config{HeartbeatTimeout: time.Hour}).connected()
	for _, c := range component.Required() {
		if c.Name != component.Recorder {
			h.beats(beatOf(c.Name))
		}
	}
	behind := func(since int64) {
		h.beat(event.Heartbeat{
			Component: "libra-recorder", Instance: "1", Version: daemon.Version, Started: noon, At: time.Now(),
			Status: "history is behind", Details: []libra.Reason{{Code: libra.CodeHistoryBehind, Text: "database is locked"}}, Counters: map[string]int64{"behind_since_unix": since},
		})
	}
	const mark = "sqlite: history is behind: database is locked (since 1 Mar 2026, 12:00:00 UTC)"
	bustest.Await(t, "the mark", func() bool {
		behind(noon.Unix()) // lost while web has not subscribed
		return strings.Contains(h.get("/up").body, mark)
	})
	h.everyPathAnswers()
	if up, page := h.get("/up").body, h.get("/status", "Accept", "text/html").body; strings.Count(up, "since") != 1 || strings.Count(page, "locked, since") != 1 {
		t.Errorf("the beginning is there twice: %s\n%s", up, page)
	}
	if body := h.get("/api/status").body; !strings.Contains(body, `"part":"sqlite","code":"history-behind","reason":"history is behind: database is locked","since":"2026-03-01T12:00:00Z"`) {
		t.Errorf("/api/status = %s", body)
	}
	if home := h.get("/", "Accept", "text/html").body; !strings.Contains(home, "History is behind since") || strings.Contains(home, "<strong>sqlite") {
		t.Errorf("the first page has no quiet mark:\n%s", home)
	}
	behind(0)
	bustest.Await(t, "the mark to go", func() bool { return !strings.Contains(h.get("/up").body, "sqlite") })
}

// Another program holds SQLite: once that is known, nobody waits for it.
func TestLockedHistory(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.fill(reported(request(1), noon))
	h.publish(reported(request(2), noon))
	db, err := sql.Open("sqlite3", "file:"+h.db+"?_locking_mode=EXCLUSIVE")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	defer db.Close()
	for _, statement := range []string{"BEGIN EXCLUSIVE", "DELETE FROM transition"} {
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	h.start(web.Config{}).connected()
	h.everyPathAnswers()
	bustest.Await(t, "web to see the lock", func() bool { return strings.Contains(h.get("/up").body, "history is behind") })
	before := h.reads.Load()
	for range 20 {
		if got := h.get("/api/pages"); got.code != 200 || !strings.Contains(got.body, "history cannot be read") {
			t.Errorf("list = %d %s", got.code, got.body)
		}
	}
	if n := h.reads.Load() - before; n > 0 {
		t.Errorf("%d of 20 reads waited for a database that is known to be locked", n)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "web to read again", func() bool { return !strings.Contains(h.get("/up").body, "sqlite") })
	if h.get("/api/pages"); h.reads.Load() == before {
		t.Error("a list did not read a database that is healthy")
	}
}

func (h *rig) everyPathAnswers() {
	h.t.Helper()
	for _, path := range []string{"/", "/pages/" + request(2).Page, "/alarms", "/status", "/api/pages", "/api/alarms", "/api/pages/" + request(2).Page} {
		if got := h.get(path, "Accept", "text/html"); got.code != 200 {
			h.t.Errorf("%s = %d %s", path, got.code, got.body)
		}
	}
}

// A request for the name of another site that points here is refused.
func TestHosts(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{Hosts: []string{"Libra.Example:8080"}}).ready()
	for host, code := range map[string]int{
		"127.0.0.1": 200, "127.0.0.1:8080": 200, "[::1]:8080": 200, "[::1]": 200, "localhost": 200, "LOCALHOST:1": 200,
		"libra.example": 200, "libra.example.:443": 200, "192.0.2.1": 200,
		"evil.example": 421, "evil.example:8080": 421, "localhost.evil.example": 421, "127.0.0.1.evil.example": 421,
	} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", h.base+"/api/pages", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != code {
			t.Errorf("Host %s = %d, want %d", host, resp.StatusCode, code)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST", h.base+"/api/pages", strings.NewReader(`{"url":"https://example.org/"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Host = "evil.example"
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body := make([]byte, 4096)
	n, _ := resp.Body.Read(body)
	if text := string(body[:n]); resp.StatusCode != 421 || !strings.Contains(text, "LIBRA_BASE_URL") || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("submission = %d %s", resp.StatusCode, text)
	}
}

// The score is beside the report, with all its terms, and only beside a
// complete one.
func TestScore(t *testing.T) {
	t.Parallel()
	h := started(t)
	heavy, partial := reported(request(1), noon), reported(request(2), noon)
	heavy.Report.Assets[1].EncodedBytes = 2_400_000
	heavy.Report.Totals = libra.Sum(heavy.Report.Assets)
	partial.Report.Outcome, partial.Report.Reasons = libra.Partial, []string{"3 of 5 assets did not answer"}
	h.publish(heavy, partial)
	h.awaitListed(heavy, partial)
	if p := h.whole(request(1).Page); p.Score == nil || p.Score.Score != 51 || p.Score.Verdict != "Could be better." {
		t.Errorf("score = %+v", p.Score)
	}
	html := h.get("/pages/"+request(1).Page, "Accept", "text/html").body
	for _, want := range []string{">Fair</small>", "Lighter than 51.1 % of the web&#39;s desktop pages", "ha2025-v1", "total-byte-weight", "swd-v4", "<details>", "stylesheet</th><td", "0.300 kWh/GB"} {
		if !strings.Contains(html, want) {
			t.Errorf("the page lacks %q:\n%s", want, html)
		}
	}
	if p := h.whole(request(2).Page); p.Score != nil {
		t.Errorf("a partial report is scored: %+v", p.Score)
	}
	if html := h.get("/pages/"+request(2).Page, "Accept", "text/html").body; !strings.Contains(html, "No score") {
		t.Errorf("the page of a partial report says nothing of the score:\n%s", html)
	}
	if list := h.get("/api/pages").body; !strings.Contains(list, `"score":{"score":51,"verdict":"Could be better."}`) || !strings.Contains(list, `"score":null`) {
		t.Errorf("list = %s", list)
	}
	mobile := newRig(t)
	mobile.publish(heavy)
	mobile.start(web.Config{Profile: "mobile"}).ready()
	bustest.Await(t, "the report", func() bool { return mobile.page(request(1).Page).Report != nil })
	if p := mobile.whole(request(1).Page); p.Score == nil || p.Score.Score != 47 {
		t.Errorf("score against mobile pages = %+v", p.Score)
	}
}

// A report that 0.1.0 has stored is read by the id that it has, and the same address
// asks for the same page, also where the URL Standard would not escape what it escapes.
func TestReportsOf010(t *testing.T) {
	t.Parallel()
	h := started(t)
	var old event.Reported
	if err := json.Unmarshal([]byte(`{
		"request": {"id": "r1", "page": "2ji4pzvsxlvdv32khbwu", "url": "https://example.org/a%7Cb?q=%5E", "site": "home", "client": "alice", "asked": "2026-03-01T12:00:00Z"},
		"attempt": 1, "inspector": "1", "at": "2026-03-01T12:00:00Z",
		"report": {"url": "https://example.org/a%7Cb?q=%5E", "final_url": "", "status": 0, "started": "2026-03-01T12:00:00Z", "duration_ms": 12, "outcome": "failed",
			"reasons": ["no such host"], "totals": {"requests": 0, "header_bytes": 0, "encoded_bytes": 0, "decoded_bytes": 0, "transfer_bytes": 0, "by_type": {}}, "assets": []}
	}`), &old); err != nil {
		t.Fatal(err)
	}
	h.publish(old)
	h.awaitListed(old)
	if p := h.whole(old.Request.Page); p.Report == nil || p.Report.Outcome != libra.Error || p.Report.Reasons[0] != "no such host" {
		t.Errorf("%+v", p)
	}
	if got := h.submit(old.Request.URL); got.header.Get("Location") != "/api/pages/"+old.Request.Page {
		t.Errorf("submit = %d, Location %q", got.code, got.header.Get("Location"))
	}
}
