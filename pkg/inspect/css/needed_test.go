package css_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/html"

	"libra/pkg/inspect/css"
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/stylesheet"
)

// TestNeeded compares a page with styles for the elements that need one with the
// same page with styles for all: an unused font makes every element need one, and
// changes nothing else.
func TestNeeded(t *testing.T) {
	const face = `@font-face{font-family:unheard-of;src:url(never.woff2)}`
	for _, f := range loadFixtures(t) {
		t.Run(f.name, func(t *testing.T) {
			doc, err := html.Parse(strings.NewReader(f.files["page.html"]))
			if err != nil {
				t.Fatal(err)
			}
			page := css.Page{Doc: doc, Base: "http://x.test/" + f.name + "/page.html", Viewport: media.Desktop(), Imported: map[string]*stylesheet.Sheet{}}
			for name, text := range f.files {
				if strings.HasSuffix(name, ".css") && !strings.Contains(text, "@font-face") {
					url := "http://x.test/" + f.name + "/" + name
					page.Imported[url] = stylesheet.Parse([]byte(text), url)
				}
			}
			for n := range doc.Descendants() {
				if n.Data == "style" && n.FirstChild != nil {
					page.Sheets = append(page.Sheets, css.Applied{Sheet: stylesheet.Parse([]byte(strings.ReplaceAll(n.FirstChild.Data, "@font-face", "@unknown")), page.Base)})
				}
			}
			for _, name := range slices.Sorted(maps.Keys(page.Imported)) {
				page.Sheets = append(page.Sheets, css.Applied{Sheet: page.Imported[name]})
			}
			got := page.Uses()
			page.Sheets = append(page.Sheets, css.Applied{Sheet: stylesheet.Parse([]byte(face), page.Base)})
			var want []css.Use
			for _, u := range page.Uses() {
				if !strings.HasSuffix(u.URL, "never.woff2") {
					want = append(want, u)
				}
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("styles of what needs one differ from all (-all +needed):\n%s", diff)
			}
		})
	}
}
