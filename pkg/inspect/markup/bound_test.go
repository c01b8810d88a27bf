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

// Formatting elements left open in a paragraph are opened again in the next: 45
// of them and 45 paragraphs are 2,025 elements to the repairing parser, and more
// if they have attributes. What looks like their end tags changes nothing.
func TestParseBoundsFormatting(t *testing.T) {
	var many strings.Builder
	for i := range 45 {
		fmt.Fprintf(&many, "<b id=%d>", i)
	}
	open, end := "<p>"+many.String(), strings.Repeat("</b>", 45)
	heavy := "<p><b " + strings.Repeat("a/", 30) + "b='>' " + strings.Repeat("c ", 30) + ">"
	for name, start := range map[string]string{
		"left open":                open,
		"many attributes":          heavy,
		"other names closed":       open + strings.Repeat("</i>", 45),
		"names that begin so":      open + strings.Repeat("</b-x>", 45),
		"a quote in a name":        open + "<i x\"y=\"z>" + end + "\"></i>",
		"closed in a comment":      open + "<!--" + end + "-->",
		"closed in a declaration":  open + strings.ReplaceAll(end, "</b>", "<!</b>"),
		"closed in an attribute":   open + "<i title='" + end + "'></i>",
		"closed in a script":       open + "<script>" + end + "</script>",
		"closed in a cell":         open + "<table><tr><td>" + end + "</table>",
		"closed in a list box":     open + "<select>" + end + "</select>",
		"closed in an object":      open + "<object><table></object>" + end + "</table></object>",
		"opened in a foreign text": "<p><svg><title><p>" + many.String() + "</title></svg>",
	} {
		t.Run(name, func(t *testing.T) {
			body := start + strings.Repeat("<p>x", 45) + "<img src=/a>"
			doc := markup.Parse(markup.Input{Body: []byte(body), MediaType: "text/html", URL: "http://a.test/"}, markup.Env{Scripting: true, MaxElements: 160})
			if doc.Cut || doc.Elements > 200 || len(doc.References) != 1 {
				t.Errorf("got %d elements, %d references, cut %v; want at most 200, 1, false", doc.Elements, len(doc.References), doc.Cut)
			}
		})
	}
}

// twoCells is a table whose second cell ends the first, for the HTML parser.
const twoCells = "<table><tr><td><td id=second></table>"

// repaired says that the HTML parser has seen to doc, which has twoCells.
func repaired(doc *markup.Document) bool {
	for n := range doc.Root.Descendants() {
		if n.Data == "td" && len(n.Attr) > 0 && n.Attr[0].Val == "second" {
			return n.Parent.Data == "tr"
		}
	}
	return false
}

// Formatting that is closed, in whatever way, keeps no document from being
// repaired as browsers do.
func TestParseRepairsWithinBounds(t *testing.T) {
	for name, piece := range map[string]string{
		"links":              "<p><a href=/x title='a > b'>x</a></p>",
		"links left open":    "<p><a href=/x>x<a href=/y>y</p>",
		"around a table":     "<font size=1><b><table><tr><td><i>x</i><td>y</table></b></font>",
		"in scripts":         "<script>'<b><i></i>'</script><textarea><b></textarea><!-- <b> -->",
		"in foreign content": "<svg><title>x</title><a href=/x><path/></a></svg><p><b>x</b>",
		"in a list box":      "<b><select><option>x<option>y</select></b>",
		"paragraphs":         "<p>x <b>y</b> <span>z</span></p>",
	} {
		t.Run(name, func(t *testing.T) {
			body := strings.Repeat(piece, 300) + twoCells
			doc := markup.Parse(markup.Input{Body: []byte(body), MediaType: "text/html", URL: "http://a.test/"}, markup.Env{Scripting: true, MaxElements: 6000})
			if doc.Cut || !repaired(doc) {
				t.Errorf("cut %v, repaired %v", doc.Cut, repaired(doc))
			}
		})
	}
}

// html.Parse compares each <body> with all attributes of those before, and each
// formatting element with those that are open: it is not asked.
func TestParseBoundsAttributesCompared(t *testing.T) {
	var attributes strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&attributes, "a%d ", i)
	}
	for name, body := range map[string]string{
		"body":       "<body " + attributes.String() + ">" + strings.Repeat("<body b>", 1000),
		"formatting": strings.Repeat("<b "+attributes.String()+">", 100),
	} {
		t.Run(name, func(t *testing.T) {
			doc := markup.Parse(markup.Input{Body: []byte(body + twoCells), MediaType: "text/html", URL: "http://a.test/"}, markup.Env{Scripting: true, MaxElements: 1_000_000})
			if doc.Cut || repaired(doc) {
				t.Errorf("cut %v, repaired %v; want neither", doc.Cut, repaired(doc))
			}
		})
	}
}

// Texts on both sides of an end tag that closes nothing are one.
func TestFlatTreeJoinsText(t *testing.T) {
	body := strings.Repeat("<div>", 600) + strings.Repeat("x</b>", 1000) + "<img src=/a>"
	doc := markup.Parse(markup.Input{Body: []byte(body), MediaType: "text/html", URL: "http://a.test/"}, markup.Env{})
	texts := 0
	for n := range doc.Root.Descendants() {
		if n.Type == html.TextNode {
			texts++
		}
	}
	if texts != 1 || len(doc.References) != 1 {
		t.Errorf("got %d texts, %d references; want 1 of each", texts, len(doc.References))
	}
}

func TestParseBoundsReferences(t *testing.T) {
	body := "<img src=/a><img src=/b><img src=/c><img src=/a><img src=/d>"
	doc := markup.Parse(markup.Input{Body: []byte(body), MediaType: "text/html", URL: "http://a.test/"}, markup.Env{MaxReferences: 2})
	if len(doc.References) != 2 || doc.Unlisted != 2 {
		t.Errorf("got %d references, %d unlisted; want 2, 2", len(doc.References), doc.Unlisted)
	}
}
