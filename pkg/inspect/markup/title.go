package markup

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"

	"libra/pkg/libra"
)

// pageTitle takes the first title of the document as document.title has it. Those of
// shadow trees are no titles of the document.
// https://html.spec.whatwg.org/multipage/dom.html#document.title
func (w *walker) pageTitle(n *html.Node) {
	if w.titled || w.scope != 0 {
		return
	}
	w.titled = true
	w.doc.Title = collapse(textOf(n), libra.MaxTitle)
}

// collapse joins the words of s by single spaces, up to limit bytes: what is longer
// ends in "…". White space is ASCII's, as in HTML.
func collapse(s string, limit int) string {
	const more = "…"
	var b strings.Builder
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return strings.ContainsRune(space, r) }) {
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		if b.Len()+len(word) <= limit {
			b.WriteString(word)
			continue
		}
		text := b.String() + word[:max(limit-b.Len(), 0)]
		end := limit - len(more)
		for end > 0 && !utf8.RuneStart(text[end]) {
			end--
		}
		return strings.ToValidUTF8(text[:end], "\uFFFD") + more
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}
