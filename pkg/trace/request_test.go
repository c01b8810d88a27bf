package trace_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/inspect"
	"libra/pkg/inspector"
	"libra/pkg/libra"
	"libra/pkg/notifier"
	"libra/pkg/recorder"
	"libra/pkg/rules"
	"libra/pkg/store"
	"libra/pkg/trace"
	"libra/pkg/trace/tracetest"
	"libra/pkg/web"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// appliance is web, inspector, recorder and notifier on a real bus, each with an exporter to one
// collector.
type appliance struct {
	t         *testing.T
	bus       *bustest.Bus
	collector *tracetest.Collector
	journal   *journal
	web       string
	hooks     chan []byte // what the notifier posts
}

// run runs a component until the test ends.
func (a *appliance) run(component string, run func(context.Context, *trace.Exporter, *slog.Logger) error) {
	log := slog.New(slog.NewTextHandler(a.journal, &slog.HandlerOptions{Level: slog.LevelDebug}))
	e := trace.New(trace.Config{Endpoint: a.collector.URL, Component: component, Instance: "1", Log: log, Gather: time.Millisecond})
	ctx, cancel := context.WithCancel(a.t.Context())
	var running sync.WaitGroup
	running.Go(func() { e.Run(ctx) })
	running.Go(func() {
		if err := run(ctx, e, log); err != nil && !errors.Is(err, context.Canceled) {
			a.t.Errorf("%s: %v", component, err)
		}
	})
	a.t.Cleanup(func() { cancel(); running.Wait() })
}

func startAppliance(t *testing.T) *appliance {
	a := &appliance{t: t, collector: tracetest.Start(t), bus: bustest.Start(t), journal: &journal{}, hooks: make(chan []byte, 10)}
	db := filepath.Join(t.TempDir(), "libra.db")
	a.run("libra-recorder", func(ctx context.Context, e *trace.Exporter, log *slog.Logger) error {
		return recorder.New(recorder.Config{Path: db, Traces: e}, a.bus.Connect("recorder"), log, func(string) {}).Run(ctx, recorder.Loops{})
	})
	a.run("libra-inspector", func(ctx context.Context, e *trace.Exporter, log *slog.Logger) error {
		cfg := inspector.Config{Instance: "1", Workers: 2, Inspect: inspect.Config{Allow: loopback, PageTimeout: 10 * time.Second}, Traces: e}
		return inspector.New(cfg, a.bus.Connect("inspector"), log).Run(ctx, nil)
	})
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body bytes.Buffer
		_, _ = body.ReadFrom(r.Body) // what is missing fails to decode
		a.hooks <- body.Bytes()
	}))
	t.Cleanup(hook.Close)
	a.run("libra-notifier", func(ctx context.Context, e *trace.Exporter, log *slog.Logger) error {
		file := rules.Defaults()
		file.Channels = []rules.Channel{{Name: "ops", Type: rules.Webhook, URL: hook.URL}}
		return notifier.New(notifier.Config{Rules: file, Traces: e}, notifier.Deps{Bus: a.bus.Connect("notifier"), Log: log}).Run(ctx)
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a.web = "http://" + l.Addr().String()
	a.run("libra-web", func(ctx context.Context, e *trace.Exporter, log *slog.Logger) error {
		history := store.NewReader(db)
		defer history.Close()
		return web.New(web.Config{Allow: loopback, Traces: e}, log, a.bus.Connect("web"), history, nil).Run(ctx, l)
	})
	return a
}

// submit asks for a page until it is accepted, and returns its id and the trace's.
func (a *appliance) submit(url, traceparent string) (page, traceID string) {
	a.t.Helper()
	var doc struct {
		ID      string `json:"id"`
		TraceID string `json:"trace_id"`
	}
	bustest.Await(a.t, "the page to be accepted", func() bool {
		req, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.web+"/api/pages", strings.NewReader(fmt.Sprintf(`{"url":%q}`, url)))
		if err != nil {
			a.t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if traceparent != "" {
			req.Header.Set("Traceparent", traceparent)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == 202 && json.NewDecoder(resp.Body).Decode(&doc) == nil
	})
	return doc.ID, doc.TraceID
}

// get reads a document of web's; ok is false unless it is there.
func (a *appliance) get(path string, into any) (ok bool) {
	resp, err := http.Get(a.web + path)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return resp.StatusCode == 200 && json.NewDecoder(resp.Body).Decode(into) == nil
}

// traced are the spans of a trace that have arrived, by name; fetches by their URL.
func (a *appliance) traced(id string) map[string]tracetest.Span {
	found := map[string]tracetest.Span{}
	for _, s := range a.collector.Spans() {
		if s.TraceID().String() != id {
			continue
		}
		name := s.Name()
		if name == trace.Fetch {
			name = s.Text("url.full")
		}
		if _, twice := found[name]; twice {
			a.t.Errorf("%s is there twice", name)
		}
		found[name] = s
	}
	return found
}

// One trace has everything that a request causes, by whichever component: each span below the
// right one, one for each fetched asset, and the same ids on the lines of the journal, on
// the page and in the messages.
func TestOneTraceOfARequest(t *testing.T) {
	t.Parallel()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprint(w, `<link rel=stylesheet href=style.css><img src=a.png><img src=gone.png><img loading=lazy src=a.png?lazy style="margin-top:99999px">`)
		case "/style.css":
			w.Header().Set("Content-Type", "text/css")
			fmt.Fprint(w, `body { background: url(b.png) }`)
		case "/a.png", "/b.png":
			w.Header().Set("Content-Type", "image/png")
			fmt.Fprint(w, "not a picture")
		default:
			http.NotFound(w, r)
		}
	}))
	defer site.Close()
	a := startAppliance(t)
	url := site.URL + "/"
	for _, sent := range []string{"", traceparent, "00-broken"} {
		page, id := a.submit(url, sent)
		if (id == parentTrace) != (sent == traceparent) || len(id) != 32 {
			t.Errorf("with traceparent %q the trace is %s", sent, id)
		}
		a.checkTrace(id, sent == traceparent, url, []string{url, url + "style.css", url + "a.png", url + "b.png", url + "gone.png"})
		a.checkPage(page, id)
	}
}

