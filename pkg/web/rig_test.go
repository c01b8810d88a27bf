package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/store"
	"libra/pkg/web"
	"libra/pkg/web/state"
)

var update = flag.Bool("update", false, "write golden files")

// rig is a server that runs on the loopback, with a bus and a database.
type rig struct {
	t     *testing.T
	bus   *bustest.Bus
	conn  *bus.Conn
	db    string
	base  string
	reads atomic.Int64 // of SQLite, on behalf of those who ask
	loop  bustest.Loop
	web   *web.Server
	alone bool         // no other component sends heartbeats
	log   *slog.Logger // web's
	stop  func() error // ends the server and returns the error of Run
}

// newRig is a bus and an empty database.
func newRig(t *testing.T) *rig {
	h := &rig{t: t, bus: bustest.Start(t), db: filepath.Join(t.TempDir(), "libra.db"), log: quiet()}
	h.fill()
	return h
}

// beats sends heartbeats like b until stop is called, or the test ends.
func (h *rig) beats(b event.Heartbeat) (stop func()) {
	h.t.Helper()
	c, _ := component.Find(b.Component)
	ctx, cancel := context.WithCancel(h.t.Context())
	go h.connect(c.Role).PublishHeartbeats(ctx, func() string { return "" }, func() event.Heartbeat { return b })
	return cancel
}

// beatOf is a heartbeat of a healthy component.
func beatOf(name string) event.Heartbeat {
	return event.Heartbeat{Component: name, Instance: "1", PID: 1, Started: noon, At: noon, Status: "playing"}
}

// connect does not wait for the bus to be there.
func (h *rig) connect(role string) *bus.Conn {
	h.t.Helper()
	conn, err := bus.Connect(bus.Config{URL: h.bus.URL(), Seed: h.bus.Seed(role), Role: role, Name: "test-" + role, Log: quiet()})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(conn.Close)
	return conn
}

// counted is a history that counts what is asked of it, but for its health.
type counted struct {
	state.History
	reads *atomic.Int64
}

func (c counted) Report(ctx context.Context, page string) (event.Reported, error) {
	c.reads.Add(1)
	return c.History.Report(ctx, page)
}

func (c counted) Complete(ctx context.Context, page string) (event.Reported, error) {
	c.reads.Add(1)
	return c.History.Complete(ctx, page)
}

func (c counted) Failure(ctx context.Context, page string) (event.Reported, error) {
	c.reads.Add(1)
	return c.History.Failure(ctx, page)
}

func (c counted) Latest(ctx context.Context, before time.Time, limit int) ([]event.Reported, error) {
	c.reads.Add(1)
	return c.History.Latest(ctx, before, limit)
}

func (c counted) Alarms(ctx context.Context, limit int) ([]libra.Transition, error) {
	c.reads.Add(1)
	return c.History.Alarms(ctx, limit)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func (h *rig) start(cfg web.Config) *rig {
	h.t.Helper()
	if cfg.SubmitPatience == 0 {
		cfg.SubmitPatience = 8 * time.Second // the machine may be busy with other tests
	}
	if cfg.Linger == 0 {
		cfg.Linger = time.Millisecond // no client is disturbed by the end of a test
	}
	for _, c := range component.Required() {
		if !h.alone {
			h.beats(beatOf(c.Name))
		}
	}
	h.conn = h.connect("web")
	reader := store.NewReader(h.db)
	h.t.Cleanup(func() { reader.Close() })
	h.web = web.New(cfg, h.log, h.conn, counted{reader, &h.reads}, &h.loop)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		h.t.Fatal(err)
	}
	h.base = "http://" + l.Addr().String()
	ctx, cancel := context.WithCancel(h.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.web.Run(ctx, l) }()
	h.stop = sync.OnceValue(func() error { cancel(); return <-ended })
	h.t.Cleanup(func() {
		if err := h.stop(); err != nil {
			h.t.Errorf("Run = %v", err)
		}
	})
	return h
}

