package web_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/web"
)

type capacityAnswer struct {
	Stages []struct {
		Stage         string
		PerSecond     float64  `json:"per_second"`
		ServiceMS     *float64 `json:"service_ms"`
		Slots         int64
		Utilisation   *float64
		MostPerSecond *float64 `json:"most_per_second"`
	}
	Queue *struct {
		Open      int
		MostBytes int64 `json:"most_bytes"`
	}
	History *struct {
		Bytes         int64
		DiskAvailable int64 `json:"disk_available_bytes"`
	}
	Watches struct {
		Count  int
		EveryS float64 `json:"every_s"`
		Fit    *int
	}
	Inspectors struct {
		Up         int
		FitWithout *int `json:"fit_without_one"`
	}
	Warnings []string
	Stale    bool
	Reasons  []string
}

// What inspectors count in their heartbeats, what waits on the bus and what SQLite holds
// are the figures of /api/capacity, and the page shows them.
func TestCapacity(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.alone = true
	h.start(web.Config{SampleEvery: 20 * time.Millisecond}).connected()
	h.setWatch(event.Watch{Page: request(1).Page, URL: request(1).URL, Site: "home", Client: "alice", EveryS: 30, At: noon})
	h.submit("https://example.org/waits")
	var done atomic.Int64
	of := func(instance string, n int64) event.Heartbeat { // each page takes 2 s
		return event.Heartbeat{Component: component.Inspector, Instance: instance, Started: noon, Counters: map[string]int64{"reports_published": n, "busy_us": 2_000_000 * n, "slots": 10}}
	}
	beat := func() {
		n := done.Add(1)
		h.beat(of("1", n))
		h.beat(of("2", n))
	}
	var doc capacityAnswer
	bustest.Await(t, "20 inspections to be measured", func() bool {
		beat()
		doc = capacityAnswer{}
		h.get("/api/capacity").into(t, &doc)
		return doc.Watches.Fit != nil && doc.Inspectors.Up == 2 && doc.Watches.Count == 1 && doc.Queue != nil && doc.Queue.Open == 1 && doc.History != nil
	})
	if s := doc.Stages[2]; len(doc.Stages) != 5 || s.Stage != "inspect" || s.ServiceMS == nil || *s.ServiceMS != 2000 || s.Slots != 20 || *s.MostPerSecond != 10 || s.PerSecond <= 0 {
		t.Errorf("stages: %+v", doc.Stages)
	}
	// 70 % of 10 a second, and half of that: watches of 30 s.
	if w, i := doc.Watches, doc.Inspectors; w.EveryS != 30 || *w.Fit != 210 || i.Up != 2 || *i.FitWithout != 105 {
		t.Errorf("watches: %+v, %d fit; inspectors: %+v", w, *w.Fit, i)
	}
	if doc.Queue.MostBytes <= 0 || doc.History.Bytes <= 0 || doc.History.DiskAvailable <= 0 || doc.Stale || doc.Warnings == nil {
		t.Errorf("%+v, %+v, stale %t, warnings %q", doc.Queue, doc.History, doc.Stale, doc.Warnings)
	}
	for _, instance := range []string{"1", "2"} { // without heartbeats from here on, no inspector would run
		defer h.beats(of(instance, done.Load()))()
	}
	h.beat(event.Heartbeat{Component: component.Bus, Instance: "1", Started: noon, Counters: map[string]int64{event.WaitingCounter: 7, event.WaitingSinceCounter: noon.Unix()}})
	page := ""
	bustest.Await(t, "the watches that wait", func() bool {
		page = h.get("/capacity", "Accept", "text/html").body
		return strings.Contains(page, "<dt>Watches due and waiting</dt><dd>7 ")
	})
	for _, want := range []string{"<dt>Watches that fit</dt><dd>210<", "<dt>With one inspector fewer</dt><dd>105<", "inspect pages", ">2 s<", ">10.0 per s<", "<dt>Open requests</dt><dd>1<"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	if status := h.get("/status", "Accept", "text/html").body; !strings.Contains(status, `href="/capacity"`) {
		t.Errorf("the status does not link to it:\n%s", status)
	}
	h.bus.Down()
	bustest.Await(t, "the figures to be out of date", func() bool {
		h.get("/api/capacity").into(t, &doc)
		return doc.Stale && len(doc.Reasons) > 0
	})
	if page := h.get("/capacity", "Accept", "text/html").body; !strings.Contains(page, "<dd>210<") || !strings.Contains(page, "nknown since") {
		t.Errorf("without the bus:\n%s", page)
	}
}
