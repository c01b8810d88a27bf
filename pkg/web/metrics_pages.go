package web

import (
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web/api"
	"libra/pkg/web/state"
)

// pageCollector reads the figures of watched pages. It exports those of
// Config.MaxPageMetrics pages at most, of the longest watched ones: a new watch
// never takes the place of another page's series. Others are counted by
// libra_watched_pages_omitted.
type pageCollector struct{ s *Server }

// maxURLLabel bounds the label url, in characters; the label page distinguishes
// what is cut.
const maxURLLabel = 200

var (
	watchedPages = gauge("libra_watched_pages", "Pages that are watched; may be out of date while libra_web_degraded of libra-bus is 1.")
	omittedPages = gauge("libra_watched_pages_omitted", "Watched pages without metrics of their own, because there are too many.")
	pageUp       = pageGauge("libra_page_up", "1 where the newest inspection had the page, 0 where it is an error: no answer or an unreadable one, endless redirects, or a status other than 2xx; left out while the page is quarantined.")
	pageTransfer = pageGauge("libra_page_transfer_bytes", "Transfer size of the page: headers, encoded bodies and framing, by its newest report; left out while the page is an error.")
	pageMayFetch = pageGauge("libra_page_may_fetch_more", "1 where scripts of the page were not executed and may fetch more, so that the transfer size is a lower bound and the score an upper one, else 0; left out while the page is an error.")
	pageScore    = pageGauge("libra_page_score", "Score of the page, 0 to 100, by its newest complete report; left out while the page is an error.")
	pageOver     = pageGauge("libra_page_over_budget", "1 where the newest report is over the budget of the watch, else 0; left out without a budget, and while the page is an error.")
	pageAge      = pageGauge("libra_page_last_inspection_age_seconds", "Seconds since the last inspection of the page ended, good or failed.")
	pageExpiry   = pageGauge("libra_page_certificate_expiry_timestamp_seconds", "When the certificate of the page expires, in seconds since 1970.")
)

func pageGauge(name, help string) metric { return gauge(name, help, "page", "url") }

// Describe implements prometheus.Collector.
func (pageCollector) Describe(out chan<- *prometheus.Desc) {
	describe(out, watchedPages, omittedPages, pageUp, pageTransfer, pageMayFetch, pageScore, pageOver, pageAge, pageExpiry)
}

// Collect implements prometheus.Collector.
func (c pageCollector) Collect(out chan<- prometheus.Metric) {
	watches := c.s.state.Watches.List(state.Cursor{})
	unlisted, _ := c.s.state.Watches.Unlisted()
	watchedPages.send(out, float64(len(watches)+unlisted))
	slices.Reverse(watches) // the longest watched first
	exported := watches[:min(len(watches), c.s.cfg.MaxPageMetrics)]
	omittedPages.send(out, float64(len(watches)+unlisted-len(exported)))
	now := time.Now()
	for _, w := range exported {
		if v, known := c.s.state.Memory.Page(w.Page); known {
			w.URL = v.URL // the watch may be without it
			sendPage(out, w, v.Answers, now)
		}
	}
}

// sendPage sends what is known of a page.
func sendPage(out chan<- prometheus.Metric, w event.Watch, a state.Answers, now time.Time) {
	send := func(m metric, value float64) { m.send(out, value, w.Page, api.Short(w.URL, maxURLLabel)) }
	latest := a.Latest()
	up := latest != nil && latest.Report.Outcome != libra.Error
	if latest != nil && !latest.Quarantined {
		send(pageUp, oneIf(up))
	}
	if last := a.LastInspection(); !last.IsZero() {
		send(pageAge, max(0, now.Sub(last).Seconds()))
	}
	if a.Good == nil {
		return
	}
	if until := a.Good.Report.CertificateUntil; !until.IsZero() {
		send(pageExpiry, float64(until.Unix()))
	}
	if !up {
		return // an old value would pass for one of now: a metric has no date
	}
	if a.Complete != nil && a.Complete.Score != nil {
		send(pageScore, float64(a.Complete.Score.Score))
	}
	send(pageTransfer, float64(a.Good.Report.Totals.TransferBytes))
	send(pageMayFetch, oneIf(a.Good.Report.AtLeast()))
	if a.Good.Budget != nil {
		send(pageOver, oneIf(len(a.Good.Budget.Over) > 0))
	}
}
