package web_test

import (
	"strings"
	"testing"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/trace"
)

// bars are the lines of the timeline of a page, without those that are only styled.
func bars(html string) int {
	return strings.Count(html, "<li><span class=\"what") + strings.Count(html, `<li class="part"`)
}

// A page shows where the time of its request went, from its report alone: the request on one
// scale, what was fetched on that of the inspection.
func TestTimelineOfAPage(t *testing.T) {
	t.Parallel()
	h := started(t)
	r := reported(request(1), noon.Add(20*time.Millisecond))
	r.Request.Asked, r.Claimed, r.Report.Started = noon, noon.Add(4*time.Millisecond), noon.Add(5*time.Millisecond)
	r.Report.Assets[1].Status, r.Report.Assets[1].Error = 0, "no answer"
	h.publish(r)
	h.awaitListed(r)
	html := h.get("/pages/"+r.Request.Page, "Accept", "text/html").body
	_, shown, found := strings.Cut(html, `<section class="timeline"`)
	if !found || bars(shown) != 8+2 || !strings.Contains(shown, "20 ms from the request to its report. Trace <code>"+trace.ID(r.Request)) {
		t.Errorf("the timeline has %d bars:\n%s", bars(shown), shown)
	}
	for _, want := range []string{
		`>queued</span><svg width="100%" height="8" aria-hidden="true"><rect x="0.0%" width="20.0%" height="8"/></svg><span class="n">4 ms<small> after 0 ms`,
		`<li class="part"><span class="what">fetch the page</span><svg width="100%" height="8" aria-hidden="true"><rect x="25.0%" width="20.0%"`,
		`<details class="fetches" open>`,
		`<span class="what fault" title="https://example.org/0001/app.css">/0001/app.css</span><svg width="100%" height="8" aria-hidden="true"><rect class="stylesheet" x="50.0%" width="25.0%"`,
	} {
		if !strings.Contains(shown, want) {
			t.Errorf("the timeline lacks %q:\n%s", want, shown)
		}
	}
}

// A timeline shows 100 requests of a page at most, and more than 50 only to who opens them.
func TestTimelineIsBounded(t *testing.T) {
	t.Parallel()
	h := started(t)
	few, many := large(request(1), 48), large(request(2), 400)
	h.publish(few, many)
	h.awaitListed(few, many)
	for _, c := range []struct {
		of         event.Reported
		rows, left string
		shown      int
	}{{few, `<details class="fetches" open>`, "", 50}, {many, `<details class="fetches">`, "302 more are in the", 100}} {
		_, html, _ := strings.Cut(h.get("/pages/"+c.of.Request.Page, "Accept", "text/html").body, `<section class="timeline"`)
		if !strings.Contains(html, c.rows) || !strings.Contains(html, c.left) || strings.Contains(html, "more are in") != (c.left != "") {
			t.Errorf("the timeline lacks %q or %q:\n%s", c.rows, c.left, html)
		}
		if n := strings.Count(html, `title="https://`); n != c.shown {
			t.Errorf("%d requests are shown, want %d", n, c.shown)
		}
	}
}

// The spans of a page are those of its report; without one, there are none yet.
func TestSpansOfAPage(t *testing.T) {
	t.Parallel()
	h := started(t)
	r := reported(request(1), noon)
	h.publish(r)
	h.awaitListed(r)
	if got := h.get("/api/pages/" + r.Request.Page + "/trace"); got.code != 200 || strings.Count(got.body, `"span_id"`) != len(trace.Spans(r)) || !strings.Contains(got.body, `"trace_id":"`+trace.ID(r.Request)+`"`) {
		t.Errorf("%d %s", got.code, got.body)
	}
	h.submit("https://example.org/queued")
	for path, want := range map[string]string{
		libra.PageID("https://example.org/queued"): "urn:libra:problem:no-report", strings.Repeat("a", 20): "urn:libra:problem:no-such-page", "nonsense": "urn:libra:problem:no-such-page",
	} {
		if got := h.get("/api/pages/" + path + "/trace"); got.code != 404 || !strings.Contains(got.body, want) {
			t.Errorf("%s: %d %s, want 404 %s", path, got.code, got.body, want)
		}
	}
}
