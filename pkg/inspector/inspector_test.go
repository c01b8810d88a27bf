package inspector_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/inspect"
	"libra/pkg/inspector"
	"libra/pkg/libra"
)

var loopback = inspect.Config{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, PageTimeout: 10 * time.Second}

func request(url string) event.Request {
	return event.Request{ID: "r-" + libra.PageID(url), Page: libra.PageID(url), URL: url, Site: "home", Client: "alice", Asked: time.Now()}
}

// TestMain is also the lone process that inspects one page.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "--weigh" {
		if strings.HasSuffix(os.Args[2], "/list") {
			if err := writeLargeReport(os.Args[2]); err != nil {
				os.Exit(1)
			}
			os.Exit(0)
		}
		log := slog.New(slog.NewTextHandler(os.Stderr, nil))
		cfg := inspector.Config{Inspect: loopback, Before: func(_ context.Context, url string) error {
			if strings.HasSuffix(url, "/poison") {
				panic("poison")
			}
			if strings.HasSuffix(url, "/spin") {
				spinForGood(url, &sync.Map{})
			}
			return nil
		}}
		if err := inspector.New(cfg, nil, log).InspectAlone(context.Background(), os.Args[2], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func run(t *testing.T, conn *bus.Conn, b *bustest.Bus, instance string) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	i := inspector.New(inspector.Config{Instance: instance, Workers: 2, Inspect: loopback, Program: os.Args[0]}, conn, b.Log())
	var wg sync.WaitGroup
	wg.Go(func() { i.Run(ctx, nil) })
	return func() { cancel(); wg.Wait() }
}

func TestInspects(t *testing.T) {
	hold := make(chan struct{})
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html")
			w.Write([]byte(`<link rel=stylesheet href=style.css><p>hello`))
		case "/style.css":
			<-hold
			w.Header().Set("Content-Type", "text/css")
			w.Write([]byte(`p { color: red }`))
		default:
			http.NotFound(w, r)
		}
	}))
	defer site.Close()
	b := bustest.Start(t)
	web := b.Connect("web")
	defer run(t, b.Connect("inspector"), b, "1")()

	r := request(site.URL + "/")
	if err := web.Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "the worker to weigh assets", func() bool {
		s, err := web.AskStep(t.Context(), r.Page)
		return err == nil && s.Step == libra.Weighing && s.Request == r.ID && s.Found >= 2
	})
	close(hold)
	var got event.Reported
	bustest.Await(t, "the report", func() (ok bool) {
		var err error
		got, err = web.LastReport(t.Context(), r.Page)
		return err == nil
	})
	if got.Request.ID != r.ID || got.Inspector != "1" || got.Attempt != 1 || got.Report.Outcome != libra.Complete || got.Report.Totals.Requests != 2 {
		t.Errorf("report: %+v", got)
	}
	bustest.Await(t, "the request to be closed", func() bool { pages, err := web.OpenPages(t.Context()); return err == nil && len(pages) == 0 })
	bustest.Await(t, "no worker to answer for the page", func() bool { _, err := web.AskStep(t.Context(), r.Page); return err != nil })
}

// An inspector that is asked to stop gives its request back; the next one
// claims it at once, not after a lease.
func TestStopGivesRequestBack(t *testing.T) {
	asked, hold := make(chan struct{}, 9), make(chan struct{})
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked <- struct{}{}
		select {
		case <-hold:
		case <-r.Context().Done():
		}
		w.Write([]byte("<p>hello"))
	}))
	defer site.Close()
	b := bustest.Start(t)
	web := b.Connect("web")
	stop := run(t, b.Connect("inspector"), b, "1")
	r := request(site.URL + "/")
	if err := web.Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	<-asked
	stop()
	if _, err := web.LastReport(t.Context(), r.Page); err == nil {
		t.Error("an inspection that was cut short was reported")
	}
	close(hold)
	defer run(t, b.Connect("inspector"), b, "2")()
	bustest.Await(t, "the report of the second", func() bool {
		got, err := web.LastReport(t.Context(), r.Page)
		// It is the first attempt to an inspector that is connected when the bus publishes the return.
		return err == nil && got.Inspector == "2" && got.Attempt <= 2 && got.Report.Outcome == libra.Complete
	})
}

// A page that ends every process that inspects it is quarantined, with the reason;
// other pages are not affected. Released, it has three more attempts.
func TestPoison(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("<p>hello")) }))
	defer site.Close()
	b := bustest.Start(t)
	web := b.Connect("web")
	poison, good := request(site.URL+"/poison"), request(site.URL+"/good")
	for _, r := range []event.Request{poison, good} {
		if err := web.Submit(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	// Somebody took both and was lost.
	lost, lose := context.WithCancel(t.Context())
	taken := make(chan error, 2)
	go b.Connect("inspector").Work(lost, bustest.Slots(2), time.Minute, nil, func(_ context.Context, j bus.Job) { taken <- j.Retry(0) })
	for range 2 {
		if err := <-taken; err != nil {
			t.Fatal(err)
		}
	}
	lose()
	defer run(t, b.Connect("inspector"), b, "2")()

	var failed event.Reported
	bustest.Await(t, "the quarantine", func() (ok bool) {
		var err error
		failed, err = web.LastFailure(t.Context(), poison.Page)
		return err == nil
	})
	if reason := failed.Report.Reasons[0]; !failed.Quarantined || !strings.Contains(reason, "3 times") || !strings.Contains(reason, "panic: poison") || !strings.Contains(reason, "libra release") {
		t.Errorf("quarantined %v: %s", failed.Quarantined, reason)
	}
	bustest.Await(t, "the other page's report", func() bool {
		got, err := web.LastReport(t.Context(), good.Page)
		return err == nil && got.Report.Outcome == libra.Complete
	})
	bustest.Await(t, "the requests to be closed", func() bool { pages, err := web.OpenPages(t.Context()); return err == nil && len(pages) == 0 })

	poison.ID, poison.Release = "released", true
	if err := web.Submit(t.Context(), poison); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "the second quarantine", func() bool {
		failed, err := web.LastFailure(t.Context(), poison.Page)
		return err == nil && failed.Request.ID == "released" && failed.Quarantined
	})
}
