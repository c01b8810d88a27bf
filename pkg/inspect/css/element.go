package css

import (
	"strings"

	"golang.org/x/net/html"

	"libra/pkg/inspect/markup"
)

// element is an element of the document, laid out for matching.
type element struct {
	node                     *html.Node
	parent                   *element
	prev, next, first, last  *element // element siblings and children
	tag                      string   // lower case
	id                       string
	classes                  []string
	ns                       string          // html, svg or math
	order                    int             // in the document, from 0
	above                    bloom           // what its ancestors have
	option                   *element        // of a drop-down: what it shows
	counted                  bool            // option is known
	scope                    int             // the shadow tree it is in, 0 for none
	root                     bool            // it stands for the root of that
	slots                    map[string]bool // of its shadow tree, nil without one
	index, fromEnd           int             // among its siblings, from 1; 0 before asked
	typeIndex, typeIndexLast int             // the same among siblings of its type
}

// newTree lists the elements under root in document order.
func newTree(root *html.Node) []*element {
	var all []*element
	var slab []element // made many at a time
	scopes := 0
	var add func(n *html.Node, parent *element, scope int)
	add = func(n *html.Node, parent *element, scope int) {
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			if c.Type != html.ElementNode {
				continue
			}
			if len(slab) == cap(slab) {
				slab = make([]element, 0, min(max(len(all), 16), 256))
			}
			slab = slab[:len(slab)+1]
			e := &slab[len(slab)-1]
			e.order = len(all)
			all = append(all, e)
			if e.scope = scope; markup.IsShadowRoot(c) {
				scopes++
				e.initRoot(c, parent, scopes)
				add(c, e, scopes)
				continue
			}
			e.init(c, parent)
			if e.tag == "template" && e.ns == "html" {
				continue // its contents are no part of the document
			}
			add(c, e, scope)
		}
	}
	add(root, nil, 0)
	return all
}

func (e *element) init(n *html.Node, parent *element) {
	e.node, e.parent, e.tag, e.ns = n, parent, strings.ToLower(n.Data), n.Namespace
	if e.ns == "" {
		e.ns = "html"
	}
	for _, a := range n.Attr {
		switch a.Key {
		case "id":
			e.id = a.Val
		case "class":
			e.classes = strings.Fields(a.Val)
		}
	}
	if parent != nil {
		if e.prev = parent.last; e.prev != nil {
			e.prev.next = e
		} else {
			parent.first = e
		}
		parent.last = e
	}
}

// attr gives an attribute's value.
func (e *element) attr(name string) (string, bool) {
	for _, a := range e.node.Attr {
		if a.Key == name || strings.EqualFold(a.Key, name) {
			return a.Val, true
		}
	}
	return "", false
}

func (e *element) has(name string) bool {
	_, ok := e.attr(name)
	return ok
}

// is says whether e is an HTML element of one of these types.
func (e *element) is(tags ...string) bool {
	if e.ns != "html" {
		return false
	}
	for _, t := range tags {
		if e.tag == t {
			return true
		}
	}
	return false
}

// inputType is the type of an input element, "" for other elements.
func (e *element) inputType() string {
	if !e.is("input") {
		return ""
	}
	t, _ := e.attr("type")
	if t = strings.ToLower(t); t == "" {
		return "text"
	}
	return t
}

// number counts e's place among its siblings, all of them at once.
func (e *element) number() {
	if e.index != 0 {
		return
	}
	head := e
	for head.prev != nil {
		head = head.prev
	}
	types := map[string]int{}
	n := 0
	var tail *element
	for s := head; s != nil; s = s.next {
		n++
		types[s.tag]++
		s.index, s.typeIndex = n, types[s.tag]
		tail = s
	}
	clear(types)
	n = 0
	for s := tail; s != nil; s = s.prev {
		n++
		types[s.tag]++
		s.fromEnd, s.typeIndexLast = n, types[s.tag]
	}
}

// quirky says whether the document is in quirks mode, in which classes and
// ids are compared without case.
func quirky(root *html.Node) bool {
	for c := root.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != html.DoctypeNode {
			continue
		}
		for _, a := range c.Attr {
			public := strings.ToLower(a.Val)
			if a.Key == "public" && (strings.HasPrefix(public, "-//w3c//dtd html 3") || strings.HasPrefix(public, "-//ietf//") ||
				strings.HasPrefix(public, "-//w3c//dtd html 4.0 ") || strings.HasPrefix(public, "-//netscape")) {
				return true
			}
		}
		return false
	}
	return root.Type == html.DocumentNode
}