func (a *appliance) checkTrace(id string, continued bool, url string, fetched []string) {
	t := a.t
	t.Helper()
	parents := map[string]string{
		"request": "", "accept": "request", "queued": "request", "inspection": "request", "fetching": "inspection", "discovering": "inspection", "weighing": "inspection",
		"reporting": "request", "record": "request",
	}
	for _, f := range fetched {
		parents[f] = "weighing"
	}
	parents[url] = "fetching"
	var got map[string]tracetest.Span
	bustest.Await(t, "the whole trace", func() bool {
		got = a.traced(id)
		for name := range parents {
			if _, ok := got[name]; !ok && name != "discovering" { // nothing may lie between
				return false
			}
		}
		return true
	})
	services := map[string]string{"accept": "libra-web", "queued": "libra-bus", "record": "libra-recorder"}
	for name, s := range got {
		parent, known := parents[name]
		switch {
		case name == "waiting": // where the host lets it wait
			continue
		case !known:
			t.Errorf("a span %s was not expected", name)
		case name == "request" && continued && s.ParentSpanID().String() != parentSpan, name == "request" && !continued && !s.ParentSpanID().IsEmpty():
			t.Errorf("the request is below %q", s.ParentSpanID())
		case parent != "" && s.ParentSpanID() != got[parent].SpanID():
			t.Errorf("%s is not below %s", name, parent)
		}
		want := services[name]
		if want == "" {
			want = "libra-inspector"
		}
		if s.Service() != want {
			t.Errorf("%s comes from %s, want %s", name, s.Service(), want)
		}
	}
	if got[url+"gone.png"].Text("http.response.status_code") != "404" || got["request"].Text("url.full") != url {
		t.Errorf("attributes: %v, %v", got[url+"gone.png"].Attributes().AsRaw(), got["request"].Attributes().AsRaw())
	}
	request := got["request"].Text("libra.request")
	for _, line := range []string{"request accepted", "inspection ends", "report recorded"} {
		bustest.Await(t, "the line "+line, func() bool {
			return a.journal.count(fmt.Sprintf("msg=%q request=%s trace_id=%s", line, request, id)) == 1
		})
	}
}

