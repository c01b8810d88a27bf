package stylesheet_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/markup"
)

func TestImports(t *testing.T) {
	t.Parallel()
	s := stylesheet.Parse([]byte(`@charset "utf-8"; @layer one;
		@import url(a.css); @import "b.css" print; @import "c.css" layer(x) supports(display: bogus);
		@import "d.css" supports(display: grid) screen; @import "#x"; p {} @import "e.css";`), markup.Base{URL: "https://example.org/css/main.css?v=1"})
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
