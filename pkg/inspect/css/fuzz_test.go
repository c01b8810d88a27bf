package css_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/inspect/css"
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
)

// FuzzParse checks that any bytes are a sheet, that parsing it twice gives the
// same, and that every URL that comes out is absolute and without fragment.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "a{background:url(a.png)}", "@import url(b.css) layer(x) supports(display:grid) print;",
		`a{b:url("x`, "a{b:url(x y)}", "@media(min-width:1px){a{&:hover{c:url(d)}}}", "\\", "a\\{b", "@font-face{src:url(x)format('woff2')}",
		"a{--x:{y:{z}}}", "}}}]])", "/*", "<!-- a{} -->", "a{color:red!important", ":is(:not(a,b):nth-child(2n + 1 of .c)){d:e}",
		"@keyframes x{from{background:image-set('a' 1x,'b' 2x)}}", "@scope (.a) to (.b){:scope>c{d:url(e)}}", "u\\72l(", "@layer a.b,c;",
		"*|*{background:var(--a,var(--b,url(c)))}", "a{b:1e999px -.5e+3% #\\31 }",
	} {
		f.Add(s)
	}
	for _, c := range loadFixtures(f) {
		f.Add(c.files["page.html"])
	}
	f.Fuzz(func(t *testing.T, text string) {
		s := stylesheet.Parse([]byte(text), markup.Base{URL: "https://example.org/a/b.css"})
		p := newPage("<p class=a id=b style='x:y'><b>x</b></p>", s)
		p.Viewport = media.Mobile()
		uses := p.Uses()
		p.Sheets[0].Sheet = stylesheet.Parse([]byte(text), markup.Base{URL: "https://example.org/a/b.css"})
		if diff := cmp.Diff(uses, p.Uses()); diff != "" {
			t.Fatalf("second reading differs:\n%s", diff)
		}
		for _, i := range s.Imports(media.Mobile()) {
			if _, _, ok := markup.DataURI(i.URL); !ok {
				uses = append(uses, css.Use{URL: i.URL})
			}
		}
		for _, u := range uses {
			if !strings.HasPrefix(u.URL, "http") || strings.Contains(u.URL, "#") {
				t.Errorf("URL %q is not absolute, or has a fragment", u.URL)
			}
		}
	})
}

// FuzzMatch checks that no selector and no document make matching fail.
func FuzzMatch(f *testing.F) {
	f.Add("a:has(> b ~ c d) + e", "<a><b></b><c><d></d></c></a><e>")
	f.Add(".a .a .a .a .a > .b", strings.Repeat("<div class=a>", 40))
	f.Add("p:nth-last-child(-n+3 of .x):not(:empty)::before", "<p class=x>1<p><p class=x>2")
	f.Fuzz(func(t *testing.T, selector, text string) {
		p := newPage(text, stylesheet.Parse([]byte(selector+"{background:url(x.png)}"), markup.Base{URL: "https://example.org/"}))
		p.Uses()
	})
}

// TestHostile parses sheets made to be slow, deep or endless: parsing ends, and a
// sheet that exceeds a bound is truncated and says so.
func TestHostile(t *testing.T) {
	t.Parallel()
	const n = 100_000
	for name, text := range map[string]string{
		"braces":      strings.Repeat("{", n),
		"closing":     strings.Repeat("}", n),
		"parens":      "a{b:" + strings.Repeat("(", n),
		"functions":   "a{background:" + strings.Repeat("image-set(", n),
		"nesting":     strings.Repeat("a{", n),
		"ampersands":  strings.Repeat("&,&{", 5000),
		"declaration": strings.Repeat("a:b{", n),
		"media":       strings.Repeat("@media all{", n),
		"comments":    strings.Repeat("/**/", n),
		"unclosed":    strings.Repeat("/*", n),
		"urls":        "a{background:" + strings.Repeat("url(", n),
		"quotes":      strings.Repeat("'\n", n),
		"escapes":     strings.Repeat(`\`, n),
		"is":          strings.Repeat(":is(", n),
		"rules":       strings.Repeat("a{b:c}", 300_000),
		"laughs":      laughs(),
	} {
		s := stylesheet.Parse([]byte(text), markup.Base{URL: "https://example.org/"})
		if want := name == "rules"; s.Truncated() != want {
			t.Errorf("%s: truncated is %v", name, !want)
		}
		p := newPage(strings.Repeat("<div class=a><p>x", 200), s)
		for _, u := range p.Uses() {
			if u.Fetch == libra.Fetched {
				t.Errorf("%s requests %s", name, u.URL)
			}
		}
	}
}

// laughs doubles a custom property sixty times.
func laughs() string {
	var b strings.Builder
	b.WriteString(":root{--a0:url(x.png)")
	for i := range 60 {
		n, m := string(rune('A'+i)), string(rune('A'+i-1))
		if i == 0 {
			m = "a0"
		}
		b.WriteString(";--" + n + ":var(--" + m + "),var(--" + m + ")")
	}
	return b.String() + "}p{background-image:var(--Z)}"
}

// TestMatchingIsBounded: matching stops early on a page with more expensive
// selectors than any real one, and the page says so.
func TestMatchingIsBounded(t *testing.T) {
	t.Parallel()
	s := stylesheet.Parse([]byte(strings.Repeat("body:has(i) p:has(~ .b), .a:nth-child(1 of p){background:url(x.png)}", 12)), markup.Base{URL: "https://example.org/"})
	p := newPage(strings.Repeat("<p class=a>x</p>", 6000), s)
	if p.Uses(); !p.Truncated() {
		t.Error("Truncated is false, want true")
	}
}
