package web_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
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

// A document that was made before is written as it is, compressed once: that allocates much
// less than to have the same document pass through every handler, as with a prefix, and
// be compressed there.
func TestKeptDocumentIsNotMadeAgain(t *testing.T) { // not in parallel: it counts allocations
	h := newRig(t).start(web.Config{}).ready()
	rep := large(request(1), 8)
	h.publish(rep)
	h.awaitListed(rep)
	handler := h.web.Handler()
	allocations := func(header ...string) float64 {
		r := httptest.NewRequest("GET", "http://localhost/api/pages/"+rep.Request.Page, nil)
		r.Header.Set("Accept-Encoding", "gzip")
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
		}
		least := math.Inf(1) // the components in this process allocate, too
		for range 5 {
			least = min(least, testing.AllocsPerRun(200, func() {
				w := httptest.NewRecorder()
				if handler.ServeHTTP(w, r); w.Code != http.StatusOK || w.Header().Get("Content-Encoding") != "gzip" {
					t.Fatalf("%d %v", w.Code, w.Header())
				}
			}))
		}
		return least
	}
	bustest.Await(t, "the document to be kept", func() bool {
		h.get("/api/pages/" + rep.Request.Page)
		return metricOf(t, h.get("/metrics").body, `libra_web_state_bytes{part="documents"}`) > 0
	})
	kept, made := allocations(), allocations("X-Forwarded-Prefix", "/p")
	t.Logf("%g allocations, %g through every handler", kept, made)
	const most = 30
	if kept > most {
		t.Errorf("%g allocations for a document that is kept, want at most %d", kept, most)
	}
	if made <= most {
		t.Errorf("%g allocations through every handler: the bound shows nothing", made)
	}
}

// Documents of every size around net/http's buffer arrive whole, also where the client
// closes the connection, and the next answer follows on the same one.
func TestKeptDocumentsArriveWhole(t *testing.T) {
	t.Parallel()
	h := newRig(t).start(web.Config{}).ready()
	first := reported(request(0), noon)
	h.publish(first)
	h.awaitListed(first)
	h.get("/api/pages/" + first.Request.Page)
	const buffer = 4096
	room := buffer - answerSize(t, h, "/api/pages/"+first.Request.Page)
	var reports []event.Reported
	for n, more := range []int{room - 3, room - 2, room - 1, room, room + 1, room + 2, room + 100, room + 600, 2*buffer + 17, 5 * buffer, 40_000} {
		rep := reported(request(n+1), noon)
		rep.Report.Assets[1].Reason += strings.Repeat("r", more)
		reports = append(reports, rep)
	}
	h.publish(reports...)
	h.awaitListed(reports...)
	for _, rep := range reports {
		path := "/api/pages/" + rep.Request.Page
		made := h.get(path)
		for _, connection := range []string{"keep-alive", "close"} {
			conn, err := net.Dial("tcp", strings.TrimPrefix(h.base, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			conn.SetDeadline(time.Now().Add(20 * time.Second))
			r := bufio.NewReader(conn)
			for range 2 {
				fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: %s\r\n\r\n", path, connection)
				resp, err := http.ReadResponse(r, nil)
				if err != nil {
					t.Fatalf("%d bytes, %s: %v", len(made.body), connection, err)
				}
				body, err := io.ReadAll(resp.Body)
				if err != nil || string(body) != made.body {
					t.Fatalf("%d bytes, %s: %d bytes, %v", len(made.body), connection, len(body), err)
				}
				if connection == "close" {
					break
				}
			}
			conn.Close()
		}
	}
}

// answerSize is how many bytes an answer has, with its headers.
func answerSize(t *testing.T, h *rig, path string) (n int) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(h.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var all bytes.Buffer
	fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path)
	r := bufio.NewReader(io.TeeReader(conn, &all))
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return all.Len() - r.Buffered()
}
