package markup_test

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"libra/pkg/inspect/markup"
)

func TestParseBoundsElements(t *testing.T) {
	var attributes strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&attributes, "a%d ", i)
	}
	for name, c := range map[string]struct {
		body, mediaType string
		cut             bool
		references      int
	}{
		"below":              {strings.Repeat("<img src=/a>", 100), "text/html", false, 100},
		"above":              {strings.Repeat("<img src=/a>", 101), "text/html", true, 100},
		"in a script":        {"<script>" + strings.Repeat("'<p>'", 200) + "</script><img src=/a>", "text/html", false, 1},
		"comments":           {strings.Repeat("<!-->", 101) + "<img src=/a>", "text/html", true, 0},
		"end tags that open": {"<body>" + strings.Repeat("</p>", 101) + "<img src=/a>", "text/html", true, 0},
		"attributes":         {"<p " + attributes.String() + "><img src=/a>", "text/html", true, 0},
		"an attribute again": {"<p " + strings.Repeat("a ", 50_000) + "><img src=/a>", "text/html", true, 0}, // html.Parse keeps each
		"a quoted value":     {"<p title='" + strings.Repeat("a ", 50_000) + "'><img src=/a>", "text/html", false, 1},
		"XML":                {"<x>" + strings.Repeat("<y></y>", 400) + "</x>", "application/xml", true, 0},
	} {
		t.Run(name, func(t *testing.T) {
			doc := markup.Parse(markup.Input{Body: []byte(c.body), MediaType: c.mediaType, URL: "http://a.test/"}, markup.Env{Scripting: true, MaxElements: 100})
			if doc.Cut != c.cut || len(doc.References) != c.references {
				t.Errorf("got %d references, cut %v; want %d, %v", len(doc.References), doc.Cut, c.references, c.cut)
			}
		})
	}
}

// Formatting elements left open in a paragraph are opened again in the next:
// 45 of them and 45 paragraphs are 2,025 elements to the repairing parser.
func TestParseBoundsFormatting(t *testing.T) {
	var b strings.Builder
	b.WriteString("<p>")
	for i := range 45 {
		b.WriteString("<b id=" + strings.Repeat("x", i+1) + ">")
	}
	b.WriteString(strings.Repeat("<p>x", 45) + "<img src=/a>")
	doc := markup.Parse(markup.Input{Body: []byte(b.String()), MediaType: "text/html", URL: "http://a.test/"}, markup.Env{MaxElements: 100})
	n := 0
	for d := range doc.Root.Descendants() {
		if d.Type == html.ElementNode {
			n++
		}
	}
	if doc.Cut || n > 200 || len(doc.References) != 1 {
		t.Errorf("got %d elements, %d references, cut %v; want at most 200, 1, false", n, len(doc.References), doc.Cut)
	}
}

func TestParseBoundsReferences(t *testing.T) {
	body := "<img src=/a><img src=/b><img src=/c><img src=/a><img src=/d>"
	doc := markup.Parse(markup.Input{Body: []byte(body), MediaType: "text/html", URL: "http://a.test/"}, markup.Env{MaxReferences: 2})
	if len(doc.References) != 2 || doc.Unlisted != 2 {
		t.Errorf("got %d references, %d unlisted; want 2, 2", len(doc.References), doc.Unlisted)
	}
}
