package css

import (
	"golang.org/x/net/html"

	"libra/pkg/inspect/css/cascade"
	"libra/pkg/inspect/css/font"
	"libra/pkg/inspect/css/layout"
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/selector"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/css/syntax"
	"libra/pkg/libra"
)

// Page is a document with its style sheets.
type Page struct {
	Doc      *html.Node // the document node
	Base     string     // what style attributes resolve against
	Sheets   []Applied  // in cascade order, alternate ones left out
	Viewport media.Viewport
	// Imported holds the sheets that @import loaded, by Import.URL.
	Imported map[string]*stylesheet.Sheet
	// Lazy lists the images and frames that are loaded once they are near the
	// viewport.
	Lazy []*html.Node
	// LocalFont says whether local(name) in @font-face finds a font of that
	// full or PostScript name; nil means none is installed.
	LocalFont func(name string) bool
	// SystemFamily says whether a font family that no @font-face names is
	// installed, in lower case; generic families come as "serif" and so on.
	// nil means those Chromium finds on a Linux machine with DejaVu and
	// Liberation: Arial, Helvetica, Times, Courier and the usual generics.
	SystemFamily func(name string) bool
	// Standards says that the document is in no quirks mode although it has no
	// document type, as a srcdoc is.
	Standards bool
	// Boxes is how many objects and embeds the document has, where the caller
	// wants to know which of them are not displayed.
	Boxes int
	// Stop, if not nil, is asked now and then whether to give up.
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

// Uses lists every URL that the sheets and style attributes name, with what
// a browser that opens the page does about it. Each URL comes once per type;
// what is fetched comes first, in document order. What lazy elements do comes
// last.
func (p *Page) Uses() []Use {
	p.truncated = false
	uses, steps := p.addresses()
	if len(p.Lazy) > 0 {
		uses = append(uses, p.near(steps)...)
	}
	return uses
}

// addresses is Uses without the lazy elements, and the steps that it took.
func (p *Page) addresses() ([]Use, int) {
	if p.Boxes == 0 && p.inert() && !(&pass{page: p}).named(&selector.Index{}, p.Doc, false) {
		return nil, 0
	}
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

// Truncated says whether the last Uses gave up matching selectors because
// the page has too many for its size, or because it was told to stop; what it
// listed is a lower bound.
func (p *Page) Truncated() bool { return p.truncated }

// pass is one look at a page.
type pass struct {
	page    *Page
	cascade *cascade.Cascade
	index   *selector.Index
	m       selector.Matcher
	tree    []*selector.Element
	uses    []Use
	seen    map[useKey]bool
	texts   map[font.Style]*font.Text
	order   []*font.Text // of texts, as met
	pending []Use        // named on the page, not fetched at its place
	stopped bool
	boxed   int   // objects and embeds that were styled
	boxless []int // those without a box
	scope   int   // of the element that is styled
	open    []*styled
	free    []*styled             // to be used again
	cands   [][]cascade.Candidate // likewise
}

// styled is an element with its style, while its descendants are styled.
type styled struct {
	*selector.Element
	parent *styled
	style  *cascade.Style      // nil where nothing is rendered
	own    []cascade.Candidate // the declarations that style is made of
}

type useKey struct {
	url string
	typ libra.ResourceType
}

// newPass reads the sheets of p; sized says that rules count that only set
// sizes.
func newPass(p *Page, sized bool) *pass {
	c := cascade.New(p.Viewport, p.Imported, sized)
	for _, a := range p.Sheets {
		if a.Sheet != nil {
			c.AddAuthor(a.Sheet, a.Media, a.Scope)
		}
	}
	c.RankLayers()
	return &pass{
		page: p, cascade: c, seen: map[useKey]bool{}, texts: map[font.Style]*font.Text{},
		m: selector.Matcher{Quirks: !p.Standards && selector.QuirksMode(p.Doc)},
	}
}

// add lists a URL that is fetched; false when it is listed already.
func (p *pass) add(url string, typ libra.ResourceType, reason, sheet string) bool {
	k := useKey{url, typ}
	if p.seen[k] {
		return false
	}
	p.seen[k] = true
	p.uses = append(p.uses, Use{URL: url, Type: typ, Fetch: libra.Fetched, Reason: reason, Sheet: sheet})
	return true
}

// walk styles every element and notes the images it uses. Only ancestors'
// styles are asked for, so an element's is dropped when its subtree is done.
func (p *pass) walk() {
	for _, n := range p.tree {
		e := p.enter(n)
		if p.stop() {
			return
		}
		p.element(e)
		if p.page.Boxes > 0 && e.Is("object", "embed") {
			if p.boxed++; e.style == nil {
				p.boxless = append(p.boxless, p.boxed)
			}
		}
	}
}

// boxes lists the objects and embeds that are not displayed; none where they
// are not the ones that the caller counted.
func (p *pass) boxes() {
	if p.boxed != p.page.Boxes || p.stopped {
		return
	}
	for _, n := range p.boxless {
		p.uses = append(p.uses, Use{Box: n})
	}
}

// stop asks whether to give up.
func (p *pass) stop() bool {
	p.stopped = p.stopped || p.page.Stop != nil && p.page.Stop()
	return p.stopped
}

// enter opens n, and closes those before it that it is not in.
func (p *pass) enter(n *selector.Element) *styled {
	for k := len(p.open) - 1; k >= 0 && p.open[k].Element != n.Parent; k-- {
		p.recycle(p.open[k])
		p.open = p.open[:k]
	}
	e := &styled{}
	if k := len(p.free) - 1; k >= 0 {
		e, p.free = p.free[k], p.free[:k]
	}
	if e.Element = n; len(p.open) > 0 {
		e.parent = p.open[len(p.open)-1]
	}
	p.open = append(p.open, e)
	return e
}

// recycle takes back e and what its style is made of.
func (p *pass) recycle(e *styled) {
	if e.style != nil {
		p.cascade.Recycle(e.style)
	}
	if e.own != nil {
		clear(e.own)
		p.cands = append(p.cands, e.own[:0])
	}
	*e = styled{}
	p.free = append(p.free, e)
}

// pseudoCands are the declarations for one pseudo-element.
type pseudoCands struct {
	name  string
	cands []cascade.Candidate
	by    []*cascade.Rule
}

func (p *pass) element(e *styled) {
	p.index.SetAncestors(e.Element)
	if p.scope = e.Scope; e.IsShadowRoot {
		p.shadowRoot(e)
		return
	}
	var own []cascade.Candidate
	if k := len(p.cands) - 1; k >= 0 {
		own, p.cands = p.cands[k], p.cands[:k]
	}
	var pseudos []pseudoCands
	parent := e.parentStyle()
	rendered := e.parent == nil || e.shown()
	matched := p.collect(e, parent, &own, &pseudos)
	own = append(own, p.cascade.Hints(e.Element, p.page.Base)...)
	if attr, ok := e.Attr("style"); ok {
		a := &cascade.Rule{Source: &stylesheet.Rule{Prelude: "a style attribute"}, Sheet: p.page.Base, Origin: cascade.Inline, Matched: true}
		decls := parseInline(attr, p.page.Base)
		for i := range decls {
			own = append(own, a.Candidate(&decls[i], 0))
		}
		a.Source.Declarations = decls
		matched = append(matched, a)
	}
	e.own = own
	if rendered {
		s := p.cascade.StyleOf(own, parent)
		if s.Keyword(property.Display, "inline") != "none" {
			e.style = s
		}
	}
	for _, a := range matched {
		a.Matched = true
		a.Shown = a.Shown || e.style != nil
	}
	if e.style == nil {
		p.attributeURLs(matched)
		return
	}
	p.images(e.style, "")
	p.overridden(own, e.style)
	p.animations(e.style)
	p.attributeURLs(matched)
	p.elementText(e)
	p.strut(e)
	for i := range pseudos {
		p.pseudoElement(e, &pseudos[i])
	}
}

// shown says whether e's parent renders what it holds.
func (e *styled) shown() bool {
	s := e.parentStyle()
	return s != nil && s.Keyword(property.ContentVisibility, "visible") != "hidden" && !cascade.SkipsContents(e.parent.Element, e.Element)
}

func (e *styled) parentStyle() *cascade.Style {
	if e.parent == nil {
		return nil
	}
	return e.parent.style
}

// collect gathers the declarations of the rules that match e.
func (p *pass) collect(e *styled, parent *cascade.Style, own *[]cascade.Candidate, pseudos *[]pseudoCands) []*cascade.Rule {
	var matched []*cascade.Rule
	p.index.Find(e.Element, func(list []selector.Entry) {
		for i := range list {
			x := &list[i]
			by := p.cascade.Rules[x.Rule]
			if by.Scope != e.Scope && by.Origin != cascade.UserAgent {
				continue
			}
			if !p.m.Matches(x, e.Element) || !p.inContainers(by, parent) {
				continue
			}
			into := own
			if x.Selector.PseudoElement != "" {
				into = forPseudo(pseudos, x.Selector.PseudoElement, by)
			} else {
				matched = append(matched, by)
			}
			if by.Starting {
				p.starting(by, parent)
				continue
			}
			for i := range by.Source.Declarations {
				*into = append(*into, by.Candidate(&by.Source.Declarations[i], x.Selector.Specificity))
			}
		}
	})
	return matched
}

func forPseudo(pseudos *[]pseudoCands, name string, by *cascade.Rule) *[]cascade.Candidate {
	for i := range *pseudos {
		if q := &(*pseudos)[i]; q.name == name {
			q.by = append(q.by, by)
			return &q.cands
		}
	}
	*pseudos = append(*pseudos, pseudoCands{name: name, by: []*cascade.Rule{by}})
	return &(*pseudos)[len(*pseudos)-1].cands
}

func (p *pass) inContainers(a *cascade.Rule, parent *cascade.Style) bool {
	for _, r := range a.Containers {
		if !parent.Satisfies(r, p.page.Viewport) {
			return false
		}
	}
	return true
}

// starting notes the images of @starting-style, which Chromium loads when it
// first styles an element, whatever the final style is.
func (p *pass) starting(a *cascade.Rule, parent *cascade.Style) {
	for i := range a.Source.Declarations {
		if d := &a.Source.Declarations[i]; d.Value != nil && parent != nil {
			p.valueImages(d.ID, d.Value, "starting style of "+syntax.Brief(a.Source.Prelude), a.Sheet)
		}
	}
}

// images notes what the image properties of s request.
func (p *pass) images(s *cascade.Style, pseudo string) {
	for _, id := range property.Images {
		v := s.Values[id]
		if v == nil || len(v.Images) == 0 || id == property.OffsetPath {
			continue // Chromium does not load offset-path: url()
		}
		if s.Parent != nil && property.Inherited[id] && s.Parent.Values[id] == v && pseudo == "" {
			continue
		}
		p.valueImages(id, v, property.Names[id]+" of "+syntax.Brief(s.From[id].Rule.Source.Prelude), s.From[id].Rule.Sheet)
	}
}

func (p *pass) valueImages(id property.ID, v *property.Value, reason, sheet string) {
	for _, img := range v.Images {
		for _, u := range img.Requested(p.page.Viewport.Ratio()) {
			p.add(u, libra.Image, reason, sheet)
		}
	}
}

// shadowRoot styles the root of a shadow tree.
func (p *pass) shadowRoot(e *styled) {
	if e.shown() {
		e.style = p.cascade.StyleOf(nil, e.parentStyle())
		p.elementText(e)
	}
}

// near says of each lazy element whether it is loaded with the page. Matching
// goes on from the steps that were taken.
func (p *Page) near(steps int) []Use {
	s := newPass(p, true)
	s.m.Steps = steps
	var uses []Use
	for i, n := range layout.Near(layout.Document{Root: p.Doc, Cascade: s.cascade, Matcher: &s.m, Viewport: p.Viewport, Stop: s.stop}, p.Lazy) {
		u := Use{Lazy: i + 1, Fetch: libra.Lazy, Reason: n.Reason}
		if n.Near {
			u.Fetch = libra.Fetched
		}
		uses = append(uses, u)
	}
	p.truncated = p.truncated || s.m.Exhausted() || s.stopped
	return uses
}
