package css

import (
	"libra/pkg/inspect/css/cascade"
	"libra/pkg/inspect/css/font"
	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/selector"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/css/syntax"
	"libra/pkg/libra"
)

// pass computes the styles of one page and lists its uses.
type pass struct {
	page    *Page
	cascade *cascade.Cascade
	index   *selector.Index
	m       selector.Matcher
	tree    []*selector.Element
	uses    []Use
	seen    map[useKey]bool
	texts   map[font.Style]*font.Text
	order   []*font.Text // texts in document order
	pending []Use        // not fetched where it is named
	stopped bool
	boxed   int   // objects and embeds so far
	boxless []int // of those, the ones without a box
	scope   int   // of the element that is styled
	open    []*styled
}

// styled is an element with its computed style, until its descendants are done.
type styled struct {
	*selector.Element
	parent *styled
	style  *cascade.Style // nil where nothing is rendered
}

type useKey struct {
	url string
	typ libra.ResourceType
}

// newPass puts the sheets of p into a cascade; with sized, rules count that only
// set sizes.
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
		m: selector.Matcher{Quirks: p.Quirks},
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

// walk computes the style of every element and lists the images that it uses.
// Styles depend on ancestors only, so one is dropped when its subtree is done.
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

// boxes lists the objects and embeds that are not displayed, unless their number
// differs from the caller's.
func (p *pass) boxes() {
	if p.boxed != p.page.Boxes || p.stopped {
		return
	}
	for _, n := range p.boxless {
		p.uses = append(p.uses, Use{Box: n})
	}
}

// stop polls Page.Stop.
func (p *pass) stop() bool {
	p.stopped = p.stopped || p.page.Stop != nil && p.page.Stop()
	return p.stopped
}

// enter opens n, and closes the elements before it that do not contain it.
func (p *pass) enter(n *selector.Element) *styled {
	for k := len(p.open) - 1; k >= 0 && p.open[k].Element != n.Parent; k-- {
		p.cascade.Recycle(p.open[k].style)
		p.open = p.open[:k]
	}
	e := &styled{Element: n}
	if len(p.open) > 0 {
		e.parent = p.open[len(p.open)-1]
	}
	p.open = append(p.open, e)
	return e
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
	p.addStruts(e)
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

// starting lists the images of @starting-style, which Chromium loads when it
// first styles an element, whatever the final style is.
func (p *pass) starting(a *cascade.Rule, parent *cascade.Style) {
	for i := range a.Source.Declarations {
		if d := &a.Source.Declarations[i]; d.Value != nil && parent != nil {
			p.valueImages(d.ID, d.Value, "starting style of "+syntax.Brief(a.Source.Prelude), a.Sheet.URL)
		}
	}
}

// images lists what the image properties of s request.
func (p *pass) images(s *cascade.Style, pseudo string) {
	for _, id := range property.Images {
		v := s.Values[id]
		if v == nil || len(v.Images) == 0 || id == property.OffsetPath {
			continue // Chromium does not load offset-path: url()
		}
		if s.Parent != nil && property.Inherited[id] && s.Parent.Values[id] == v && pseudo == "" {
			continue
		}
		p.valueImages(id, v, property.Names[id]+" of "+syntax.Brief(s.From[id].Rule.Source.Prelude), s.From[id].Rule.Sheet.URL)
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
