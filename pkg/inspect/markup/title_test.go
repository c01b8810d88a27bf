package markup_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
)

// The title is document.title, bounded in bytes.
func TestTitle(t *testing.T) {
	for _, c := range []struct{ mediaType, body, want string }{
		{"text/html", "<title> Two\n\t words &amp; more </title><title>second</title>", "Two words & more"},
		{"text/html", "<p>none", ""},
		{"text/html", "<title></title><title>second</title>", ""},
		{"text/html", "<p>late<title>in the body</title>", "in the body"},
		{"text/html", "<svg><title>of a picture</title></svg><title>of the page</title>", "of the page"},
		{"text/html", "<template><title>inert</title></template><title>live</title>", "live"},
		{"text/html", "<div><template shadowrootmode=open><title>shadow</title></template></div><title>light</title>", "light"},
		{"text/html", "<iframe srcdoc='<title>framed</title>'></iframe><title>outer</title>", "outer"},
		{"text/html", "<title>a\u00a0b</title>", "a\u00a0b"}, // no-break space is no white space of HTML
		{"text/html", "<title>\x00<script>alert(1)</script>\x1b[31m</title>", "\uFFFD<script>alert(1)</script>\x1b[31m"},
		{"image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'><g><title>of a group</title></g><title>of the drawing</title></svg>", "of the drawing"},
	} {
		doc := markup.Parse(markup.Input{Body: []byte(c.body), MediaType: c.mediaType, Charset: "utf-8", URL: "http://a.test/"}, desktop)
		if doc.Title != c.want {
			t.Errorf("%s: got %q, want %q", c.body, doc.Title, c.want)
		}
	}
	for _, word := range []string{strings.Repeat("a", 1<<20), strings.Repeat("é", 1<<20), strings.Repeat("四 ", 1<<20), strings.Repeat("x", libra.MaxTitle) + " y"} {
		title := markup.Parse(markup.Input{Body: []byte("<title>" + word + "</title>"), MediaType: "text/html", Charset: "utf-8", URL: "http://a.test/"}, desktop).Title
		if len(title) > libra.MaxTitle || len(title) < libra.MaxTitle-4 || !strings.HasSuffix(title, "…") || !utf8.ValidString(title) {
			t.Errorf("a title of %d bytes: %d bytes, %q", len(word), len(title), title)
		}
	}
	if whole := strings.Repeat("b", libra.MaxTitle); markup.Parse(markup.Input{Body: []byte("<title>" + whole + "</title>"), URL: "http://a.test/"}, desktop).Title != whole {
		t.Errorf("a title of %d bytes is cut", len(whole))
	}
}
