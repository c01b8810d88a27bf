package inspect_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// TestRefreshHeader follows a page with a Refresh header: the next document
// replaces it, so it may refuse to be framed.
func TestRefreshHeader(t *testing.T) {
	base := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			w.Header().Set("Refresh", "0; url=/next")
			fmt.Fprint(w, `<img src=a.png>`)
			return
		}
		if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "document" {
			t.Errorf("requested as a %s", dest)
		}
		w.Header().Set("X-Frame-Options", "DENY")
		fmt.Fprint(w, `<img src=b.png>`)
	})
	r := newInspector(t, inspect.Config{}).Inspect(context.Background(), base+"/", nil)
	got := paths(r, libra.Fetched)
	slices.Sort(got)
	if diff := cmp.Diff([]string{"/", "/a.png", "/b.png", "/next"}, got); diff != "" || r.Outcome != libra.Complete {
		t.Errorf("outcome %s %q, requests (-want +got):\n%s", r.Outcome, r.Reasons, diff)
	}
}

// TestRefreshWithoutEnd is a page that refreshes without end.
func TestRefreshWithoutEnd(t *testing.T) {
	base := served(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `<meta http-equiv=refresh content="0;url=%s1">`, r.URL.Path)
	})
	r := newInspector(t, inspect.Config{}).Inspect(context.Background(), base+"/", nil)
	if n := len(r.Assets); r.Outcome != libra.Partial || n != 9 || !strings.Contains(strings.Join(r.Reasons, " "), "limit frame_depth") {
		t.Errorf("got %s %q with %d requests, want partial, the limit's name and 9", r.Outcome, r.Reasons, n)
	}
}

// served serves HTML, and images by name.
func served(t *testing.T, page http.HandlerFunc) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", typeOf(r.URL.Path))
		if !strings.HasSuffix(r.URL.Path, ".png") {
			page(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}
