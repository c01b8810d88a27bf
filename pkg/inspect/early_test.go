package inspect_test

import (
	"context"
	"fmt"
	"net/http"
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
