package inspector_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/inspector"
	"libra/pkg/libra"
)

// writeLargeReport is a lone process whose report no bus takes.
func writeLargeReport(url string) error {
	r := libra.Report{URL: url, FinalURL: url, Status: 200, Outcome: libra.Complete, ReasonList: libra.NoReasons()}
	r.Assets = append(r.Assets, libra.Asset{URL: url, Type: libra.Document, Fetch: libra.Fetched, Status: 200})
	for n := range 1200 {
		r.Assets = append(r.Assets, libra.Asset{URL: fmt.Sprint(url, n, strings.Repeat("u", 8000)), Type: libra.Image, Initiator: url, Fetch: libra.Lazy})
	}
	r.Totals = libra.Sum(r.Assets)
	return json.NewEncoder(os.Stdout).Encode(map[string]any{"report": r})
}

// A page of long URLs is reported, and so is one whose report is larger than the bus takes:
// without its list, or without anything but the reason. Its request is answered, and does
// not come back for good.
func TestLargeReports(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<!doctype html><base href="/%s/"><div style="height:20000px"></div>`, strings.Repeat("b", 1600))
		for n := range 4900 {
			fmt.Fprintf(w, "<img loading=lazy width=9 height=9 src=%d.png>", n)
		}
	}))
	defer site.Close()
	b := bustest.Start(t)
	web := b.Connect("web")
	i := inspector.New(inspector.Config{Instance: "1", Workers: 2, Inspect: loopback, Program: os.Args[0], Before: func(_ context.Context, url string) error {
		if strings.HasSuffix(url, "/reason") {
			return errors.New(strings.Repeat("reason ", 9<<20/7))
		}
		return nil
	}}, b.Connect("inspector"), b.Log())
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	wg.Go(func() { i.Run(ctx, nil) })

	for path, c := range map[string]struct {
		last    func(*bus.Conn, context.Context, string) (event.Reported, error)
		outcome libra.Outcome
		reason  string
	}{
		"/page":   {(*bus.Conn).LastReport, libra.Partial, "limit list_bytes"},
		"/list":   {(*bus.Conn).LastReport, libra.Partial, "the list of 1200 URLs was left out"},
		"/reason": {(*bus.Conn).LastFailure, libra.Error, "larger than the bus takes"},
	} {
		r := request(site.URL + path)
		r.Release = path == "/list" // a process of its own inspects it
		if err := web.Submit(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		var got event.Reported
		bustest.Await(t, "the report of "+path, func() (ok bool) {
			var err error
			got, err = c.last(web, t.Context(), r.Page)
			return err == nil
		})
		if got.Report.Outcome != c.outcome || !strings.Contains(fmt.Sprint(got.Report.Reasons), c.reason) || !got.Report.HasReason(libra.CodeLimit) {
			t.Errorf("%s: %s, %.300q", path, got.Report.Outcome, got.Report.Reasons)
		}
		if path == "/list" && (len(got.Report.Assets) != 1 || got.Report.Totals.Requests != 1) {
			t.Errorf("%d assets are listed, want the page itself", len(got.Report.Assets))
		}
	}
	bustest.Await(t, "the requests to be closed", func() bool { pages, err := web.OpenPages(t.Context()); return err == nil && len(pages) == 0 })
}
