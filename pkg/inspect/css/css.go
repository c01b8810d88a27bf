// Package css reads style sheets the way Chromium does, to say which URLs a
// page makes it fetch, and why. It does no input or output: the caller reads
// sheets, follows the imports that [Sheet.Imports] names, and asks [Page.Uses]
// with the document and all its sheets.
//
// A sheet is text in UTF-8: the caller undoes the transport's charset, the
// byte order mark and @charset, in the order that CSS Syntax Level 3 section
// 3.2 gives. URLs come out absolute, percent-encoded and without fragment, by
// the rules of markup.Resolve; data: URIs and addresses that are not http or
// https are no request and are left out; a data: URI that is imported is not.
//
// Parsing never fails and takes time linear in the text; what a browser drops
// is dropped. Where this package departs from Chromium, it is because sizes
// and glyphs are unknown before layout: a query container is taken to be as
// large as the viewport, text that is clipped or off-screen counts as shown,
// and a web font counts as having every character of its unicode-range.
//
// testdata holds what Chromium 156 requests for each fixture; go test -update
// asks the Chromium at hand again.
package css

import (
	"strings"

	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/syntax"
	"libra/pkg/libra"
)

// Sheet is a style sheet that was read. It is immutable and may be shared.
type Sheet struct {
	base       string
	imports    []importRule
	rules      []*rule
	namespaces map[string]string
	truncated  bool
	bears      bool // it names an address
}

// importRule is one @import as written.
type importRule struct {
	url, media, layer, supports string
	layered, hasSupports, late  bool
}

// Parse reads text. base is the sheet's URL after redirects, or for an inline
// sheet the document's base URL.
func Parse(text []byte, base string) *Sheet {
	s := &Sheet{base: base}
	p := parser{Tokenizer: syntax.Tokenizer{Source: strings.TrimPrefix(string(text), "\ufeff")}, sheet: s}
	p.stylesheet()
	s.bears = bearing(s.rules)
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

	layered bool
}

// Imports lists the sheet's imports in order. Chromium fetches an import
// whatever its media are, but not when its supports() fails, nor when another
// rule stands before it.
func (s *Sheet) Imports(v media.Viewport) []Import {
	var list []Import
	for _, r := range s.imports {
		i := Import{URL: r.url, Media: r.media, Layer: r.layer, layered: r.layered, Fetch: libra.Fetched, Reason: "imported style sheet"}
		switch {
		case r.late:
			i.Fetch, i.Reason = libra.Unused, "@import after another rule"
		case r.hasSupports && !matchSupports(r.supports):
			i.Fetch, i.Reason = libra.Unused, "@import with supports() that does not hold"
		case !media.Match(r.media, v):
			i.Reason = "imported style sheet for " + r.media + ", fetched although it does not apply"
		}
		list = append(list, i)
	}
	return list
}

// Use is one URL that a sheet or style attribute names.
type Use struct {
	// Lazy is not 0 where the rest is about an element instead of a URL: the
	// one at this place, from 1, of Page.Lazy. Fetch and Reason say whether it
	// is loaded with the page.
	Lazy   int
	URL    string
	Type   libra.ResourceType
	Fetch  libra.Fetch
	Reason string // for a person: "background of .hero", "only for @media print"
	Sheet  string // URL of the sheet or document that names it
	// Fallback lists the sources of a fetched font that a browser asks for,
	// in order, when the request for URL fails.
	Fallback []string
	// Box says that this is no URL, but that the object or embed of this number,
	// counted from 1, is not displayed; see Page.Boxes.
	Box int
}
