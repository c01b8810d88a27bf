// Package css says which URLs the style sheets of a page make Chromium fetch,
// and why. It does no input or output: the caller reads sheets with package
// stylesheet, follows the imports that they name, and asks [Page.Uses] with the
// document and all its sheets.
//
// data: URIs and addresses that are not http or https are no request and are
// left out; a data: URI that is imported is not.
//
// The packages below do the work: see docs/architecture.md for their layers. Where
// they depart from Chromium, it is because sizes and glyphs are unknown before
// layout: a query container counts as being as large as the viewport, text that is
// clipped or off-screen as shown, and a web font as having every character of its
// unicode-range.
//
// testdata holds what Chromium 156 requests for each fixture; go test -update
// measures the installed Chromium again.
package css

import "libra/pkg/libra"

// Use is one URL that a sheet or style attribute names.
type Use struct {
	// Lazy, if not 0, says that this is about an element instead of a URL: the
	// one at this place, from 1, of Page.Lazy. Fetch and Reason say whether it
	// is loaded with the page, Width is that of its content box in CSS pixels, 0 if
	// unknown.
	Lazy   int
	Width  float64
	URL    string
	Type   libra.ResourceType
	Fetch  libra.Fetch
	Reason string // for a person: "background of .hero", "only for @media print"
	Sheet  string // URL of the sheet or document that names it
	// Fallback lists the sources of a fetched font that a browser asks for,
	// in order, when the request for URL fails.
	Fallback []string
	// Box, if not 0, says that this is no URL: the object or embed of this number,
	// from 1, is not displayed; see Page.Boxes.
	Box int
}
