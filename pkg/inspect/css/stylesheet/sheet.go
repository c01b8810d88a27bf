// Package stylesheet parses style sheets into rules, and says which of them the
// at-rules around them let apply.
//
// A sheet is text in UTF-8: the caller undoes the transport's charset, the
// byte order mark and @charset, in the order that CSS Syntax Level 3 section
// 3.2 gives. Addresses come out absolute, percent-encoded and without fragment,
// by the rules of markup.Resolve. Parsing never fails and takes time linear in
// the text; what a browser drops is dropped, and what exceeds the bounds of
// rules and selectors is left out ([Sheet.Truncated]).
package stylesheet

import (
	"strings"

	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/syntax"
	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
)

// Sheet is a style sheet that was read. It is immutable and may be shared.
type Sheet struct {
	Base       markup.Base // what its addresses resolve against
	Rules      []*Rule
	imports    []importRule
	namespaces map[string]string
	truncated  bool
}

// importRule is one @import as written.
type importRule struct {
	url, media, layer, supports string
	layered, hasSupports, late  bool
}

// Parse reads text. base is the sheet's URL after redirects, or for an inline
// sheet the document's base URL.
func Parse(text []byte, base markup.Base) *Sheet {
	s := &Sheet{Base: base}
	p := parser{Tokenizer: syntax.Tokenizer{Source: strings.TrimPrefix(string(text), "\ufeff")}, sheet: s}
	p.stylesheet()
	return s
}

// Truncated says whether the sheet had more rules or selectors than are read.
func (s *Sheet) Truncated() bool { return s.truncated }

// Import is one @import that names a URL.
type Import struct {
	URL    string // a data: URI is as it was written
	Media  string // the media query list, "" for all
	Layer  string // "" when it has none, or is anonymous
	Fetch  libra.Fetch
	Reason string
	// Layered says that it is imported into a layer, which may be anonymous.
	Layered bool
}

// Imports lists the sheet's imports in order. Chromium fetches an import
// whatever its media are, but not when its supports() fails, nor when another
// rule stands before it.
func (s *Sheet) Imports(v media.Viewport) []Import {
	var list []Import
	for _, r := range s.imports {
		i := Import{URL: r.url, Media: r.media, Layer: r.layer, Layered: r.layered, Fetch: libra.Fetched, Reason: "imported style sheet"}
		switch {
		case r.late:
			i.Fetch, i.Reason = libra.Unused, "@import after another rule"
		case r.hasSupports && !SupportsDeclaration(r.supports):
			i.Fetch, i.Reason = libra.Unused, "@import with supports() that does not hold"
		case !media.Match(r.media, v):
			i.Reason = "imported style sheet for " + r.media + ", fetched although it does not apply"
		}
		list = append(list, i)
	}
	return list
}
