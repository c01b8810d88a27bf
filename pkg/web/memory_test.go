package web_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web"
	"libra/pkg/web/state"
)

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
	h.start(web.Config{Bounds: state.Bounds{Reports: 2000, Pages: 20_000}}).ready()
	bustest.Await(t, "every report to be read", func() bool { p := h.page(request(29).Page); return p.State == libra.Reported && !p.Stale })
	metrics := h.get("/metrics").body
	if reports, all := metricOf(t, metrics, "libra_web_cache_bytes"), metricOf(t, metrics, `libra_web_state_bytes{part="pages"}`); reports <= 0 || reports > 2000 || all <= 0 || all > 20_000 {
		t.Errorf("memory holds %v bytes of reports and %v of pages", reports, all)
	}
	if pages := metricOf(t, metrics, "libra_web_pages"); pages < 5 || pages > 15 {
		t.Errorf("memory holds %v pages", pages)
	}
	for n := range 30 {
		if p := h.page(request(n).Page); p.Report == nil || len(p.Report.Assets) != 3 || p.Stale {
			t.Errorf("page %d = %+v", n, p)
		}
	}
}

// metricOf is the value of a series in the text of /metrics.
func metricOf(t *testing.T, metrics, series string) (value float64) {
	t.Helper()
	for line := range strings.Lines(metrics) {
		if _, err := fmt.Sscanf(line, series+" %g", &value); err == nil {
			return value
		}
	}
	t.Fatalf("/metrics has no %s", series)
	return 0
}

// A failed report of a page is no crash of the list, and an older one does not
// replace a newer one.
func TestNewestWins(t *testing.T) {
	t.Parallel()
	h := started(t)
	newer, older := reported(request(1), noon.Add(time.Hour)), reported(request(1), noon)
	newer.Report.Outcome, newer.Report.Reasons, newer.Report.Assets = libra.Error, []string{"no such host"}, nil
	older.Request.ID = "older"
	h.publish(newer)
	h.listed(libra.Reported, 1)
	if p := h.page(request(1).Page); p.Report.Outcome != libra.Error || p.Report.Assets == nil {
		t.Errorf("page = %+v", p)
	}
	for _, path := range []string{"/", "/pages/" + request(1).Page} {
		if got := h.get(path, "Accept", "text/html"); got.code != 200 || !strings.Contains(got.body, ">error<") {
			t.Errorf("%s = %d\n%s", path, got.code, got.body)
		}
	}
	h.publish(older, reported(request(2), noon))
	h.listed(libra.Reported, 2)
	if p := h.whole(request(1).Page); p.Latest.Outcome != libra.Error || p.Report.Outcome != libra.Complete {
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
