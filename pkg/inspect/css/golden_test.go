package css_test

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"libra/pkg/inspect/css"
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
)

const site = "http://page.test/"

// openFixture reads a fixture as a page, and returns what a browser requests to do so.
func openFixture(t testing.TB, f fixture) (css.Page, []string) {
	t.Helper()
	base := site + f.name + "/"
	doc := parseHTML(f.files["page.html"], base+"page.html")
	p := css.Page{Doc: doc.Root, Quirks: doc.Quirks, Base: markup.Base{URL: doc.Base, Encoding: doc.Encoding}, Viewport: media.Desktop(), Imported: map[string]*stylesheet.Sheet{}}
	p.LocalFont = func(name string) bool { return name == "DejaVu Sans" || name == "Liberation Sans" }
	got := []string{}
	request := func(url string) {
		got = append(got, strings.TrimPrefix(url, base))
	}
	var load func(s *stylesheet.Sheet)
	load = func(s *stylesheet.Sheet) {
		for _, i := range s.Imports(p.Viewport) {
			if i.Fetch != libra.Fetched || p.Imported[i.URL] != nil {
				continue
			}
			request(i.URL)
			p.Imported[i.URL] = stylesheet.Parse([]byte(f.files[path.Base(i.URL)]), markup.Base{URL: i.URL})
			load(p.Imported[i.URL])
		}
	}
	for _, r := range doc.References {
		if r.Fetch == libra.Fetched {
			request(r.URL)
		}
	}
	for _, from := range doc.Sheets {
		text, url := from.Text, from.Base
		if from.URL != "" {
			text, url = f.files[path.Base(from.URL)], from.URL
		}
		s := stylesheet.Parse([]byte(text), markup.Base{URL: url})
		load(s)
		p.Sheets = append(p.Sheets, css.Applied{Sheet: s, Media: from.Media, Scope: from.Scope})
	}
	return p, got
}

// TestGolden compares with what Chromium requested.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, f := range loadFixtures(t) {
		t.Run(f.name, func(t *testing.T) {
			p, got := openFixture(t, f)
			for _, u := range p.Uses() {
				if u.Fetch == libra.Fetched {
					got = append(got, strings.TrimPrefix(u.URL, site+f.name+"/"))
				}
				if u.Reason == "" || u.Sheet == "" {
					t.Errorf("%s has no reason or sheet: %+v", u.URL, u)
				}
			}
			slices.Sort(got)
			if diff := cmp.Diff(f.want, slices.Compact(got)); diff != "" {
				t.Errorf("Chromium (-), here (+):\n%s", diff)
			}
		})
	}
}

// TestNeeded compares a page with styles for the elements that need one with the
// same page with styles for all: an unused font makes every element need one, and
// changes nothing else.
func TestNeeded(t *testing.T) {
	face := stylesheet.Parse([]byte(`@font-face{font-family:unheard-of;src:url(never.woff2)}`), markup.Base{URL: site})
	for _, f := range loadFixtures(t) {
		t.Run(f.name, func(t *testing.T) {
			for name, text := range f.files {
				f.files[name] = strings.ReplaceAll(text, "@font-face", "@unknown")
			}
			p, _ := openFixture(t, f)
			got := p.Uses()
			p.Sheets = append(p.Sheets, css.Applied{Sheet: face})
			want := slices.DeleteFunc(p.Uses(), func(u css.Use) bool { return u.URL == site+"never.woff2" })
			if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("styles of what needs one differ from all (-all +needed):\n%s", diff)
			}
		})
	}
}

// parseHTML reads an HTML document as Chromium's desktop window does.
func parseHTML(text, url string) *markup.Document {
	env := markup.Env{Width: 1280, Height: 800, DPR: 1, Scripting: true}
	return markup.Parse(markup.Input{Body: []byte(text), MediaType: "text/html", Charset: "utf-8", URL: url}, env)
}

// newPage is a document with one style sheet.
func newPage(text string, s *stylesheet.Sheet) css.Page {
	doc := parseHTML(text, "https://example.org/")
	return css.Page{Doc: doc.Root, Quirks: doc.Quirks, Base: markup.Base{URL: doc.Base, Encoding: doc.Encoding}, Viewport: media.Desktop(), Sheets: []css.Applied{{Sheet: s}}}
}
