package inspector_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/inspector"
	"libra/pkg/libra"
)

// spinForGood computes until the URL is in stop, and looks at no context.
func spinForGood(url string, stop *sync.Map) {
	stop.Store("begun "+url, true)
	for {
		if _, ok := stop.Load(url); ok {
			return
		}
	}
}

// site holds every page below /hold until release is called.
func heldSite(t *testing.T) (url string, release func()) {
	hold := make(chan struct{})
	release = sync.OnceFunc(func() { close(hold) })
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/hold") {
			select {
			case <-hold:
			case <-r.Context().Done():
			}
		}
		w.Header().Set("Content-Type", "text/html")
		w.Write([]byte(`<link rel=stylesheet href=/hold.css><p>hello`))
	}))
	t.Cleanup(site.Close)
	t.Cleanup(release)
	return site.URL, release
}

// viewer looks, and keeps what inspectors say of themselves.
type viewer struct {
	mu   sync.Mutex
	seen map[string]event.Running
}

func look(t *testing.T, conn *bus.Conn) *viewer {
	v := &viewer{seen: map[string]event.Running{}}
	stop, err := conn.SubscribeRunning(func(r event.Running) {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.seen[r.Inspector] = r
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			conn.PublishLook()
			select {
			case <-ctx.Done():
			case <-time.After(time.Second):
			}
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return v
}

func (v *viewer) of(inspector string) event.Running {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.seen[inspector]
}

func submit(t *testing.T, web *bus.Conn, url string) event.Request {
	t.Helper()
	r := request(url)
	if err := web.Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	return r
}

// started runs an inspector whose pages below /spin compute until the returned map has
// their URL; ended gets what Run returns.
func started(t *testing.T, b *bustest.Bus, instance string) (stop *sync.Map, ended chan error) {
	stop, ended = &sync.Map{}, make(chan error, 1)
	cfg := inspector.Config{Instance: instance, Workers: 8, Inspect: loopback, Program: os.Args[0], Proc: "/proc", Before: func(_ context.Context, url string) error {
		if strings.Contains(url, "/spin") {
			spinForGood(url, stop)
		}
		return nil
	}}
	ctx, cancel := context.WithCancel(t.Context())
	conn := b.Connect("inspector")
	// Where a process would end, the goroutine of a stuck page goes on, after the test too.
	go func() { ended <- inspector.New(cfg, conn, slog.New(slog.DiscardHandler)).Run(ctx, nil) }()
	t.Cleanup(cancel)
	return stop, ended
}

func hasReason(r libra.Report, code libra.Code, text string) bool {
	return len(r.Details) > 0 && r.Details[0].Code == code && strings.Contains(r.Details[0].Text, text)
}

// Of two pages in progress, the one that computes is first, with its processor time; what
// the other waits for can be seen.
func TestShowsWhatIsInProgress(t *testing.T) {
	site, release := heldSite(t)
	b := bustest.Start(t)
	web := b.Connect("web")
	stop, _ := started(t, b, "1")
	waits, spins := submit(t, web, site+"/"), submit(t, web, site+"/spin")
	t.Cleanup(func() { stop.Store(spins.URL, true) })
	v := look(t, web)
	bustest.Await(t, "the page that computes to be first", func() bool {
		r := v.of("1")
		return r.Count == 2 && len(r.Inspections) == 2 && r.Inspections[0].Request == spins.ID && r.Inspections[0].CPUMS > 50 && r.Inspections[1].CPUMS < r.Inspections[0].CPUMS
	})
	bustest.Await(t, "the other one to wait for its style sheet", func() bool {
		in := v.of("1").Inspections
		return len(in) == 2 && in[1].Step == libra.Weighing && in[1].Found == 2 && in[1].Done == 1 && in[1].HeldBytes > 0 && in[1].Client == "alice" && in[1].URL == waits.URL
	})

	into, err := web.AskInspector(t.Context(), "1", event.Ask{Do: event.AskLook, Request: waits.ID})
	if err != nil || into.Request != waits.ID || into.Inspector != "1" || len(into.Outgoing) != 1 || into.Outgoing[0].URL != site+"/hold.css" || into.Outgoing[0].Host == "" || into.Outgoing[0].Since.IsZero() {
		t.Errorf("look into the page that waits: %+v, %v", into, err)
	}
	if n := len(into.Steps); n < 2 || into.Steps[0].Step != libra.Fetching || into.Steps[n-1].Step != libra.Weighing {
		t.Errorf("steps: %+v", into.Steps)
	}
	into, err = web.AskInspector(t.Context(), "1", event.Ask{Do: event.AskLook, Request: spins.ID})
	if err != nil || !stacksName(into, "spinForGood") || stacksName(into, "nats") {
		t.Errorf("stacks of the page that computes: %+v, %v", into.Stacks, err)
	}

	for do, request := range map[string]string{event.AskLook: "another", "dance": waits.ID} {
		if into, err := web.AskInspector(t.Context(), "1", event.Ask{Do: do, Request: request}); !errors.Is(err, libra.ErrNotFound) {
			t.Errorf("ask to %s for request %s: %+v, %v", do, request, into, err)
		}
	}
	release()
	bustest.Await(t, "the report of the page that waited", func() bool { _, err := web.LastReport(t.Context(), waits.Page); return err == nil })
}

func stacksName(l event.Look, function string) bool {
	for _, s := range l.Stacks {
		if strings.Contains(strings.Join(s.Frames, "\n"), function) {
			return true
		}
	}
	return false
}

// What waits ends at once when an operator ends it; the page is reported as ended, and
// the inspector goes on.
func TestEnded(t *testing.T) {
	site, _ := heldSite(t)
	b := bustest.Start(t)
	web := b.Connect("web")
	_, ended := started(t, b, "1")
	r := submit(t, web, site+"/hold")
	bustest.Await(t, "the inspection to begin", func() bool { _, err := web.AskStep(t.Context(), r.Page); return err == nil })
	if into, err := web.AskInspector(t.Context(), "1", event.Ask{Do: event.AskEnd, Request: r.ID, By: "carol"}); err != nil {
		t.Fatalf("end: %+v, %v", into, err)
	}
	bustest.Await(t, "the report", func() bool {
		got, err := web.LastFailure(t.Context(), r.Page)
		return err == nil && hasReason(got.Report, libra.CodeEnded, "ended by an operator (carol)")
	})
	bustest.Await(t, "the request to be closed", func() bool { pages, err := web.OpenPages(t.Context()); return err == nil && len(pages) == 0 })
	good := submit(t, web, site+"/other.txt")
	bustest.Await(t, "the step of the next page", func() bool { _, err := web.AskStep(t.Context(), good.Page); return err == nil })
	select {
	case err := <-ended:
		t.Errorf("the inspector ended: %v", err)
	default:
	}
}

// What computes and looks at no context ends its process: the page is reported as ended,
// and another inspector inspects the other pages of the process.
func TestStuckIsEnded(t *testing.T) {
	site, release := heldSite(t)
	b := bustest.Start(t)
	web := b.Connect("web")
	stop, ended := started(t, b, "1")
	stuck, other := submit(t, web, site+"/spin"), submit(t, web, site+"/hold/other")
	t.Cleanup(func() { stop.Store(stuck.URL, true) })
	for _, r := range []event.Request{stuck, other} {
		bustest.Await(t, "the inspection of "+r.URL, func() bool { _, err := web.AskStep(t.Context(), r.Page); return err == nil })
	}
	bustest.Await(t, "the page to compute", func() bool { _, begun := stop.Load("begun " + stuck.URL); return begun })
	for range 2 { // a second time does nothing
		if into, err := web.AskInspector(t.Context(), "1", event.Ask{Do: event.AskEnd, Request: stuck.ID, By: "carol"}); err != nil {
			t.Fatalf("end: %+v, %v", into, err)
		}
	}
	var err error
	bustest.Await(t, "the end of the inspector", func() bool {
		select {
		case err = <-ended:
			return true
		default:
			return false
		}
	})
	if err == nil || !strings.Contains(err.Error(), "was ended by an operator and goes on") || !strings.Contains(err.Error(), stuck.URL) {
		t.Errorf("the inspector ended with %v", err)
	}
	got, err := web.LastFailure(t.Context(), stuck.Page)
	if err != nil || !hasReason(got.Report, libra.CodeEnded, "carol") || got.Quarantined {
		t.Errorf("report of the stuck page: %+v, %v", got, err)
	}
	release()
	started(t, b, "2")
	bustest.Await(t, "the other page's report", func() bool {
		got, err := web.LastReport(t.Context(), other.Page)
		// It is the first attempt to an inspector that is connected when the bus publishes the return.
		return err == nil && got.Inspector == "2" && got.Attempt <= 2 && got.Report.Outcome == libra.Complete
	})
	bustest.Await(t, "the requests to be closed", func() bool { pages, err := web.OpenPages(t.Context()); return err == nil && len(pages) == 0 })
}

// Two clients have the same page inspected: what is asked of one request is answered by its
// own worker, every time.
func TestTwoRequestsOfOnePage(t *testing.T) {
	site, _ := heldSite(t)
	b := bustest.Start(t)
	web := b.Connect("web")
	started(t, b, "1")
	alices := submit(t, web, site+"/hold")
	bobs := alices
	bobs.ID, bobs.Client = "r-bob", "bob"
	if err := web.Submit(t.Context(), bobs); err != nil {
		t.Fatal(err)
	}
	ask := func(r event.Request, do string) error {
		into, err := web.AskInspector(t.Context(), "1", event.Ask{Do: do, Request: r.ID})
		if err == nil && (into.Request != r.ID || into.Client != r.Client) {
			t.Errorf("asked of %s, answered: %+v", r.ID, into)
		}
		return err
	}
	for _, r := range []event.Request{alices, bobs} {
		bustest.Await(t, "the worker of "+r.ID, func() bool { return ask(r, event.AskLook) == nil })
	}
	for range 20 {
		for _, r := range []event.Request{alices, bobs} {
			if err := ask(r, event.AskLook); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := ask(bobs, event.AskEnd); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "the report of the ended one", func() bool {
		got, err := web.LastFailure(t.Context(), bobs.Page)
		return err == nil && got.Request.ID == bobs.ID
	})
	if err := ask(alices, event.AskLook); err != nil {
		t.Errorf("the other one has ended, too: %v", err)
	}
}

// Two pages that compute are ended one after the other: both are reported, and nothing is
// inspected again.
func TestTwoStuckAreEnded(t *testing.T) {
	site, _ := heldSite(t)
	b := bustest.Start(t)
	web := b.Connect("web")
	stop, ended := started(t, b, "1")
	stuck := []event.Request{submit(t, web, site+"/spin/1"), submit(t, web, site+"/spin/2")}
	for _, r := range stuck {
		t.Cleanup(func() { stop.Store(r.URL, true) })
		bustest.Await(t, "the page to compute", func() bool { _, begun := stop.Load("begun " + r.URL); return begun })
	}
	for _, r := range stuck {
		if _, err := web.AskInspector(t.Context(), "1", event.Ask{Do: event.AskEnd, Request: r.ID}); err != nil {
			t.Fatal(err)
		}
	}
	bustest.Await(t, "the end of the inspector", func() bool { return len(ended) > 0 })
	for _, r := range stuck {
		if got, err := web.LastFailure(t.Context(), r.Page); err != nil || !hasReason(got.Report, libra.CodeEnded, "ended by an operator") {
			t.Errorf("report of %s: %+v, %v", r.URL, got, err)
		}
	}
	bustest.Await(t, "the requests to be closed", func() bool { pages, err := web.OpenPages(t.Context()); return err == nil && len(pages) == 0 })
}

// A page in a process of its own is seen, looked into and ended like any other, and
// nothing else ends with it.
func TestLoneIsEnded(t *testing.T) {
	site, _ := heldSite(t)
	b := bustest.Start(t)
	web := b.Connect("web")
	r := request(site + "/alone/spin")
	r.Release = true // as after a quarantine: it is inspected alone
	if err := web.Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	_, ended := started(t, b, "1")
	v := look(t, web)
	bustest.Await(t, "the page to compute in a process of its own", func() bool {
		in := v.of("1").Inspections
		return len(in) == 1 && in[0].Alone && in[0].CPUMS > 50 && in[0].HeldBytes > 1<<20
	})
	bustest.Await(t, "its stack", func() bool {
		into, err := web.AskInspector(t.Context(), "1", event.Ask{Do: event.AskLook, Request: r.ID})
		return err == nil && stacksName(into, "spinForGood")
	})
	if _, err := web.AskInspector(t.Context(), "1", event.Ask{Do: event.AskEnd, Request: r.ID}); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "the report", func() bool {
		got, err := web.LastFailure(t.Context(), r.Page)
		return err == nil && hasReason(got.Report, libra.CodeEnded, "ended by an operator")
	})
	bustest.Await(t, "nothing in progress", func() bool { return v.of("1").Count == 0 })
	select {
	case err := <-ended:
		t.Errorf("the inspector ended: %v", err)
	default:
	}
}
