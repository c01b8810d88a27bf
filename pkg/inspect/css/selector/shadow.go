package selector

import "golang.org/x/net/html"

// Declarative shadow trees: the sheets of a tree apply to its elements only, and
// no other sheets do. The root of a tree is an element of its own between the
// host and the tree, which no selector matches and which inherits from the host.
// Of the host's own children only slotted ones are shown.

// initRoot makes e the root of a shadow tree; it is no sibling of the host's
// children.
func (e *Element) initRoot(n *html.Node, host *Element, scope int) {
	e.Node, e.Parent, e.Tag, e.Namespace, e.Scope, e.IsShadowRoot = n, host, "#shadow-root", "html", scope, true
	host.Slots = map[string]bool{}
	slots(n, host.Slots)
}

// slots records the names of the slots below n, those of nested trees left out.
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
