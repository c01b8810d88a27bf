package inspect_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// TestLinkHeader compares with the requests of Chromium 156 for a page with these
// headers, with scripting on and off.
func TestLinkHeader(t *testing.T) {
	base := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/p/" {
			return
		}
		for _, entry := range []string{
			`<image.png>; rel=preload; as=image, </module.js>; rel=modulepreload, <font.ttf>; rel="prefetch"; title="a, \"b\"; c"`,
			`</x>;rel=compression-dictionary,, </script.js> ; REL = PRELOAD ; As=Script; rel=canonical`,
			`<set.png?1>; rel=preload; as=image; imagesrcset="set.png?2 1x, set.png?3 2x"`,
			`<sized.png?1>; rel=preload; as=image; imagesrcset="sized.png?2 300w, sized.png?3 2000w"; imagesizes="100vw"`,
			`<comma.png?a,b >;rel=preload;as=image;crossorigin`,
			// Not requested:
			`<sheet.css>; rel=stylesheet, <icon.png>; rel=icon, <not.png?as>; rel=preload, <not.png?quotes>; rel=preload; as='image'`,
			`<not.js?media>; rel=modulepreload; media="(max-width:1px)", <not.png?type>; rel=preload; as=image; type="image/foo"`,
			`<not.png?anchor>; rel=preload; as=image; anchor="/x", bad <not.png?bad>; rel=preload; as=image, <>; rel=preload; as=image`,
		} {
			w.Header().Add("Link", entry)
		}
		fmt.Fprint(w, `<!doctype html><base href=/other/><p>x`)
	})
	want := []string{
		"/p/", "/p/image.png", "/module.js", "/p/font.ttf", "/x", "/script.js", "/p/set.png?2", "/p/sized.png?3", "/p/comma.png?a,b",
	}
	for _, off := range []bool{false, true} {
		r := newInspector(t, inspect.Config{ScriptingOff: off}).Inspect(context.Background(), base+"/p/", nil)
		if diff := cmp.Diff(want, paths(r, libra.Fetched), cmpopts.SortSlices(func(a, b string) bool { return a < b })); diff != "" {
			t.Errorf("scripting off %v (-want +got) %q\n%s", off, r.Reasons, diff)
		}
	}
}

// TestAttachment: a document that is downloaded is not shown.
func TestAttachment(t *testing.T) {
	base := served(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			fmt.Fprint(w, `<iframe src=/shown></iframe><iframe src=/saved></iframe>`)
			return
		}
		w.Header().Set("Content-Disposition", map[string]string{"/shown": "inline", "/saved": `Attachment; filename="x.html"`}[r.URL.Path])
		fmt.Fprintf(w, `<img src=%s.png>`, r.URL.Path)
	})
	r := newInspector(t, inspect.Config{}).Inspect(context.Background(), base+"/", nil)
	wantPaths(t, r, libra.Fetched, "/", "/shown", "/saved", "/shown.png")
}

// TestRefreshHeader follows a page with a Refresh header: the next document
// replaces it, so it may refuse to be framed.
func TestRefreshHeader(t *testing.T) {
	base := served(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Refresh", "0; url=/next")
			fmt.Fprint(w, `<img src=a.png>`)
		case "/next":
			if dest := r.Header.Get("Sec-Fetch-Dest"); dest != "document" {
				t.Errorf("requested as a %s", dest)
			}
			w.Header().Set("X-Frame-Options", "DENY")
			fmt.Fprint(w, `<img src=b.png>`)
		}
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
