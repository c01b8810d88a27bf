package trace_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/trace"
	"libra/pkg/trace/tracetest"
)

// journal is what an exporter logs.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer // under mu
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), text)
}

// exporting runs an exporter that waits for nothing longer than it must.
func exporting(t *testing.T, endpoint string) (e *trace.Exporter, log *journal, stop func()) {
	t.Helper()
	log = &journal{}
	e = trace.New(trace.Config{
		Endpoint: endpoint, Component: "libra-inspector", Version: "1.2.3", Instance: "2", Host: "box", Log: slog.New(slog.NewTextHandler(log, nil)),
		Gather: time.Millisecond, Timeout: 250 * time.Millisecond, Pause: time.Millisecond,
	})
	ctx, cancel := context.WithCancel(t.Context())
	go e.Run(ctx)
	stop = sync.OnceFunc(func() {
		cancel()
		if err := e.Wait(context.Background()); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return e, log, stop
}

// export exports the spans of a report of a request of its own, and returns their number.
func export(e *trace.Exporter, request string) int {
	r := reported()
	r.Request.ID = request
	spans := trace.Spans(r)
	e.Export(r.Request, func() []trace.Span { return spans })
	return len(spans)
}

// Everything of a span arrives: the collector's own code reads it.
func TestExport(t *testing.T) {
	t.Parallel()
	c := tracetest.Start(t)
	e, log, _ := exporting(t, c.URL)
	r := reported()
	r.Request.Traceparent = traceparent
	want := trace.Spans(r)
	e.Export(r.Request, func() []trace.Span { return want })
	bustest.Await(t, "the spans", func() bool { return len(c.Spans()) == len(want) })
	for _, got := range c.Spans() {
		i := slices.IndexFunc(want, func(s trace.Span) bool { return s.ID.String() == got.SpanID().String() })
		if i < 0 {
			t.Fatalf("span %s was not exported", got.Name())
		}
		w := want[i]
		parent := ""
		if w.Parent.IsValid() {
			parent = w.Parent.String()
		}
		if got.TraceID().String() != parentTrace || got.SpanID().String() != w.ID.String() || got.ParentSpanID().String() != parent || got.Name() != w.Name ||
			!got.StartTimestamp().AsTime().Equal(w.Start) || !got.EndTimestamp().AsTime().Equal(w.End) || got.Status().Message() != w.Error || (got.Status().Code() == ptrace.StatusCodeError) != (w.Error != "") {
			t.Errorf("span %+v, want %+v", got, w)
		}
		if got.Attributes().Len() != len(w.Attributes) {
			t.Errorf("%s has %v, want %v", w.Name, got.Attributes().AsRaw(), w.Attributes)
		}
		for key, value := range w.Attributes {
			if got.Attributes().AsRaw()[key] != value {
				t.Errorf("%s has %v as %s, want %v", w.Name, got.Attributes().AsRaw()[key], key, value)
			}
		}
		instance := map[string]any{"libra-inspector": "2"}[w.Component]
		if got.Service() != w.Component || got.Resource.AsRaw()["service.version"] != "1.2.3" || got.Resource.AsRaw()["service.instance.id"] != instance {
			t.Errorf("resource %v", got.Resource.AsRaw())
		}
	}
	bustest.Await(t, "the counter", func() bool { return e.Exported() == int64(len(want)) })
	if e.Dropped() != 0 || log.count("\n") != 0 {
		t.Errorf("%d dropped, %d lines logged", e.Dropped(), log.count("\n"))
	}
}

// Without a collector there is no exporter, and no span is made; nor for who wants none.
func TestNothingIsExportedUnasked(t *testing.T) {
	t.Parallel()
	none := trace.New(trace.Config{})
	if none != nil {
		t.Fatal("there is an exporter without an endpoint")
	}
	unwanted := func() []trace.Span { t.Error("spans are made"); return nil }
	none.Export(event.Request{ID: "r1"}, unwanted)
	none.ExportCall(trace.Call{}, []libra.Transition{{}})
	if none.Exported() != 0 || none.Dropped() != 0 || none.Wait(t.Context()) != nil {
		t.Error("a nil exporter counts")
	}
	c := tracetest.Start(t)
	e, _, stop := exporting(t, c.URL)
	e.Export(event.Request{ID: "r1", Traceparent: strings.TrimSuffix(traceparent, "1") + "0"}, unwanted)
	stop()
	if c.Calls() != 0 {
		t.Errorf("%d calls", c.Calls())
	}
}

// What is queued at the end is sent.
func TestExportAtTheEnd(t *testing.T) {
	t.Parallel()
	c := tracetest.Start(t)
	e := trace.New(trace.Config{Endpoint: c.URL + "/", Component: "libra-web", Log: slog.New(slog.DiscardHandler), Gather: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	go e.Run(ctx)
	n := export(e, "r1")
	cancel()
	if err := e.Wait(t.Context()); err != nil || len(c.Spans()) != n {
		t.Errorf("%d of %d spans at the end, %v", len(c.Spans()), n, err)
	}
}

// A collector that does not take spans costs those, says so once, and gets the rest when it
// is back.
func TestCollectorThatFails(t *testing.T) {
	t.Parallel()
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, strings.Repeat("no ", 1<<20), code) }
	}
	for name, c := range map[string]struct {
		answer  http.HandlerFunc
		dropped bool // what is sent meanwhile, because a repeat would be refused too
	}{
		"hangs":     {nil, false},
		"cuts":      {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false},
		"full":      {status(503), false},
		"slow down": {status(429), false},
		"refuses":   {status(400), true},
		"not there": {status(404), true},
		"redirects": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			collector := tracetest.Start(t)
			if c.answer == nil {
				c.answer = collector.Hang
			}
			collector.Instead(c.answer)
			e, log, _ := exporting(t, collector.URL)
			n := 0
			for calls := range 3 {
				n += export(e, fmt.Sprint("r", calls))
				bustest.Await(t, "a call", func() bool { return collector.Calls() > calls })
			}
			if c.dropped {
				bustest.Await(t, "the spans to be dropped", func() bool { return e.Dropped() == int64(n) })
			}
			collector.Instead(nil)
			more := export(e, "later")
			bustest.Await(t, "the spans to be exported", func() bool { return e.Exported()+e.Dropped() == int64(n+more) })
			bustest.Await(t, "the journal", func() bool { return log.count("spans are exported again") == 1 })
			if c.dropped != (e.Dropped() == int64(n)) || e.Exported() < int64(more) {
				t.Errorf("of %d and %d spans, %d were dropped and %d exported", n, more, e.Dropped(), e.Exported())
			}
			if said := log.count("spans are not exported"); said != 1 || log.count("\n") != 2 {
				t.Errorf("said %d times, in %d lines", said, log.count("\n"))
			}
		})
	}
}

