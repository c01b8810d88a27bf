package css_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/markup"
)

// TestReasons compares the reasons of every URL with those a person should read.
func TestReasons(t *testing.T) {
	t.Parallel()
	s := stylesheet.Parse([]byte(`
		.hero { background: url(hero.png) }
		.menu { display: none; background: url(menu.png) }
		a:hover { background: url(hover.png) }
		.absent { background: url(absent.png) }
		.both { background: url(lost.png) } b.both { background: url(won.png) }
		.hero::before { background: url(ghost.png) }
		.hero { cursor: image-set("one.png" 1x, "two.png" 2x), auto }
		@media print { .hero { mask: url(print.png) } @font-face { font-family: P; src: url(p.eot), url(p.woff2) } }
		@supports (display: bogus) { .hero { mask: url(bogus.png) } }
		@page { background: url(page.png) }
		@keyframes unused { to { background: url(frame.png) } }
		@font-face { font-family: F; src: local(L), url(f.woff2) format("woff2"), url(f.ttf) }
		@font-face { font-family: G; src: url(g.eot), url(g.svg) format("svg") }
		@font-face { font-family: H; src: url(h.woff2) }
		.hero { font-family: F }`), markup.Base{URL: "https://example.org/s.css"})
	p := newPage(`<!DOCTYPE html><p class=hero style="list-style: url(inline.png)">text</p>
		<div class=menu>x</div><a href=#>x</a><b class=both>x</b>`, s)
	got := map[string]string{}
	for _, u := range p.Uses() {
		got[strings.TrimPrefix(u.URL, "https://example.org/")] = string(u.Fetch) + ": " + u.Reason
	}
	want := map[string]string{
		"hero.png":   "fetched: background of .hero",
		"inline.png": "fetched: list marker of a style attribute",
		"won.png":    "fetched: background of b.both",
		"one.png":    "fetched: cursor of .hero",
		"two.png":    "unused: image-set() has a better choice",
		"f.woff2":    "fetched: font F of shown text, unless the reader has the font L",
		"f.ttf":      "unused: an earlier source of font F is supported",
		"g.eot":      "unused: font format eot is not supported",
		"g.svg":      "unused: font format svg is not supported",
		"h.woff2":    "unused: no shown text uses this face of font H",
		"menu.png":   "conditional: .menu is not displayed",
		"hover.png":  "conditional: only in state :hover of a:hover",
		"absent.png": "unused: no element matches .absent",
		"lost.png":   "unused: overridden by b.both",
		"ghost.png":  "unused: .hero::before generates no content",
		"print.png":  "conditional: only for @media print",
		"p.eot":      "unused: font format eot is not supported",
		"p.woff2":    "conditional: only for @media print",
		"bogus.png":  "conditional: only where @supports (display: bogus) holds",
		"page.png":   "unused: only when printing",
		"frame.png":  "unused: animation unused does not run",
	}
	for _, u := range p.Uses() {
		if want := []string{"https://example.org/f.ttf"}; strings.HasSuffix(u.URL, "f.woff2") && !cmp.Equal(u.Fallback, want) {
			t.Errorf("font falls back to %q, want %q", u.Fallback, want)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want (-) got (+):\n%s", diff)
	}
	p.LocalFont = func(name string) bool { return name == "L" }
	for _, u := range p.Uses() {
		if strings.HasSuffix(u.URL, "f.woff2") && u.Reason != "local font L is installed" {
			t.Errorf("with the local font installed: %+v", u)
		}
	}
}
