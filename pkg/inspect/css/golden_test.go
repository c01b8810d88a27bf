package css_test

import (
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"libra/pkg/inspect/css"
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/libra"
)

const site = "http://page.test/"

// computeWeight opens a fixture with this package and returns what it would make a
// browser request, and the page.
func computeWeight(t testing.TB, f fixture) ([]string, []css.Use) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(f.files["page.html"]))
	if err != nil {
		t.Fatalf("parse %s: %v", f.name, err)
	}
	base := site + f.name + "/"
	p := css.Page{Doc: doc, Base: base + "page.html", Viewport: media.Desktop(), Imported: map[string]*stylesheet.Sheet{}}
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
			p.Imported[i.URL] = stylesheet.Parse([]byte(f.files[path.Base(i.URL)]), i.URL)
			load(p.Imported[i.URL])
		}
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		attr := map[string]string{}
		for _, a := range n.Attr {
			attr[a.Key] = a.Val
		}
		var s *stylesheet.Sheet
		switch {
		case n.Data == "style" && n.FirstChild != nil:
			s = stylesheet.Parse([]byte(n.FirstChild.Data), p.Base)
		case n.Data == "link" && attr["rel"] == "stylesheet":
			request(base + attr["href"])
			s = stylesheet.Parse([]byte(f.files[attr["href"]]), base+attr["href"])
		case n.Data == "img" && attr["src"] != "":
			request(base + attr["src"])
		}
		if s != nil {
			load(s)
			p.Sheets = append(p.Sheets, css.Applied{Sheet: s, Media: attr["media"]})
		}
	}
	uses := p.Uses()
	for _, u := range uses {
		if u.Fetch == libra.Fetched {
			request(u.URL)
		}
	}
	slices.Sort(got)
	return slices.Compact(got), uses
}

// TestGolden compares with what Chromium requested.
func TestGolden(t *testing.T) {
	t.Parallel()
	for _, f := range loadFixtures(t) {
		t.Run(f.name, func(t *testing.T) {
			got, uses := computeWeight(t, f)
			if diff := cmp.Diff(f.want, got); diff != "" {
				t.Errorf("Chromium (-), here (+):\n%s", diff)
			}
			for _, u := range uses {
				if u.Reason == "" || u.Sheet == "" {
					t.Errorf("%s has no reason or sheet: %+v", u.URL, u)
				}
			}
		})
	}
}

// newPage is a document with one style sheet.
func newPage(tb testing.TB, text string, s *stylesheet.Sheet) css.Page {
	tb.Helper()
	doc, err := html.Parse(strings.NewReader(text))
	if err != nil {
		tb.Fatal(err)
	}
	return css.Page{Doc: doc, Base: "https://example.org/", Viewport: media.Desktop(), Sheets: []css.Applied{{Sheet: s}}}
}
