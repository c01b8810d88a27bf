package css

import (
	"strings"

	"golang.org/x/net/html"

	"libra/pkg/inspect/css/cascade"
	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/selector"
)

// Most elements of a page cause no requests. While no @font-face is in force,
// text does not matter: a style is needed only for elements that a rule, a style
// attribute or a presentational hint with an address applies to, and for their
// ancestors, from which they inherit and which may hide them.

// needed gives the elements that need a style, in document order.
func (p *pass) needed() []*selector.Element {
	running := p.cascade.Animates()
	x := selector.NewIndex(p.m.Quirks)
	for i, a := range p.cascade.Rules {
		if property.MayRequest(a.Source.Declarations, running) {
			x.Add(a.Source.Selectors, i)
		}
	}
	all := selector.Elements(p.page.Doc)
	needed := make([]bool, len(all))
	for _, e := range all {
		if p.stop() {
			return nil
		}
		x.SetAncestors(e)
		box := p.page.Boxes > 0 && e.Is("object", "embed")
		if !box && !p.matchesAny(x, e) && !p.attributesMayRequest(e.Node, running) {
			continue
		}
		for ; e != nil && !needed[e.Order]; e = e.Parent {
			needed[e.Order] = true
		}
	}
	list := all[:0]
	for _, e := range all {
		if needed[e.Order] {
			list = append(list, e)
		}
	}
	return list
}

// attributesMayRequest says whether n's attributes may cause a request.
func (p *pass) attributesMayRequest(n *html.Node, running bool) bool {
	for i := range n.Attr {
		a := &n.Attr[i]
		switch {
		case len(a.Key) == len("style") && strings.EqualFold(a.Key, "style"):
			// An address is the argument of a function, and so is var().
			if (running || strings.Contains(a.Val, "(")) && property.MayRequest(parseInline(a.Val, p.page.Base), running) {
				return true
			}
		case len(a.Key) == len("background") && strings.EqualFold(a.Key, "background"):
			return true
		case n.Namespace == "svg" && strings.Contains(a.Val, "(") && cascade.HintProperties[strings.ToLower(a.Key)]:
			return true
		}
	}
	return false
}

// matchesAny says whether a rule of x matches e.
func (p *pass) matchesAny(x *selector.Index, e *selector.Element) bool {
	found := false
	x.Find(e, func(list []selector.Entry) {
		for i := 0; i < len(list) && !found; i++ {
			found = p.m.Matches(&list[i], e)
		}
	})
	return found
}
