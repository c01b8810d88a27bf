package trace_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/trace"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func after(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }

// reported is a page with a redirect, two assets that were fetched together, and one that
// was not.
func reported() event.Reported {
	return event.Reported{
		Request: event.Request{ID: "r1", Page: "p1", URL: "http://example.org/", Asked: noon},
		Attempt: 1, Inspector: "1", Claimed: after(20), At: after(200),
		Report: libra.Report{
			URL: "http://example.org/", Started: after(30), DurationMS: 160, Outcome: libra.Partial,
			Assets: []libra.Asset{
				{URL: "http://example.org/", Type: libra.Document, Status: 301, Fetch: libra.Fetched, Timings: &libra.Timings{Connect: 2, Wait: 8}},
				{URL: "https://example.org/", Type: libra.Document, Status: 200, EncodedBytes: 9, Fetch: libra.Fetched, StartMS: 10, Timings: &libra.Timings{Blocked: 1, DNS: 2, Connect: 3, TLS: 4, Wait: 5, Receive: 5}},
				{URL: "https://example.org/b.png", Type: libra.Image, Initiator: "https://example.org/", Fetch: libra.Fetched, StartMS: 52, Timings: &libra.Timings{Wait: 48}, Error: "no answer", ErrorCode: libra.CodeAnswerTimeout},
				{URL: "https://example.org/a.css", Type: libra.Stylesheet, Initiator: "https://example.org/", Status: 200, Fetch: libra.Fetched, StartMS: 50, Timings: &libra.Timings{Wait: 20}},
				{URL: "https://example.org/lazy.png", Type: libra.Image, Initiator: "https://example.org/", Fetch: libra.Lazy},
			},
		},
	}
}

// drawn is each span in a line, below its parent.
func drawn(t *testing.T, spans []trace.Span) (lines []string) {
	t.Helper()
	depth := map[string]int{}
	for _, s := range spans {
		d := 0
		if s.Parent.IsValid() {
			above, known := depth[s.Parent.String()]
			if !known && len(lines) > 0 {
				t.Errorf("%s comes before its parent %s", s.Name, s.Parent)
			}
			d = above + 1
		}
		if _, twice := depth[s.ID.String()]; twice || !s.ID.IsValid() {
			t.Errorf("the id %s of %s is not its own", s.ID, s.Name)
		}
		depth[s.ID.String()] = d
		line := fmt.Sprintf("%s%s %s %d-%d", strings.Repeat(" ", d), s.Component, s.Name, s.Start.Sub(noon).Milliseconds(), s.End.Sub(noon).Milliseconds())
		if url, ok := s.Attributes["url.full"]; ok && d > 1 {
			line += fmt.Sprint(" ", url)
		}
		if s.Error != "" {
			line += " error: " + s.Error
		}
		lines = append(lines, line)
	}
	return lines
}

func TestSpansOfAReport(t *testing.T) {
	want := []string{
		"libra-inspector request 0-200",
		" libra-bus queued 0-20",
		" libra-inspector waiting 20-30",
		" libra-inspector inspection 30-190",
		"  libra-inspector fetching 30-60",
		"   libra-inspector GET 30-40 http://example.org/",
		"   libra-inspector GET 40-60 https://example.org/",
		"  libra-inspector discovering 60-80",
		"  libra-inspector weighing 80-130",
		"   libra-inspector GET 80-100 https://example.org/a.css",
		"   libra-inspector GET 82-130 https://example.org/b.png error: no answer",
		" libra-inspector reporting 190-200",
	}
	if diff := cmp.Diff(want, drawn(t, trace.Spans(reported()))); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

// What an earlier version stored has no time of the claim, what was refused has no
// inspection, and a clock that was set makes no span end before it begins.
func TestSpansOfOtherReports(t *testing.T) {
	former := reported()
	former.Claimed, former.Report.Assets = time.Time{}, nil
	refused := event.Reported{Request: former.Request, Claimed: after(5), At: after(8), Report: libra.Report{Started: after(7), Outcome: libra.Error}}
	refused.Report.AddReason(libra.Reason{Code: libra.CodeHostBusy, Text: "the host is busy"})
	set := former
	set.Request.Asked, set.Claimed = after(500), after(20)
	for name, c := range map[string]struct {
		of   event.Reported
		want []string
	}{
		"former":  {former, []string{"libra-inspector request 0-200", " libra-bus queued 0-30", " libra-inspector inspection 30-190", " libra-inspector reporting 190-200"}},
		"refused": {refused, []string{"libra-inspector request 0-8 error: the host is busy", " libra-bus queued 0-5", " libra-inspector waiting 5-7", " libra-inspector reporting 7-8"}},
		"set": {set, []string{
			"libra-inspector request 500-500", " libra-bus queued 500-500", " libra-inspector waiting 20-30", " libra-inspector inspection 30-190", " libra-inspector reporting 190-500",
		}},
	} {
		if diff := cmp.Diff(c.want, drawn(t, trace.Spans(c.of))); diff != "" {
			t.Errorf("%s: -want +got:\n%s", name, diff)
		}
	}
}

// A page with more requests than a trace takes has the first of them, and says how many are
// left out.
func TestSpansAreBounded(t *testing.T) {
	r := reported()
	long := strings.Repeat("x", 5000)
	for n := range trace.MostFetches {
		r.Report.Assets = append(r.Report.Assets, libra.Asset{URL: "https://example.org/" + long, Type: libra.Image, Initiator: "https://example.org/", Fetch: libra.Fetched, StartMS: 150 + float64(n)/100, Timings: &libra.Timings{Wait: 1}})
	}
	fetches := 0
	for _, s := range trace.Spans(r) {
		switch s.Name {
		case trace.Fetch:
			fetches++
		case trace.Inspection:
			if s.Attributes["libra.fetches_left_out"] != int64(4) {
				t.Errorf("the inspection has %v", s.Attributes)
			}
		}
		if url, _ := s.Attributes["url.full"].(string); len(url) > 1024 {
			t.Errorf("%s has a URL of %d bytes", s.Name, len(url))
		}
	}
	if fetches != trace.MostFetches {
		t.Errorf("%d spans of fetches, want %d", fetches, trace.MostFetches)
	}
}

// A digest is a span in the trace of each request whose report it is about.
func TestSpansOfACall(t *testing.T) {
	transition := func(id, request string) libra.Transition {
		tr := libra.Transition{ID: id, Alarm: libra.Alarm{ID: "page.down." + id, State: libra.Raised}}
		if request != "" {
			tr.Traceparent = trace.Traceparent(event.Request{ID: request})
		}
		return tr
	}
	unwanted := libra.Transition{ID: "t4", Traceparent: "00-" + parentTrace + "-" + parentSpan + "-00"}
	call := trace.Call{Channel: "ops", Kind: "digest", Attempt: 2, Start: after(1), End: after(4), Err: errors.New("500")}
	spans := trace.Notified(call, []libra.Transition{transition("t1", "r1"), transition("t2", ""), transition("t3", "r3"), unwanted})
	if len(spans) != 2 || spans[0].Trace == spans[1].Trace || spans[0].ID == spans[1].ID {
		t.Fatalf("spans %+v", spans)
	}
	for i, request := range []string{"r1", "r3"} {
		s, want := spans[i], trace.Spans(event.Reported{Request: event.Request{ID: request}})[0]
		if s.Trace != want.Trace || s.Parent != want.ID || s.Error != "500" || s.Attributes["libra.status"] != "failed" || s.Attributes["libra.channel"] != "ops" || s.Duration() != 3*time.Millisecond {
			t.Errorf("of %s: %+v", request, s)
		}
	}
}
