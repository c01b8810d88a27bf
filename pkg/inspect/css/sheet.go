package css

import (
	"strings"

	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/property"
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

// bearing says whether rules, or what they hold, may name an address.
func bearing(rules []*rule) bool {
	for _, r := range rules {
		if r.kind == fontFaceRule || property.MayRequest(r.decls, false) || bearing(r.rules) {
			return true
		}
		for _, d := range r.descs {
			if strings.Contains(d.Value, "(") {
				return true
			}
		}
	}
	return false
}
