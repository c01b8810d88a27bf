package web_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
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
	got.Report.Title = evil + strings.Repeat("é", libra.MaxTitle)
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
	h.setWatch(watch)
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
	for _, path := range []string{"/", "/pages/" + request(1).Page, "/alarms", "/alarms/none", "/board", "/status", "/capacity", "/nowhere", "/api/pages", "/up", "/metrics"} {
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
		`<code>GET /up</code> did not`, "<ol>\n<li><code class=\"command\">systemctl status libra-bus</code>: is it running?",
		`another program on` + "\n<code>LIBRA_BUS_LISTEN</code>; <em>no space left</em> see <a href=\"#disk\">disk</a>.</li>",
		"<pre><code>libra alarms show disk                       # what was done about it\njournalctl ",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the runbook lacks %q:\n%s", want, page)
		}
	}
	disk := libra.Alarm{ID: "disk", Target: "/var", Severity: libra.Minor, State: libra.Raised, Summary: "full", Runbook: "#disk", Since: noon}
	for url, want := range map[string]string{"": "/alarms/disk#runbook", "https://docs.example/ops": "https://docs.example/ops#disk"} {
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

// The page of an alarm has its section of the runbook, with its own values in the
// commands.
func TestRunbookOfAlarm(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{BaseURL: "https://libra.example.org/libra"}).ready()
	down := transition(1, "page.x", libra.Raised, libra.Major, 1)
	down.Alarm.Scope, down.Alarm.Target, down.Alarm.Page, down.Alarm.Runbook = libra.ScopePage, "https://shop.example/?a=1&b='2'", "aaaabbbbccccddddeeee", "#page-down"
	beat := transition(2, "beat.inspector.2", libra.Raised, libra.Major, 2)
	beat.Alarm.Target, beat.Alarm.Runbook = "libra-inspector@2", "#beat-inspector"
	other := transition(3, "other", libra.Raised, libra.Major, 3)
	h.raise(down, beat, other)
	for id, want := range map[string][]string{
		"page.x":           {`<h2 id="runbook">What to do</h2>`, `libra submit --every off 'https://shop.example/?a=1&amp;b='\''2'\'''</code>`, `<a href="/libra/runbook#page-certificate">`, `<a href="/libra/runbook#page-down">runbook</a>`},
		"beat.inspector.2": {`<code class="command">systemctl status libra-inspector@2</code>`, `systemctl reset-failed libra-inspector@2; systemctl start libra-inspector@2`},
		"other":            {`href="/libra/runbook#other"`},
	} {
		page := h.get("/alarms/"+id, "Accept", "text/html").body
		for _, part := range want {
			if !strings.Contains(page, part) {
				t.Errorf("the page of %s lacks %s:\n%s", id, part, page)
			}
		}
	}
	if list := h.get("/alarms", "Accept", "text/html").body; !strings.Contains(list, `href="/libra/alarms/page.x#runbook"`) {
		t.Errorf("the list does not lead to what to do:\n%s", list)
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

// What a page owner reads has times in an element that the page's script writes in
// the reader's zone, and does not name the bus: of a stale page, of a quarantined
// one, and while the bus is away.
func TestPagesHaveLocalTimes(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(impatient).ready()
	stale, gone := failed(again(request(1), "second"), noon.Add(time.Hour), refused), quarantined(request(2), noon.Add(time.Minute))
	h.publish(reported(request(1), noon), stale, gone)
	h.awaitListed(stale, gone)
	h.bus.Down()
	bustest.Await(t, "web to see it", func() bool {
		return h.page(request(1).Page).Stale && strings.Contains(h.get("/up").body, "degraded: bus")
	})
	const since = `<time datetime="2026-03-01T12:`
	for path, want := range map[string]string{
		"/": "Libra is degraded: ", "/alarms": "Libra is degraded: ",
		"/pages/" + request(1).Page: "of the last good report, " + since + `00:00Z">1 Mar 2026, 12:00:00 UTC</time>.`,
		"/pages/" + request(2).Page: "Since " + since + `01:00Z">`,
	} {
		body := h.get(path, "Accept", "text/html").body
		if !strings.Contains(body, want) {
			t.Errorf("%s lacks %q:\n%s", path, want, body)
		}
		text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, "")
		if found := regexp.MustCompile(`\d{4}-\d\d-\d\dT[^<]*|\bbus\b.*`).FindString(text); found != "" {
			t.Errorf("%s shows %q", path, found)
		}
	}
}

// A long list of assets folds by type, with count and size of each, in every order;
// a short one does not.
func TestLongAssetListFoldsByType(t *testing.T) {
	t.Parallel()
	h := started(t)
	long := large(request(1), 30)
	for i := range 3 {
		a := libra.Asset{URL: fmt.Sprintf("https://cdn.example/%d.png", i), Type: libra.Image, Status: 200, EncodedBytes: 1_000_000, Fetch: libra.Fetched, Reason: "img src"}
		long.Report.Assets = append(long.Report.Assets, a)
	}
	long.Report.Assets[len(long.Report.Assets)-1].Status = 404
	long.Report.Totals = libra.Sum(long.Report.Assets)
	h.publish(long, reported(request(2), time.Now().UTC()))
	h.awaitListed(long, reported(request(2), noon))
	summary := regexp.MustCompile(`(?s)<details class="group">\s*<summary>(.*?)</summary>(.*?)</details>`)
	text := func(html string) string {
		return strings.TrimSpace(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(html, ""))
	}
	for sort, want := range map[string][]string{
		"size":  {"image: 3 requests, 3.0 MB, 1 not requested 1 broken", "stylesheet: 31 requests, 283.6 kB", "document: 1 request, 1.2 kB"},
		"type":  {"document: 1 request, 1.2 kB", "stylesheet: 31 requests, 283.6 kB", "image: 3 requests, 3.0 MB, 1 not requested 1 broken"},
		"found": {"document: 1 request, 1.2 kB", "stylesheet: 31 requests, 283.6 kB", "image: 3 requests, 3.0 MB, 1 not requested 1 broken"},
	} {
		page := h.get("/pages/"+request(1).Page+"?sort="+sort, "Accept", "text/html").body
		var got []string
		rows := 0
		for _, group := range summary.FindAllStringSubmatch(page, -1) {
			got = append(got, text(group[1]))
			rows += strings.Count(group[2], `scope="row"`)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || rows != len(long.Report.Assets) {
			t.Errorf("sorted by %s: %q with %d rows, want %q with %d", sort, got, rows, want, len(long.Report.Assets))
		}
	}
	huge := large(request(3), 600)
	huge.Report.Assets = append(huge.Report.Assets, libra.Asset{URL: "https://cdn.example/late.png", Type: libra.Image, Fetch: libra.Lazy})
	h.publish(huge)
	h.awaitListed(huge)
	page := h.get("/pages/"+request(3).Page+"?sort=found", "Accept", "text/html").body
	for _, want := range []string{"stylesheet: 601 requests, 5.5 MB", "image: 0 requests, 0 B, 2 not requested"} {
		if !strings.Contains(text(page), want) {
			t.Errorf("a list with more assets than are shown lacks %q:\n%s", want, page[strings.Index(page, `id="assets"`):])
		}
	}
	if page := h.get("/pages/"+request(2).Page, "Accept", "text/html").body; strings.Contains(page, `class="group"`) || !strings.Contains(page, `aria-label="List of assets"`) {
		t.Errorf("a short list folds:\n%s", page)
	}
}

// What is wrong with a page keeps the values in it: no figure is cut in two, and
// nothing quoted is capitalised.
func TestTroubleKeepsItsValues(t *testing.T) {
	t.Parallel()
	h := started(t)
	heavy := reported(h.watchAt(1), noon)
	heavy.Budget = &event.Judged{Lines: 2, Over: []string{
		"total is at least 1.0 MB, at least 1.0 MB over its budget of 1.0 kB (1 KB in the file)", "image is at least 900 requests, at least 899 requests over its budget of 1 request",
	}}
	wordy := failed(h.watchAt(2), noon, libra.Reason{Code: libra.CodeCertificateHost, Text: strings.Repeat("certificate 1234567 ", 10)})
	scheme := failed(h.watchAt(3), noon, libra.Reason{Code: libra.CodeInvalidURL, Text: `"ftp://example.org/" has scheme "ftp"`})
	h.publish(heavy, wordy, scheme, failed(request(4), noon, refused))
	h.awaitListed(heavy, wordy, scheme, failed(request(4), noon, refused))
	list := h.get("/", "Accept", "text/html").body
	for _, want := range []string{
		`<small class="wrong">total is at least 1.0 MB, at least 1.0 MB over its budget of 1.0 kB (1 KB in the file); …</small>`,
		`<small class="wrong">` + strings.TrimSpace(strings.Repeat("certificate 1234567 ", 6)) + ` …</small>`,
		`<small class="wrong asis">&#34;ftp://example.org/&#34; has scheme`, `<small class="wrong">` + refused.Text,
	} {
		if !strings.Contains(list, want) {
			t.Errorf("the list lacks %q:\n%s", want, list)
		}
	}
	if page := h.get("/pages/"+request(3).Page, "Accept", "text/html").body; !strings.Contains(page, `<li class="asis">&#34;ftp://example.org/&#34; has`) {
		t.Errorf("the page:\n%s", page)
	}
}

// A partial report is within its budget only as far as it was inspected.
func TestPartialReportIsWithinItsBudgetSoFar(t *testing.T) {
	t.Parallel()
	h := started(t)
	r := reported(h.watchAt(1), noon)
	r.Report.Outcome = libra.Partial
	r.Budget = &event.Judged{Lines: 1, Over: []string{}, Within: []string{"total is 10.3 kB, within its budget of 300.0 kB"}}
	h.publish(r)
	h.awaitListed(r)
	if page := h.get("/pages/"+request(1).Page, "Accept", "text/html").body; !strings.Contains(page, `<span class="tag partial">Within budget, as far as it was inspected:</span> total is 10.3 kB`) {
		t.Errorf("the page:\n%s", page)
	}
}
