package web_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// A report is headed by the page's title, and links to the page.
func TestReportHasTitleAndLink(t *testing.T) {
	t.Parallel()
	h := started(t)
	titled, untitled := reported(request(1), noon), reported(request(2), noon)
	titled.Report.Title = "Annual <report> & more"
	h.publish(titled, untitled)
	h.awaitListed(titled, untitled)
	for r, heading := range map[string]string{request(1).Page: "<bdi>Annual &lt;report&gt; &amp; more</bdi>", request(2).Page: "example.org/0002/"} {
		html := h.get("/pages/"+r, "Accept", "text/html").body
		if !strings.Contains(html, "<h1>"+heading+"</h1>") {
			t.Errorf("the page lacks the heading %q:\n%s", heading, html)
		}
	}
	if html := h.get("/pages/"+request(1).Page, "Accept", "text/html").body; !strings.Contains(html, `<a href="https://example.org/0001/" rel="noreferrer nofollow">https://example.org/0001/</a>`) {
		t.Errorf("the report does not link to its page:\n%s", html)
	}
	var p struct{ Report libra.Report }
	if h.get("/api/pages/"+request(1).Page).into(t, &p); p.Report.Title != titled.Report.Title {
		t.Errorf("title in JSON: %q", p.Report.Title)
	}
}

// Broken assets are counted at the top, marked and listed first.
func TestBrokenAssetsAreMarked(t *testing.T) {
	t.Parallel()
	h := started(t)
	r := reported(request(1), noon)
	page := r.Report.URL
	r.Report.Assets = append(r.Report.Assets,
		libra.Asset{URL: page + "gone.png", Type: libra.Image, Initiator: page, Status: 404, HeaderBytes: 100, Fetch: libra.Fetched, Reason: "image"},
		libra.Asset{URL: page + "silent.js", Type: libra.Script, Initiator: page, Fetch: libra.Fetched, Reason: "script", Error: "connection refused"},
		libra.Asset{URL: page + "late-gone.png", Type: libra.Image, Initiator: page, Fetch: libra.Lazy, Reason: "lazy"})
	r.Report.Totals = libra.Sum(r.Report.Assets)
	h.publish(r, reported(request(2), noon))
	h.awaitListed(r, reported(request(2), noon))
	html := h.get("/pages/"+r.Request.Page, "Accept", "text/html").body
	if !strings.Contains(html, "<dt>Broken</dt><dd><a href=\"#assets\">2 assets</a>") || strings.Count(html, ">broken</span>") != 2 || strings.Count(html, `class="broken"`) != 2 {
		t.Errorf("two assets are broken:\n%s", html)
	}
	rows := html[strings.Index(html, `class="assets list"`):]
	if gone, css := strings.Index(rows, "gone.png"), strings.Index(rows, "app.css"); gone < 0 || gone > css {
		t.Errorf("what is broken is not listed first:\n%s", rows)
	}
	if sound := h.get("/pages/"+request(2).Page, "Accept", "text/html").body; strings.Contains(sound, "Broken") || strings.Contains(sound, ">broken<") {
		t.Errorf("a page without broken assets:\n%s", sound)
	}
}

// A page that gave no answer has its reason once, and no tables without figures.
func TestReportWithoutAnswer(t *testing.T) {
	t.Parallel()
	h := started(t)
	const why = "connection refused by 192.0.2.1:443"
	r := reported(request(1), noon)
	r.Report.Status, r.Report.Outcome, r.Report.ReasonList = 0, libra.Error, libra.NoReasons()
	r.Report.AddReason(libra.Reason{Code: libra.CodeConnectionRefused, Text: why})
	r.Report.Assets = []libra.Asset{{URL: r.Report.URL, Type: libra.Document, Fetch: libra.Fetched, Reason: "the page", Error: why}}
	r.Report.Totals = libra.Sum(r.Report.Assets)
	h.publish(r)
	h.awaitListed(r)
	html := h.get("/pages/"+r.Request.Page, "Accept", "text/html").body
	if n := strings.Count(html, why); n != 1 {
		t.Errorf("the reason is on the page %d times:\n%s", n, html)
	}
	for _, empty := range []string{"<table", "0 B", "<h2 id=\"assets\"", "<dt>Broken"} {
		if strings.Contains(html, empty) {
			t.Errorf("the page has %q:\n%s", empty, html)
		}
	}
}

// With one of everything, no page counts in the plural, or has an age of nothing.
func TestOneIsSingular(t *testing.T) {
	t.Parallel()
	h := started(t)
	r := reported(request(1), time.Now().UTC())
	r.Report.Assets = append(r.Report.Assets[:1], r.Report.Assets[2], libra.Asset{
		URL: r.Report.URL + "gone.png", Type: libra.Image, Initiator: r.Report.URL, Status: 404, Fetch: libra.Fetched, Reason: "image",
	})
	r.Report.Totals, r.Report.Started = libra.Sum(r.Report.Assets), time.Now().Add(-time.Minute)
	r.Budget = &event.Judged{Lines: 1, Over: []string{}}
	h.publish(r)
	h.awaitListed(r)
	alarm := transition(1, "bus", libra.Raised, libra.Major, 1)
	alarm.Alarm.Since = time.Now().Add(-24 * time.Hour)
	h.raise(alarm)
	bustest.Await(t, "the alarm", func() bool { return strings.Contains(h.get("/alarms", "Accept", "text/html").body, "1 day ago") })
	many := regexp.MustCompile(`\b1 (\w+ )?(assets|requests|alarms|pages|limits|lines|reports|silences|hours|minutes|seconds|days|assets)\b|\b0 s ago|-\d+ (s|min|h)\b`)
	for _, path := range []string{"/", "/pages/" + r.Request.Page, "/alarms", "/alarms/bus", "/status"} {
		body := h.get(path, "Accept", "text/html").body
		text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(body, "")
		if found := many.FindString(text); found != "" {
			t.Errorf("%s shows %q", path, found)
		}
	}
	page := h.get("/pages/"+r.Request.Page, "Accept", "text/html").body
	for _, want := range []string{"1 min ago", "(1 limit)", ">1 asset</a>"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
}

// A time in a sentence is an element: scripts write it in the reader's own zone.
func TestTimesInSentencesAreElements(t *testing.T) {
	t.Parallel()
	h := started(t)
	r := reported(request(1), noon)
	r.Report.Outcome, r.Report.ReasonList = libra.Partial, libra.NoReasons()
	r.Report.AddReason(libra.Reason{Code: libra.CodeLimit, Text: "<b>late</b> since " + libra.FormatTime(noon) + ", & gone"})
	h.publish(r)
	h.awaitListed(r)
	const want = `&lt;b&gt;late&lt;/b&gt; since <time datetime="2026-03-01T12:00:00Z">1 Mar 2026, 12:00:00 UTC</time>, &amp; gone`
	if html := h.get("/pages/"+request(1).Page, "Accept", "text/html").body; !strings.Contains(html, want) {
		t.Errorf("the page lacks %q:\n%s", want, html)
	}
}
