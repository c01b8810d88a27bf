package css_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/inspect/css"
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/libra"
)

func TestImports(t *testing.T) {
	t.Parallel()
	s := stylesheet.Parse([]byte(`@charset "utf-8"; @layer one;
		@import url(a.css); @import "b.css" print; @import "c.css" layer(x) supports(display: bogus);
		@import "d.css" supports(display: grid) screen; @import "#x"; p {} @import "e.css";`), "https://example.org/css/main.css?v=1")
	var got []string
	for _, i := range s.Imports(media.Desktop()) {
		got = append(got, string(i.Fetch)+" "+i.URL+" "+i.Media+" "+i.Layer)
	}
	want := []string{
		"fetched https://example.org/css/a.css  ",
		"fetched https://example.org/css/b.css print ",
		"unused https://example.org/css/c.css  x",
		"fetched https://example.org/css/d.css screen ",
		"unused https://example.org/css/e.css  ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("imports, want (-) got (+):\n%s", diff)
	}
}

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
