package layout_test

import (
	"strings"
	"testing"

	"libra/pkg/inspect/css"
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
)

// near returns which lazy images of a page are loaded with it, as a letter for
// each: n for near, f for far.
func near(body, sheet string) string {
	root := markup.Tree(markup.Input{Body: []byte("<!doctype html>" + body)}, markup.Env{Scripting: true})
	page := css.Page{
		Doc: root, Base: markup.Base{URL: "http://a/"}, Viewport: media.Desktop(), Lazy: markup.LazyElements(root),
		Sheets: []css.Applied{{Sheet: stylesheet.Parse([]byte(sheet), markup.Base{URL: "http://a/s.css"})}},
	}
	var b strings.Builder
	for _, u := range page.Uses() {
		switch {
		case u.Lazy == 0:
		case u.Fetch == libra.Fetched:
			b.WriteByte('n')
		default:
			b.WriteByte('f')
		}
	}
	return b.String()
}

// TestNear covers layout features that the fixture pages, which are compared with
// Chromium, lack.
func TestNear(t *testing.T) {
	const img = `<img loading=lazy width=100 height=100>`
	for _, c := range []struct {
		name, sheet, body, want string
	}{
		{"a height by var()", `:root{--h:3000px} div{height:var(--h)}`, `<div></div>` + img, "f"},
		{"a height by calc()", `div{height:calc(100vh + 2 * 15em)}`, `<div></div>` + img + `<div></div>` + img, "nf"},
		{"the stronger rule", `#a{height:10px} div{height:5000px}`, `<div id=a></div>` + img, "n"},
		{"a style attribute beats rules", `div{height:5000px}`, `<div style="height:9px"></div>` + img, "n"},
		{"importance beats a style attribute", `div{height:5000px!important}`, `<div style="height:9px"></div>` + img, "f"},
		{"@media that does not match", `@media (max-width:600px){div{height:5000px}}`, `<div></div>` + img, "n"},
		{"declarations after a nested rule", `div{width:9px;& p{height:9px}height:5000px}`, `<div><p>x</p></div>` + img, "f"},
		{"per cent of a height", `section{height:6000px} div{height:50%}`, `<section><div></div>` + img + `</section>`, "f"},
		{"per cent of no height", `div{height:900%}`, `<section><div></div>` + img + `</section>`, "n"},
		{"min-height", `div{min-height:3000px}`, `<div>x</div>` + img, "f"},
		{"max-height", `div{height:9000px;max-height:90px}`, `<div>x</div>` + img, "n"},
		{"margins collapse", `div{margin:1500px 0}`, `<div></div><div></div><div></div>` + img, "n"},
		{"margins add up in a column", `body{display:flex;flex-direction:column} div{margin:600px 0}`, `<div></div><div></div>` + img, "f"},
		{"a gap", `body{display:grid;gap:1100px}`, `<p>a</p><p>b</p>` + img, "f"},
		{"long text", ``, `<p>` + strings.Repeat("many words ", 4000) + `</p>` + img, "f"},
		{"not displayed, by a sheet", `p{display:none}`, `<p>` + img + `</p>`, "f"},
		{"a span of columns", `body{display:grid;grid-template-columns:1fr 1fr} .w{grid-column:1/-1} div{height:1100px}`, `<div class=w></div><div class=w></div>` + img, "f"},
		{"side by side", `body{display:grid;grid-template-columns:1fr 1fr} div{height:1100px}`, `<div></div><div></div>` + img, "n"},
		{"clear", `i{float:left;height:3000px;width:9px} p{clear:both}`, `<i></i>` + img + `<p>` + img + `</p>`, "nf"},
		{"far to the left", `p{position:absolute;left:-9999px}`, `<p>` + img + `</p>`, "f"},
		{"at the bottom of the window", `p{position:fixed;bottom:0} div{height:9000px}`, `<div></div><p>` + img + `</p>`, "n"},
	} {
		if got := near(c.body, c.sheet); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// FuzzNear checks that no document and no sheet make layout fail.
func FuzzNear(f *testing.F) {
	f.Add("<div><p>a", "div{display:grid;grid-template-columns:minmax(1px,1fr) repeat(auto-fill,[a] 2em);grid-column:1/-1;gap:calc(1px + 2%)}")
	f.Add("<table width=50% cellspacing=3><tr><td colspan=3 width=20>a<td align=left>b", "table{border:1px solid;border-spacing:1px 2px} td{font:1em/2 x}")
	f.Add("<div><i>a</i><p>b</div>", "div{display:flex;flex-flow:row wrap;flex:1 2 3px;columns:2 3em} i{float:left;aspect-ratio:1/2} p{position:relative;inset:1px}")
	f.Add("<svg viewBox='0 0 1 1'></svg><pre>a\nb</pre><object data=x></object>", "pre{white-space:pre-wrap;line-height:calc(1px*2)} *{position:absolute;top:var(--x,1px)}")
	f.Fuzz(func(t *testing.T, body, sheet string) {
		near(body+"<img loading=lazy>", sheet)
	})
}

// TestNearIsBounded lays out pages that could take very long: the test's timeout
// fails it then.
func TestNearIsBounded(t *testing.T) {
	const img = `<img loading=lazy width=9 height=9>`
	for name, c := range map[string][2]string{
		"deep":          {strings.Repeat("<div>", 500) + img, ""},
		"deep and wide": {strings.Repeat("<div>", 500) + strings.Repeat("<p>a</p>", 20000) + img, ""},
		"floats":        {strings.Repeat(`<i>a</i>`, 20000) + img, "i{float:left;width:1px;height:1e9px}"},
		"text beside floats": {
			strings.Repeat(`<i></i>`, 300) + strings.Repeat("word ", 1<<20) + img, "i{float:left;width:9px;height:1e9px} body{width:10px}",
		},
		"tracks":   {`<div>` + strings.Repeat("<p>a", 20000) + img, "div{display:grid;grid-template-columns:" + strings.Repeat("repeat(99999,1px)", 5000) + "}"},
		"colspans": {`<table><tr>` + strings.Repeat("<td colspan=1000>a", 20000) + img, ""},
		"calc":     {`<div>` + img, "div{width:" + strings.Repeat("calc(", 5000) + "1px}"},
		"names":    {`<div><p>a` + img, "div{display:grid;grid-template-columns:minmax([a],1fr) minmax(1px,[b])}"},
		"no size":  {`<div>` + img, "div{width:calc(1px/0);height:1e999px}"},
	} {
		if got := near(c[0], c[1]); len(got) != 1 {
			t.Errorf("%s: got %q, want one answer", name, got)
		}
	}
}
