package css

import (
	"golang.org/x/net/html"

	"libra/pkg/inspect/css/cascade"
	"libra/pkg/inspect/css/layout"
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/selector"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
)

// Page is a document with its style sheets.
type Page struct {
	Doc      *html.Node  // the document node
	Base     markup.Base // what style attributes resolve against
	Sheets   []Applied   // in cascade order, alternate ones left out
	Viewport media.Viewport
	// Imported holds the sheets that @import loaded, by Import.URL.
	Imported map[string]*stylesheet.Sheet
	// Lazy lists the images and frames that are loaded once they are near the
	// viewport.
	Lazy []*html.Node
	// LocalFont says whether local(name) in @font-face finds a font of that
	// full or PostScript name; nil means none is installed.
	LocalFont func(name string) bool
	// Quirks says that the document is in quirks mode, in which classes and ids are
	// compared without case.
	Quirks bool
	// Boxes is the number of objects and embeds of the document, if the caller
	// needs to know which of them are not displayed.
	Boxes int
	// Stop, if not nil, is polled; Uses returns early once it is true.
	Stop func() bool

	truncated bool
}

// Applied is a sheet that the document links or holds.
type Applied struct {
	Sheet *stylesheet.Sheet
	Media string // the media attribute, "" for all
	// Scope is the shadow tree that the sheet is for, counted from 1 in document
	// order; 0 is the document outside of them.
	Scope int
}

// Uses lists every URL that the sheets and style attributes name, and whether a
// browser that opens the page requests it. Each URL is listed once per type: those
// that are fetched first, in document order, lazy elements last.
func (p *Page) Uses() []Use {
	p.truncated = false
	uses, steps := p.addresses()
	if len(p.Lazy) > 0 {
		uses = append(uses, p.near(steps)...)
	}
	return uses
}

// addresses is Uses without the lazy elements; steps are those of matching.
func (p *Page) addresses() ([]Use, int) {
	s := newPass(p, false)
	if len(s.cascade.Faces) > 0 {
		s.tree = selector.Elements(p.Doc)
	} else {
		s.tree = s.needed()
	}
	if len(s.tree) > 0 {
		s.cascade.AddUserAgent(cascade.UserAgentSheet())
		s.index = s.cascade.NewIndex(s.m.Quirks)
	}
	s.walk()
	s.boxes()
	s.fonts()
	s.label()
	p.truncated = s.m.Exhausted() || s.stopped
	return s.uses, s.m.Steps
}

// Truncated says whether the last Uses stopped matching selectors early, because
// the page needs too many steps or Stop returned true; its list is a lower bound.
func (p *Page) Truncated() bool { return p.truncated }

// near says of each lazy element whether it is loaded with the page. Matching
// has the steps left that it has not taken yet.
func (p *Page) near(steps int) []Use {
	s := newPass(p, true)
	s.m.Steps = steps
	var uses []Use
	for i, n := range layout.Near(layout.Document{Root: p.Doc, Cascade: s.cascade, Matcher: &s.m, Viewport: p.Viewport, Stop: s.stop}, p.Lazy) {
		u := Use{Lazy: i + 1, Width: n.Width, Fetch: libra.Lazy, Reason: n.Reason}
		if n.Near {
			u.Fetch = libra.Fetched
		}
		uses = append(uses, u)
	}
	p.truncated = p.truncated || s.m.Exhausted() || s.stopped
	return uses
}