// An answer that is not one of a collector costs nothing, a partial success what it rejects.
func TestAnswersOfACollector(t *testing.T) {
	t.Parallel()
	for answer, rejected := range map[string]int64{
		"": 0, "garbage": 0, `{"partialSuccess":{"rejectedSpans":"3","errorMessage":"three"}}`: 3, `{"partialSuccess":{"rejectedSpans":2}}`: 2,
		`{"partialSuccess":{"rejectedSpans":"-5"}}`: 0, `{"partialSuccess":{"rejectedSpans":"999999"}}`: 12, strings.Repeat("x", 1<<20): 0,
	} {
		c := tracetest.Start(t)
		c.Instead(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, answer) })
		e, _, stop := exporting(t, c.URL)
		n := export(e, "r1")
		bustest.Await(t, "the spans", func() bool { return e.Exported()+e.Dropped() == int64(n) })
		if e.Dropped() != rejected {
			t.Errorf("%.60q: %d of %d dropped, want %d", answer, e.Dropped(), n, rejected)
		}
		stop()
	}
}

// Spans that wait for a collector take 2 MB at most; those for which there is no room are
// dropped, counted, and mentioned once.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	c := tracetest.Start(t)
	c.Instead(c.Hang)
	e, log, _ := exporting(t, c.URL)
	n := 0
	for i := 0; e.Dropped() < 1000; i++ {
		n += export(e, fmt.Sprint("r", i))
	}
	kept := int64(n) - e.Dropped()
	if size := kept * 300; size > 2<<20 || kept < 2000 { // a span has more than 300 bytes
		t.Errorf("%d spans wait", kept)
	}
	if log.count("spans are dropped") != 1 {
		t.Errorf("said %d times", log.count("spans are dropped"))
	}
	c.Instead(nil)
	bustest.Await(t, "the spans that wait", func() bool { return e.Exported() == kept })
	distinct := map[string]bool{} // a call that took too long is repeated
	for _, s := range c.Spans() {
		distinct[s.SpanID().String()] = true
	}
	if got := int64(len(distinct)); got != kept {
		t.Errorf("%d spans were received, want %d", got, kept)
	}
}
