package selector

import (
	"iter"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"libra/pkg/inspect/markup"
)

// Element is an element of the document, prepared for matching.
type Element struct {
	Node                     *html.Node
	Parent                   *Element
	prev, Next, First, last  *Element // element siblings and children
	Tag                      string   // lower case
	ID                       string
	classes                  []string
	Namespace                string          // html, svg or math
	Order                    int             // in the document, from 0
	above                    bloom           // what its ancestors have
	option                   *Element        // the option that a drop-down shows
	counted                  bool            // option is known
	Scope                    int             // the shadow tree it is in, 0 for none
	IsShadowRoot             bool            // it represents the root of that tree
	Slots                    map[string]bool // of its shadow tree, nil without one
	index, fromEnd           int             // among its siblings, from 1; 0 before asked
	typeIndex, typeIndexLast int             // the same among siblings of its type
}

// Elements lists the elements under root in document order.
func Elements(root *html.Node) []*Element {
	var all []*Element
	var slab []Element // allocated in blocks
	scopes := 0
	var add func(n *html.Node, parent *Element, scope int)
	add = func(n *html.Node, parent *Element, scope int) {
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			if c.Type != html.ElementNode {
				continue
			}
			if len(slab) == cap(slab) {
				slab = make([]Element, 0, min(max(len(all), 16), 256))
			}
			slab = slab[:len(slab)+1]
			e := &slab[len(slab)-1]
			e.Order = len(all)
			all = append(all, e)
			if e.Scope = scope; markup.IsShadowRoot(c) {
				scopes++
				e.initRoot(c, parent, scopes)
				add(c, e, scopes)
				continue
			}
			e.init(c, parent)
			if e.Tag == "template" && e.Namespace == "html" {
				continue // its contents are no part of the document
			}
			add(c, e, scope)
		}
	}
	add(root, nil, 0)
	return all
}

func (e *Element) init(n *html.Node, parent *Element) {
	e.Node, e.Parent, e.Tag, e.Namespace = n, parent, strings.ToLower(n.Data), n.Namespace
	if e.Namespace == "" {
		e.Namespace = "html"
	}
	for _, a := range n.Attr {
		switch a.Key {
		case "id":
			e.ID = a.Val
		case "class":
			e.classes = strings.Fields(a.Val)
		}
	}
	if parent != nil {
		if e.prev = parent.last; e.prev != nil {
			e.prev.Next = e
		} else {
			parent.First = e
		}
		parent.last = e
	}
}

// Attr gives an attribute's value.
func (e *Element) Attr(name string) (string, bool) {
	for _, a := range e.Node.Attr {
		if a.Key == name || strings.EqualFold(a.Key, name) {
			return a.Val, true
		}
	}
	return "", false
}

// Has says whether e has an attribute.
func (e *Element) Has(name string) bool {
	_, ok := e.Attr(name)
	return ok
}

// Is says whether e is an HTML element of one of these types.
func (e *Element) Is(tags ...string) bool {
	return e.Namespace == "html" && slices.Contains(tags, e.Tag)
}

// Descendants are the elements below e in document order.
func (e *Element) Descendants() iter.Seq[*Element] {
	return func(yield func(*Element) bool) { e.visit(yield) }
}

func (e *Element) visit(yield func(*Element) bool) bool {
	for c := e.First; c != nil; c = c.Next {
		if !yield(c) || !c.visit(yield) {
			return false
		}
	}
	return true
}

// closest is the nearest element around e of type tag, nil without one.
func (e *Element) closest(tag string) *Element {
	for p := e.Parent; p != nil; p = p.Parent {
		if p.Is(tag) {
			return p
		}
	}
	return nil
}

// InputType is the type of an input element, "" for other elements.
func (e *Element) InputType() string {
	if !e.Is("input") {
		return ""
	}
	t, _ := e.Attr("type")
	if t = strings.ToLower(t); t == "" {
		return "text"
	}
	return t
}

// number counts e's place among its siblings, all of them at once.
func (e *Element) number() {
	if e.index != 0 {
		return
	}
	head := e
	for head.prev != nil {
		head = head.prev
	}
	types := map[string]int{}
	n := 0
	var tail *Element
	for s := head; s != nil; s = s.Next {
		n++
		types[s.Tag]++
		s.index, s.typeIndex = n, types[s.Tag]
		tail = s
	}
	clear(types)
	n = 0
	for s := tail; s != nil; s = s.prev {
		n++
		types[s.Tag]++
		s.fromEnd, s.typeIndexLast = n, types[s.Tag]
	}
}
