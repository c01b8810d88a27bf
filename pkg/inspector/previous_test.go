package inspector_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
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

// countingSite is a site of one image with a validator; it counts what it answered.
type countingSite struct {
	mu      sync.Mutex
	answers map[int]int // of the image, by status; under mu
}

func (c *countingSite) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/" {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<img src=a.png>`)
		return
	}
	w.Header().Set("Content-Type", "image/png")
	w.Header().Set("ETag", `"1"`)
	status := http.StatusOK
	if r.Header.Get("If-None-Match") == `"1"` {
		status = http.StatusNotModified
	}
	c.mu.Lock()
	c.answers[status]++
	c.mu.Unlock()
	w.WriteHeader(status)
	if status == http.StatusOK {
		fmt.Fprint(w, strings.Repeat("x", 5000))
	}
}

func (c *countingSite) of(status int) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.answers[status]
}

// inspectPage submits a page under an id and returns its report.
func inspectPage(t *testing.T, web *bus.Conn, url, id string) event.Reported {
	t.Helper()
	r := request(url)
	r.ID = id
	if err := web.Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	var got event.Reported
	bustest.Await(t, "the report of "+id, func() (ok bool) {
		var err error
		got, err = web.LastReport(t.Context(), r.Page)
		return err == nil && got.Request.ID == id
	})
	bustest.Await(t, "the request to be closed", func() bool { pages, err := web.OpenPages(t.Context()); return err == nil && len(pages) == 0 })
	return got
}

// A second inspection on one day requests images conditionally, and has the same
// sizes.
func TestConditionalRequests(t *testing.T) {
	c := &countingSite{answers: map[int]int{}}
	site := httptest.NewServer(c)
	defer site.Close()
	b := bustest.Start(t)
	web := b.Connect("web")
	defer run(t, b.Connect("inspector"), b, "1")()

	first := inspectPage(t, web, site.URL+"/", "first")
	again := inspectPage(t, web, site.URL+"/", "again")
	if first.Report.Started.UTC().Day() != again.Report.Started.UTC().Day() {
		t.Skip("the day ended between the two")
	}
	if c.of(200) != 1 || c.of(304) != 1 {
		t.Errorf("answers: %v, want one 200 and one 304", c.answers)
	}
	if first.Report.Totals.Size != again.Report.Totals.Size {
		t.Errorf("weighs %+v, and again %+v", first.Report.Totals.Size, again.Report.Totals.Size)
	}
	if a, b := first.Report.Repeat, again.Report.Repeat; a == nil || b == nil || b.TransferBytes > a.TransferBytes {
		t.Errorf("a second visit: %+v estimated, %+v measured", a, b)
	}
}

// Sizes of another day are not reused, nor are those of an incomplete report.
func TestFullFetchOnAnotherDay(t *testing.T) {
	for name, change := range map[string]func(*libra.Report){
		"another day": func(r *libra.Report) { r.Started = r.Started.Add(-24 * time.Hour) },
		"partial":     func(r *libra.Report) { r.Outcome = libra.Partial },
	} {
		t.Run(name, func(t *testing.T) {
			c := &countingSite{answers: map[int]int{}}
			site := httptest.NewServer(c)
			defer site.Close()
			b := bustest.Start(t)
			web := b.Connect("web")
			conn := b.Connect("inspector")
			stop := run(t, conn, b, "1")
			first := inspectPage(t, web, site.URL+"/", "first")
			stop()
			change(&first.Report)
			first.Request.ID = "changed"
			if err := conn.PublishReport(t.Context(), first); err != nil {
				t.Fatal(err)
			}
			defer run(t, b.Connect("inspector"), b, "2")()
			inspectPage(t, web, site.URL+"/", "again")
			if c.of(200) != 2 || c.of(304) != 0 {
				t.Errorf("answers: %v, want two times 200", c.answers)
			}
		})
	}
}

// While the bus is away, a page is inspected without its previous report.
func TestInspectsWithoutPrevious(t *testing.T) {
	b := bustest.Start(t)
	c := &countingSite{answers: map[int]int{}}
	site := httptest.NewServer(c)
	defer site.Close()
	ctx, cancel := context.WithCancel(t.Context())
	down, up := make(chan struct{}), make(chan struct{})
	i := inspector.New(inspector.Config{Instance: "1", Workers: 1, Inspect: loopback, Before: func(context.Context, string) error {
		close(down)
		<-up
		return nil
	}}, b.Connect("inspector"), b.Log())
	var wg sync.WaitGroup
	wg.Go(func() { i.Run(ctx, nil) })
	defer wg.Wait()
	defer cancel()
	web := b.Connect("web")
	r := request(site.URL + "/")
	if err := web.Submit(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	<-down
	b.Down()
	close(up)
	bustest.Await(t, "the page to be weighed without the bus", func() bool { return c.of(200) == 1 })
	b.Up()
	bustest.Await(t, "the report", func() bool {
		got, err := web.LastReport(t.Context(), r.Page)
		return err == nil && got.Report.Outcome == libra.Complete
	})
}
