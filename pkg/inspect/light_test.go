package inspect_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// A light inspection calls an error what a whole one does, for the same reasons, and
// requests nothing but the page.
func TestLight(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{} // under mu
	url := served(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.Path]++
		n := asked[r.URL.Path]
		mu.Unlock()
		switch r.URL.Path {
		case "/gone.html":
			w.WriteHeader(http.StatusGone)
			fmt.Fprint(w, `<img src=/pixel.png>`)
		case "/garbage.html":
			w.Header().Set("Content-Encoding", "gzip")
			fmt.Fprint(w, "this is no gzip at all")
		case "/loop.html":
			http.Redirect(w, r, "/loop.html", http.StatusFound)
		case "/later.html": // a whole inspection asks again, too
			if n%2 == 1 {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusServiceUnavailable)
			}
		case "/good.html", "/moved.html":
			if r.URL.Path == "/moved.html" {
				http.Redirect(w, r, "/good.html", http.StatusFound)
				return
			}
			fmt.Fprint(w, `<link rel=stylesheet href=/style.css><img src=/pixel.png><p>`+strings.Repeat("hello ", 5000))
		}
	})
	i := newInspector(t, inspect.Config{})
	for _, c := range []struct {
		page    string
		outcome libra.Outcome
		asked   int // requests of the light inspection
	}{
		{"/good.html", libra.Complete, 1},
		{"/moved.html", libra.Complete, 2},
		{"/gone.html", libra.Error, 1},
		{"/garbage.html", libra.Error, 1},
		{"/loop.html", libra.Error, 21},
		{"/later.html", libra.Complete, 2},
	} {
		t.Run(c.page, func(t *testing.T) {
			count := func() (n int) {
				mu.Lock()
				defer mu.Unlock()
				for _, of := range asked {
					n += of
				}
				return n
			}
			before := count()
			light := i.InspectPage(t.Context(), inspect.Page{URL: url + c.page, Light: true}, nil)
			if n := count() - before; n != c.asked {
				t.Errorf("%d requests, want %d", n, c.asked)
			}
			whole := i.InspectPage(t.Context(), inspect.Page{URL: url + c.page}, nil)
			if light.Outcome != c.outcome || whole.Outcome != c.outcome {
				t.Errorf("the light outcome is %s, the whole %s, want %s", light.Outcome, whole.Outcome, c.outcome)
			}
			if c.outcome != libra.Error {
				return
			}
			if diff := cmp.Diff(whole.ReasonList, light.ReasonList); diff != "" || light.Status != whole.Status {
				t.Errorf("status %d, the whole has %d; reasons (-whole +light):\n%s", light.Status, whole.Status, diff)
			}
		})
	}
}

// A page without a connection is an error of a light inspection, too.
func TestLightWithoutServer(t *testing.T) {
	closed := httptest.NewServer(nil)
	closed.Close()
	r := newInspector(t, inspect.Config{}).InspectPage(t.Context(), inspect.Page{URL: closed.URL, Light: true}, nil)
	if r.Outcome != libra.Error || !r.HasReason(libra.CodeConnectionRefused) {
		t.Errorf("got %s: %+v", r.Outcome, r.ReasonList)
	}
}
