package inspect_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// sameButTime compares reports, but for times and what depends on them.
var sameButTime = cmp.Options{
	cmpopts.IgnoreFields(libra.Report{}, "Started", "DurationMS"),
	cmpopts.IgnoreFields(libra.Asset{}, "StartMS", "Timings", "HeaderBytes", "Cache"), // the Date header
	cmpopts.IgnoreFields(libra.Report{}, "Totals", "Repeat"),
	cmpopts.SortSlices(func(a, b libra.Asset) bool { return a.URL+a.Reason < b.URL+b.Reason }),
}

// TestDocumentCache inspects every fixture page with and without the cache of
// parsed documents: the reports are the same.
func TestDocumentCache(t *testing.T) {
	base := fixtures(t)
	data, err := os.ReadFile("testdata/site/chromium.json")
	if err != nil {
		t.Fatal(err)
	}
	var pages map[string]any
	if err := json.Unmarshal(data, &pages); err != nil {
		t.Fatal(err)
	}
	cached, uncached := newInspector(t, inspect.Config{}), newInspector(t, inspect.Config{CacheBytes: -1})
	for _, name := range slices.Sorted(maps.Keys(pages)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			want := uncached.Inspect(context.Background(), base+"/"+name, nil)
			for range 3 { // parsed, from the cache, and with the uses from the cache
				got := cached.Inspect(context.Background(), base+"/"+name, nil)
				if diff := cmp.Diff(want, got, sameButTime); diff != "" {
					t.Errorf("reports differ (-uncached +cached):\n%s", diff)
				}
			}
		})
	}
}

// TestDocumentCacheUntilChanged changes the files of a page one by one, and back.
func TestDocumentCacheUntilChanged(t *testing.T) {
	var mu sync.Mutex
	files := map[string]string{ // under mu
		"/":      `<!doctype html><link rel=stylesheet href=/a.css><p class=x><iframe src=/f></iframe>`,
		"/a.css": `@import "b.css"; .x{background:url(a.png)}`,
		"/b.css": `.y{background:url(b.png)}`,
		"/f":     `<body background=f.png>`,
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		w.Header().Set("Content-Type", typeOf(r.URL.Path))
		fmt.Fprint(w, files[r.URL.Path])
	}))
	defer srv.Close()
	i := newInspector(t, inspect.Config{})
	requests := func() string {
		var list []string
		for _, a := range i.Inspect(context.Background(), srv.URL+"/", nil).Assets {
			if a.Fetch == libra.Fetched && a.Type == libra.Image {
				list = append(list, strings.TrimPrefix(a.URL, srv.URL))
			}
		}
		slices.Sort(list)
		return strings.Join(list, " ")
	}
	set := func(path, text string) (before string) {
		mu.Lock()
		defer mu.Unlock()
		before, files[path] = files[path], text
		return before
	}
	const first = "/a.png /f.png"
	if got := requests(); got != first {
		t.Fatalf("got %q, want %q", got, first)
	}
	for _, c := range []struct{ path, text, want string }{
		{"/", `<!doctype html><link rel=stylesheet href=/a.css><p class=y><iframe src=/f></iframe>`, "/b.png /f.png"},
		{"/a.css", `@import "b.css"; .x{background:url(c.png)}`, "/c.png /f.png"},
		{"/b.css", `.x{background:url(b.png)!important}`, "/b.png /f.png"},
		{"/f", `<body background=g.png>`, "/a.png /g.png"},
	} {
		before := set(c.path, c.text)
		for range 2 {
			if got := requests(); got != c.want {
				t.Errorf("with another %s: got %q, want %q", c.path, got, c.want)
			}
		}
		set(c.path, before)
		if got := requests(); got != first {
			t.Errorf("with %s as it was: got %q, want %q", c.path, got, first)
		}
	}
}
