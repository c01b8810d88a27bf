package web_test

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/bus/bustest"
	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web"
)

// document is what GET /api/pages/{id} says of a page that changes.
type document struct {
	State   libra.PageState
	Stale   bool
	Every   string
	Report  *struct{ Status int }
	Latest  *struct{ Outcome libra.Outcome }
	Alarms  []struct{ ID string }
	Trouble *struct{ Kind string }

	AlarmsUnknownSince time.Time `json:"alarms_unknown_since"`
}

// A document that was made before is never shown once something in it has changed.
func TestDocumentIsNeverOutdated(t *testing.T) {
	t.Parallel()
	h := newRig(t)
	h.alone = true
	var silence func()
	for _, c := range component.Required() {
		if stop := h.beats(beatOf(c.Name)); c.Name == component.Watchdog {
			silence = stop
		}
	}
	h.start(web.Config{}).ready()
	r := request(1)
	watch := event.Watch{Page: r.Page, URL: r.URL, Site: "home", Client: "alice", EveryS: 60, At: time.Now().UTC()}
	alarm := transition(1, "page.down."+r.Page, libra.Raised, libra.Major, 1)
	alarm.Alarm.Scope, alarm.Alarm.Page, alarm.Alarm.Target = libra.ScopePage, r.Page, r.URL
	watchdog := h.bus.Connect("watchdog")
	raise := func() { h.stored("an alarm", func() error { return watchdog.PublishAlarm(t.Context(), alarm) }) }
	second, third := again(r, "second"), again(r, "third")
	for _, step := range []struct {
		what string
		do   func()
		is   func(d document) bool
	}{
		{"a report", func() { h.publish(reported(r, noon)) }, func(d document) bool { return d.Report != nil && d.State == libra.Reported }},
		{"a watch", func() { h.setWatch(watch) }, func(d document) bool { return d.Every == "1m" }},
		{"an alarm", raise, func(d document) bool { return len(d.Alarms) == 1 }},
		{"the alarm cleared", func() {
			alarm.ID, alarm.At, alarm.Alarm.State = "cleared", alarm.At.Add(time.Minute), libra.Cleared
			raise()
		}, func(d document) bool { return len(d.Alarms) == 0 }},
		{"an open request", func() { h.submit(r.URL) }, func(d document) bool { return d.State == libra.Queued }},
		{"a report of another status", func() {
			rep := reported(second, time.Now().UTC())
			rep.Request.Client, rep.Report.Status = "127.0.0.1", 203
			h.publish(rep)
		}, func(d document) bool { return d.Report.Status == 203 && d.State == libra.Reported }},
		{"a failure", func() { h.publish(errorAnswer(third, time.Now().UTC(), 500)) }, func(d document) bool {
			return d.Stale && d.Latest.Outcome == libra.Error && d.Trouble != nil && d.Trouble.Kind == "down"
		}},
		{"the end of the watch", func() { watch.At, watch.EveryS = watch.At.Add(time.Second), 0; h.setWatch(watch) }, func(d document) bool { return d.Every == "" && d.Trouble == nil }},
		{"a silent watchdog", func() { silence() }, func(d document) bool { return !d.AlarmsUnknownSince.IsZero() }},
		{"the watchdog again", func() { silence = h.beats(beatOf(component.Watchdog)) }, func(d document) bool { return d.AlarmsUnknownSince.IsZero() }},
		{"a good report", func() { h.publish(reported(again(r, "fourth"), time.Now().UTC())) }, func(d document) bool { return !d.Stale }},
		{"no bus", h.bus.Down, func(d document) bool { return d.Stale && !d.AlarmsUnknownSince.IsZero() }},
	} {
		step.do()
		var d document
		bustest.Await(t, step.what, func() bool {
			d = document{}
			h.get("/api/pages/"+r.Page).into(t, &d)
			return step.is(d)
		})
		for range 3 { // from what is kept now
			h.get("/api/pages/"+r.Page).into(t, &d)
		}
	}
}

// A document that was made before is answered like one that is made now: the same
// bytes with the same headers, compressed or not, and 304 to a client that has it.
func TestKeptDocumentIsTheSame(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{}).ready()
	r := request(1)
	h.publish(large(r, 8))
	h.listed(libra.Reported, 1)
	get := func(header ...string) answer {
		t.Helper()
		a := h.get("/api/pages/"+r.Page, header...)
		for _, name := range []string{"Date", "Content-Length"} {
			a.header.Del(name)
		}
		slices.Sort(a.header["Vary"])
		if a.header.Get("Content-Encoding") == "gzip" {
			z, err := gzip.NewReader(strings.NewReader(a.body))
			if err != nil {
				t.Fatal(err)
			}
			data, err := io.ReadAll(z)
			if err != nil {
				t.Fatal(err)
			}
			a.body = string(data)
		}
		return a
	}
	kept := func() float64 { return metricOf(t, h.get("/metrics").body, `libra_web_state_bytes{part="documents"}`) }
	bustest.Await(t, "the document to be kept", func() bool { get("Accept-Encoding", "identity"); return kept() > 0 })
	for _, accept := range []string{"identity", "gzip", "gzip, deflate, br", "br", "gzip;q=0", "br;q=1, gzip;q=0.5"} {
		// One weight more makes no difference but that nothing is kept for it.
		made, is := get("Accept-Encoding", accept, "X-Forwarded-Prefix", "/p"), get("Accept-Encoding", accept)
		if diff := cmp.Diff(made.header, is.header); diff != "" || made.body != is.body || made.code != is.code {
			t.Errorf("%s: %d and %d, headers (-made +kept):\n%s", accept, made.code, is.code, diff)
		}
		if !json.Valid([]byte(is.body)) {
			t.Errorf("%s: %q", accept, is.body)
		}
	}
	tag := get().header.Get("ETag")
	for list, want := range map[string]int{tag: 304, strings.TrimPrefix(tag, "W/"): 304, `"other", ` + tag: 304, "*": 304, `"other"`: 200} {
		if got := get("If-None-Match", list); got.code != want || want == 304 && got.body != "" {
			t.Errorf("If-None-Match: %s = %d", list, got.code)
		}
	}
}
