package web_test

import (
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/libra"
	"libra/pkg/web"
)

// An error page has no score, and what the page itself scored is shown beside it:
// from the bus, and from SQLite after a restart.
func TestErrorPageHasNoScore(t *testing.T) {
	t.Parallel()
	h := started(t)
	sound, gone := reported(request(1), noon), reported(again(request(1), "second"), noon.Add(time.Hour))
	gone.Report.Status, gone.Report.Outcome, gone.Report.Repeat = 404, libra.Error, nil
	gone.Report.AddReason(libra.StatusReason(404))
	never := gone
	never.Request = request(2)
	h.fill(sound, gone, never)
	h.publish(sound, gone, never)
	holds := func(when string) {
		t.Helper()
		bustest.Await(t, "the error page "+when, func() bool {
			p := h.whole(sound.Request.Page)
			return p.Stale && p.Latest.Outcome == libra.Error && p.Report.Outcome == libra.Complete && p.Score != nil
		})
		html := h.get("/pages/"+sound.Request.Page, "Accept", "text/html").body
		if !strings.Contains(html, "HTTP 404 Not Found") || !strings.Contains(html, "The figures below are of the last good report") || strings.Contains(html, "Compared with the web") {
			t.Errorf("%s:\n%s", when, html)
		}
		if p := h.whole(never.Request.Page); p.Report.Status != 404 || p.Report.Outcome != libra.Error || p.Score != nil {
			t.Errorf("%s, a page that was never had: %+v", when, p)
		}
		html = h.get("/pages/"+never.Request.Page, "Accept", "text/html").body
		if strings.Count(html, "HTTP 404 Not Found") != 1 || strings.Contains(html, "core</dt>") || strings.Contains(html, "Lighter") || strings.Contains(html, "effort") {
			t.Errorf("%s, a page that was never fetched:\n%s", when, html)
		}
	}
	holds("from the bus")
	if err := h.stop(); err != nil {
		t.Error(err)
	}
	h.start(web.Config{}).ready()
	holds("after a restart")
}

// The last complete verdict is shown while newer reports are cut short: from the
// bus, and from SQLite after a restart.
func TestLastVerdictStands(t *testing.T) {
	t.Parallel()
	h := started(t)
	complete, partial := reported(request(1), noon.Add(time.Minute)), reported(again(request(1), "second"), noon.Add(time.Hour))
	partial.Report.Outcome, partial.Report.Reasons, partial.Report.Started = libra.Partial, []string{"too many assets"}, noon.Add(time.Hour)
	never := partial
	never.Request = request(2)
	h.fill(complete, partial, never)
	h.publish(complete, partial, never)
	stands := func(page string) (score int, started time.Time) {
		var p struct {
			Report *libra.Report
			Score  *struct{}
			Stands *struct {
				Score   int
				Verdict string
				Started time.Time
			} `json:"last_complete"`
		}
		h.get("/api/pages/"+page).into(t, &p)
		if p.Report == nil || p.Report.Outcome != libra.Partial || p.Score != nil || p.Stands == nil {
			return 0, started
		}
		return p.Stands.Score, p.Stands.Started
	}
	holds := func(when string) {
		t.Helper()
		bustest.Await(t, "the verdict "+when, func() bool { score, at := stands(complete.Request.Page); return score == 100 && at.Equal(noon) })
		if score, _ := stands(never.Request.Page); score != 0 {
			t.Errorf("%s: a page that never was complete has %d", when, score)
		}
		html := h.get("/pages/"+complete.Request.Page, "Accept", "text/html").body
		if !strings.Contains(html, "Last complete score") || !strings.Contains(html, "1 Mar 2026, 12:00:00 UTC") || !strings.Contains(html, "lower bound") {
			t.Errorf("%s:\n%s", when, html)
		}
		bustest.Await(t, "the first page "+when, func() bool {
			return strings.Contains(h.get("/", "Accept", "text/html").body, "Excellent, from the last complete report, 1 Mar 2026")
		})
	}
	holds("from the bus")
	if err := h.stop(); err != nil {
		t.Error(err)
	}
	h.start(web.Config{}).ready()
	holds("after a restart")
	h.publish(reported(again(request(1), "third"), noon.Add(2*time.Hour)))
	bustest.Await(t, "a complete report", func() bool { p := h.whole(complete.Request.Page); return p.Score != nil })
	if got := h.get("/api/pages/" + complete.Request.Page).body; !strings.Contains(got, `"last_complete":null`) {
		t.Errorf("once it is complete again: %s", got)
	}
}

// A complete report may have reasons: what browsers overlook is shown as noticed,
// not as missing.
func TestCompleteReportWithReasons(t *testing.T) {
	t.Parallel()
	h := started(t)
	odd := reported(request(1), noon)
	odd.Report.AddReason(libra.Reason{Code: libra.CodeMalformedHeader, Text: `the page: the header line "x" is skipped`})
	h.publish(odd)
	bustest.Await(t, "the report", func() bool { return h.whole(odd.Request.Page).Score != nil })
	html := h.get("/pages/"+odd.Request.Page, "Accept", "text/html").body
	if !strings.Contains(html, ">Noticed</h2>") || !strings.Contains(html, "the header line &#34;x&#34; is skipped") || strings.Contains(html, "Incomplete") {
		t.Errorf("got:\n%s", html)
	}
}