// checkPage compares what web says of the trace with what the collector has.
func (a *appliance) checkPage(page, id string) {
	t := a.t
	t.Helper()
	var doc struct {
		Report *struct {
			Request struct {
				ID      string `json:"id"`
				TraceID string `json:"trace_id"`
			} `json:"request"`
		} `json:"report"`
		Latest struct {
			TraceID string `json:"trace_id"`
		} `json:"latest"`
	}
	bustest.Await(t, "the report", func() bool {
		return a.get("/api/pages/"+page, &doc) && doc.Report != nil && doc.Report.Request.TraceID == id
	})
	var drawn struct {
		TraceID string `json:"trace_id"`
		Spans   []struct {
			ID   string `json:"span_id"`
			Name string `json:"name"`
		} `json:"spans"`
	}
	if !a.get("/api/pages/"+page+"/trace", &drawn) || drawn.TraceID != id || doc.Latest.TraceID != id {
		t.Fatalf("the document of the page has trace %s, its timeline %s, want %s", doc.Latest.TraceID, drawn.TraceID, id)
	}
	exported := map[string]string{}
	for _, s := range a.collector.Spans() {
		if s.TraceID().String() == id && s.Service() != "libra-web" && s.Service() != "libra-recorder" {
			exported[s.SpanID().String()] = s.Name()
		}
	}
	for _, s := range drawn.Spans {
		if exported[s.ID] != s.Name {
			t.Errorf("the timeline has %s %s, the collector %q", s.Name, s.ID, exported[s.ID])
		}
	}
	if len(drawn.Spans) != len(exported) {
		t.Errorf("the timeline has %d spans, the collector %d", len(drawn.Spans), len(exported))
	}
}

// The notification of an alarm that a report has raised is in the trace of its request.
func TestNotificationIsInTheTrace(t *testing.T) {
	t.Parallel()
	a := startAppliance(t)
	request := event.Request{ID: "r1", Traceparent: traceparent}
	raised := libra.Transition{ID: "t1", At: time.Now().UTC(), Host: "box", Traceparent: trace.Traceparent(request), Alarm: libra.Alarm{
		ID: "page.down.p1", Scope: libra.ScopePage, Target: "https://example.org/", Severity: libra.Critical, State: libra.Raised, Summary: "The page is down", Since: time.Now().UTC(),
	}}
	watchdog := a.bus.Connect("watchdog")
	bustest.Await(t, "the transition to be published", func() bool { return watchdog.PublishAlarm(t.Context(), raised) == nil })
	if body := <-a.hooks; !strings.Contains(string(body), raised.Traceparent) {
		t.Errorf("the webhook gets %s", body)
	}
	bustest.Await(t, "the span", func() bool { return len(a.traced(parentTrace)) > 0 })
	s := a.traced(parentTrace)[trace.Notification]
	root := trace.Spans(event.Reported{Request: request})[0].ID.String()
	if s.ParentSpanID().String() != root || s.Service() != "libra-notifier" || s.Text("libra.channel") != "ops" || s.Text("libra.status") != "sent" || s.Text("libra.alarm") != "page.down.p1" {
		t.Errorf("%s of %s below %s: %v", s.Name(), s.Service(), s.ParentSpanID(), s.Attributes().AsRaw())
	}
	bustest.Await(t, "the line of the journal", func() bool { return a.journal.count("trace_id="+parentTrace) > 0 })
}