// ready waits until nothing is unknown.
func (h *rig) ready() *rig {
	h.t.Helper()
	bustest.Await(h.t, "web to know everything", func() bool { a := h.get("/up"); return a.code == 200 && !strings.HasPrefix(a.body, "UNKNOWN") })
	return h
}

// connected waits until web has seen the bus.
func (h *rig) connected() *rig {
	h.t.Helper()
	bustest.Await(h.t, "web to be ready with the bus", func() bool {
		a := h.get("/up")
		return a.code == 200 && !strings.Contains(a.body, "degraded: bus")
	})
	return h
}

func started(t *testing.T) *rig { return newRig(t).start(web.Config{}).ready() }

// impatient is for tests of what is refused while the bus is away.
var impatient = web.Config{SubmitPatience: 300 * time.Millisecond, Patience: time.Second}

// answer is an HTTP answer, read to its end.
type answer struct {
	code   int
	header http.Header
	body   string
}

func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.body), v); err != nil {
		t.Fatalf("%d %q: %v", a.code, a.body, err)
	}
}

func (h *rig) do(method, path, body string, header ...string) answer {
	h.t.Helper()
	req, err := http.NewRequestWithContext(h.t.Context(), method, h.base+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	client.CloseIdleConnections()
	return answer{resp.StatusCode, resp.Header, string(data)}
}

func (h *rig) get(path string, header ...string) answer {
	h.t.Helper()
	return h.do("GET", path, "", header...)
}

const jsonType = "application/json"

func (h *rig) submit(url string, header ...string) answer {
	h.t.Helper()
	body, err := json.Marshal(map[string]string{"url": url})
	if err != nil {
		h.t.Fatal(err)
	}
	return h.do("POST", "/api/pages", string(body), append([]string{"Content-Type", jsonType}, header...)...)
}

// inspect plays an inspector until the test ends: what report returns is
// published and the request acknowledged.
func (h *rig) inspect(report func(ctx context.Context, conn *bus.Conn, j bus.Job) event.Reported) {
	h.t.Helper()
	conn := h.bus.Connect("inspector")
	ctx, cancel := context.WithCancel(h.t.Context())
	var wg sync.WaitGroup
	h.t.Cleanup(func() { cancel(); wg.Wait() })
	wg.Go(func() {
		conn.Work(ctx, bustest.Slots(4), time.Minute, nil, func(ctx context.Context, j bus.Job) {
			r := report(ctx, conn, j)
			if r.Request.ID == "" {
				return
			}
			if err := errors.Join(conn.PublishReport(ctx, r), j.Done(ctx)); err != nil && ctx.Err() == nil {
				h.t.Errorf("play inspector: %v", err)
			}
		})
	})
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// reported is a report of two assets that answers a request.
func reported(r event.Request, at time.Time) event.Reported {
	assets := []libra.Asset{
		{URL: r.URL, Type: libra.Document, Status: 200, HeaderBytes: 200, EncodedBytes: 1000, DecodedBytes: 4000, Fetch: libra.Fetched, Reason: "the page", Timings: &libra.Timings{Connect: 1, Wait: 3}},
		{URL: r.URL + "app.css", Type: libra.Stylesheet, Initiator: r.URL, Status: 200, HeaderBytes: 150, EncodedBytes: 9000, DecodedBytes: 9000, Fetch: libra.Fetched, Reason: "link rel=stylesheet", StartMS: 6, Timings: &libra.Timings{Wait: 3}},
		{URL: r.URL + "late.png", Type: libra.Image, Initiator: r.URL, Fetch: libra.Lazy, Reason: "loading=lazy, below the fold"},
	}
	return event.Reported{Request: r, Attempt: 1, Inspector: "1", At: at, Report: libra.Report{
		URL: r.URL, FinalURL: r.URL, Status: 200, Started: noon, DurationMS: 12, Outcome: libra.Complete, ReasonList: libra.ReasonList{Reasons: []string{}},
		Totals: libra.Sum(assets), Assets: assets,
	}}
}

func request(n int) event.Request {
	url := fmt.Sprintf("https://example.org/%04d/", n)
	return event.Request{ID: fmt.Sprintf("request-%08d", n), Page: libra.PageID(url), URL: url, Site: "home", Client: "alice", Asked: noon.Add(time.Duration(n) * time.Second)}
}

// publish puts reports on the bus as an inspector would.
func (h *rig) publish(reports ...event.Reported) {
	h.t.Helper()
	conn := h.bus.Connect("inspector")
	for _, r := range reports {
		h.stored("a report", func() error { return conn.PublishReport(h.t.Context(), r) })
	}
}

// stored repeats what may fail on a machine that is busy with other tests.
func (h *rig) stored(what string, store func() error) {
	h.t.Helper()
	var err error
	for range 10 {
		if err = store(); err == nil {
			return
		}
	}
	h.t.Fatalf("%s is not stored: %v", what, err)
}

// setWatch puts a watch on the bus, also before web is started.
func (h *rig) setWatch(w event.Watch) {
	h.t.Helper()
	conn := h.conn
	if conn == nil {
		conn = h.bus.Connect("web")
	}
	h.stored("a watch", func() error { return conn.SetWatch(h.t.Context(), w) })
}

// awaitListed waits until web's list has the newest answers of reports. A page
// that is looked up by its id comes from the bus where web's memory does not have
// it yet; the list has what is in memory.
func (h *rig) awaitListed(reports ...event.Reported) {
	h.t.Helper()
	bustest.Await(h.t, "the reports in the list", func() bool {
		var list struct {
			Pages []struct {
				ID     string
				Latest *struct{ At time.Time }
			}
		}
		if err := json.Unmarshal([]byte(h.get("/api/pages?limit=500").body), &list); err != nil {
			h.t.Fatal(err)
		}
		newest := map[string]time.Time{}
		for _, p := range list.Pages {
			if p.Latest != nil {
				newest[p.ID] = p.Latest.At
			}
		}
		return !slices.ContainsFunc(reports, func(r event.Reported) bool {
			at, listed := newest[r.Request.Page]
			return !listed || at.Before(r.At)
		})
	})
}

// beat sends one heartbeat of a component.
func (h *rig) beat(b event.Heartbeat) {
	h.t.Helper()
	sent := make(chan struct{})
	stalled := "" // until the first one is sent
	go h.bus.Connect(strings.TrimPrefix(b.Component, "libra-")).PublishHeartbeats(h.t.Context(), func() string { return stalled }, func() event.Heartbeat {
		stalled = "that was all"
		close(sent)
		return b
	})
	<-sent
}

func (h *rig) page(id string) (p libra.Page) {
	h.t.Helper()
	h.get("/api/pages/"+id).into(h.t, &p)
	return p
}

// varying are the values that differ from run to run: ids of requests and of their traces,
// and when they were asked.
var varying = []*regexp.Regexp{
	regexp.MustCompile(`"(id|request)":"[0-9a-z]{24}"`), regexp.MustCompile(`"(trace_id)":"[0-9a-f]{32}"`), regexp.MustCompile(`"(asked)":"[^"]*"`),
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	for _, v := range varying {
		got = v.ReplaceAllString(got, `"$1":"$1"`)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(got), "", "\t"); err != nil {
		t.Fatalf("%q: %v", got, err)
	}
	file := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(file, indented.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), indented.String()); diff != "" {
		t.Errorf("%s (-want +got; -update accepts it):\n%s", name, diff)
	}
}

// fill puts reports into SQLite, as the recorder does.
func (h *rig) fill(reports ...event.Reported) {
	h.t.Helper()
	w, err := store.Open(h.t.Context(), h.db)
	if err != nil {
		h.t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.AddReports(h.t.Context(), reports, event.Position{}); err != nil {
		h.t.Fatal(err)
	}
}
