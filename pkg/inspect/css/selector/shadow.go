package selector

import "golang.org/x/net/html"

// Shadow trees that the markup declares: their sheets are for their elements
// only, and no other sheets are. Between an element and the root of its tree
// stands an element for that root, which no selector matches: what it inherits
// it hands down. Of the host's own children those are shown that a slot takes.
// :host and ::slotted() are not known to the selectors of this package.

// initRoot makes e the root of a shadow tree, which is no sibling of what the
// host holds.
func (e *Element) initRoot(n *html.Node, host *Element, scope int) {
	e.Node, e.Parent, e.Tag, e.Namespace, e.Scope, e.IsShadowRoot = n, host, "#shadow-root", "html", scope, true
	host.Slots = map[string]bool{}
	slots(n, host.Slots)
}

// slots notes the names of the slots below n, other trees than its own left
// aside.
func slots(n *html.Node, names map[string]bool) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		switch {
		case c.Type != html.ElementNode || c.Data == "template" && c.Namespace == "":
			continue
		case c.Data == "slot" && c.Namespace == "":
			name := ""
			for _, a := range c.Attr {
				if a.Key == "name" {
					name = a.Val
				}
			}
			names[name] = true
		}
		slots(c, names)
	}
}

// up is the parent of e as selectors see it: none at the top of a tree.
func (e *Element) up() *Element {
	if e.Parent != nil && e.Parent.IsShadowRoot {
		return nil
	}
	return e.Parent
}
