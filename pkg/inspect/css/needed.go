package css

import (
	"strings"

	"golang.org/x/net/html"

	"libra/pkg/inspect/css/cascade"
	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/selector"
	"libra/pkg/inspect/markup"
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
	if p.page.Boxes == 0 && !p.mayRequest(x, p.page.Doc, running) {
		return nil
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

// mayRequest says whether a rule of x may match an element under n, or an
// attribute of one may cause a request. It reads the document itself, before its
// elements are prepared for matching.
func (p *pass) mayRequest(x *selector.Index, n *html.Node, running bool) bool {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != html.ElementNode {
			continue
		}
		if x.MayMatch(c) || p.attributesMayRequest(c, running) {
			return true
		}
		if c.Data == "template" && c.Namespace == "" && !markup.IsShadowRoot(c) {
			continue
		}
		if p.mayRequest(x, c, running) {
			return true
		}
	}
	return false
}

// attributesMayRequest says whether n's attributes may cause a request.
func (p *pass) attributesMayRequest(n *html.Node, running bool) bool {
	for i := range n.Attr {
		a := &n.Attr[i]
		switch {
		case len(a.Key) == len("style") && strings.EqualFold(a.Key, "style"):
			// An address is the argument of a function, and so is var().
			if (running || hasOtherFunction(a.Val)) && property.MayRequest(parseInline(a.Val, p.page.Base), running) {
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

// hasOtherFunction says whether style calls a function that is not one of the
// common ones that take no address.
func hasOtherFunction(style string) bool {
	if strings.IndexByte(style, '\\') >= 0 {
		return true
	}
	for {
		i := strings.IndexByte(style, '(')
		if i < 0 {
			return false
		}
		from := i
		for from > 0 && (isLetterByte(style[from-1]) || '0' <= style[from-1] && style[from-1] <= '9') {
			from--
		}
		switch style[from:i] {
		case "", "rgb", "rgba", "hsl", "hsla", "calc", "translate", "translateX", "translateY", "scale", "rotate":
		default:
			return true
		}
		style = style[i+1:]
	}
}

func isLetterByte(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
