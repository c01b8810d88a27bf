package inspect_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"libra/pkg/inspect"
	"libra/pkg/libra"
)

// TestLazyFollowsTheStyleSheet inspects one page three times, parsed once and
// styled by two sheets.
func TestLazyFollowsTheStyleSheet(t *testing.T) {
	var height atomic.Int64
	url := served(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			fmt.Fprint(w, `<!doctype html><link rel=stylesheet href=s.css><div></div><img loading=lazy src=i.png width=10 height=10>`)
		case "/s.css":
			fmt.Fprintf(w, "div{height:%dpx}", height.Load())
		}
	})
	i := newInspector(t, inspect.Config{})
	for _, c := range []struct {
		height int64
		want   string
	}{
		{100, "fetched image, lazy and near the viewport"},
		{9000, "lazy image, lazy and about 9008 px down the page"},
	} {
		height.Store(c.height)
		r := i.Inspect(context.Background(), url, nil)
		var got string
		for _, a := range r.Assets {
			if strings.HasSuffix(a.URL, "/i.png") {
				got = fmt.Sprint(a.Fetch, " ", a.Reason)
			}
		}
		if got != c.want {
			t.Errorf("below a box of %d px: got %q, want %q", c.height, got, c.want)
		}
	}
}

// TestLazyInShadowTrees lays out the children of a host in its slots.
func TestLazyInShadowTrees(t *testing.T) {
	url := site(t, map[string]string{"/": `<!doctype html><div><template shadowrootmode=open><style>.b{height:4000px}</style>
		<img loading=lazy src=top.png width=9 height=9><slot name=a></slot><div class=b></div><slot></slot></template>
		<img loading=lazy src=below.png width=9 height=9><img slot=a loading=lazy src=above.png width=9 height=9><img slot=none loading=lazy src=none.png></div>`})
	r := newInspector(t, inspect.Config{}).Inspect(context.Background(), url, nil)
	wantPaths(t, r, libra.Fetched, "/", "/top.png", "/above.png")
	wantPaths(t, r, libra.Lazy, "/below.png", "/none.png")
}
