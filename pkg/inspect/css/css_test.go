package css_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/inspect/css"
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/libra"
)

func TestSheetURLs(t *testing.T) {
	t.Parallel()
	s := stylesheet.Parse([]byte(`.a { background: url(a.png) }
		a:hover { background: url(b.png) }
		@media print { .a { mask: url(c.png) } }
		@page { background: url(d.png) }
		.e { background: image-set("e1.png" 1x, "e2.png" 2x) }
		@font-face { font-family: F; src: url(f.eot), url(f.woff2) format("woff2"), url(f.ttf) }`), "https://example.org/")
	got := map[string]libra.Fetch{}
	for _, u := range css.URLs(s, media.Desktop()) {
		got[u.URL[len("https://example.org/"):]] = u.Fetch
	}
	want := map[string]libra.Fetch{
		"a.png": libra.Fetched, "b.png": libra.Conditional, "c.png": libra.Conditional, "d.png": libra.Unused,
		"e1.png": libra.Fetched, "e2.png": libra.Unused,
		"f.eot": libra.Unused, "f.woff2": libra.Fetched, "f.ttf": libra.Unused,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-) got (+):\n%s", diff)
	}
}
