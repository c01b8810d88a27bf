package inspector_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// A request whose scheme was guessed is inspected over http where https does not
// answer, in the inspector and alone; once https has answered it is no guess.
func TestGuessedScheme(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Type", "text/html") }))
	defer site.Close()
	b := bustest.Start(t)
	web := b.Connect("web")
	defer run(t, b.Connect("inspector"), b, "1")()
	url := strings.Replace(site.URL, "http://", "https://", 1) + "/"
	inspect := func(id string, alone bool) event.Reported {
		t.Helper()
		r := request(url)
		r.ID, r.SchemeGuessed, r.Release = id, true, alone
		if err := web.Submit(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		var got event.Reported
		bustest.Await(t, "the report of "+id, func() bool {
			for _, of := range []func() (event.Reported, error){
				func() (event.Reported, error) { return web.LastReport(t.Context(), r.Page) },
				func() (event.Reported, error) { return web.LastFailure(t.Context(), r.Page) },
			} {
				if last, err := of(); err == nil && last.Request.ID == id {
					got = last
					return true
				}
			}
			return false
		})
		bustest.Await(t, "the request to be closed", func() bool { pages, err := web.OpenPages(t.Context()); return err == nil && len(pages) == 0 })
		return got
	}
	for id, alone := range map[string]bool{"here": false, "alone": true} {
		got := inspect(id, alone)
		if r := got.Report; r.Outcome != libra.Complete || r.URL != url || r.FinalURL != site.URL+"/" || !r.HasReason(libra.CodeHTTPOnly) {
			t.Errorf("%s: %s, URL %s, final %s, %q", id, r.Outcome, r.URL, r.FinalURL, r.Reasons)
		}
	}

	answered := inspect("before", false)
	answered.Request.ID, answered.Report.FinalURL = "https", url
	if err := b.Connect("inspector").PublishReport(t.Context(), answered); err != nil {
		t.Fatal(err)
	}
	if got := inspect("after", false); got.Report.Outcome != libra.Error || !got.Report.HasReason(libra.CodeNotTLS) {
		t.Errorf("once https has answered: %s, %q", got.Report.Outcome, got.Report.Reasons)
	}
}
