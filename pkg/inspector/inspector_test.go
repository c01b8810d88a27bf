package inspector_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/netip"
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

func run(t *testing.T, conn *bus.Conn, b *bustest.Bus, instance string) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	i := inspector.New(inspector.Config{Instance: instance, Workers: 2, Inspect: loopback}, conn, b.Log())
	var wg sync.WaitGroup
	wg.Go(func() { i.Run(ctx, func() {}) })
	return func() { cancel(); wg.Wait() }
}

func TestWeighs(t *testing.T) {
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
	if _, err := web.AskStep(t.Context(), r.Page); err == nil {
		t.Error("somebody still answers for the page")
	}
}

// An inspector that is asked to stop gives its page back; the next one weighs
// it at once, not after a lease.
func TestGivesBack(t *testing.T) {
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
		return err == nil && got.Inspector == "2" && got.Attempt == 2 && got.Report.Outcome == libra.Complete
	})
}
