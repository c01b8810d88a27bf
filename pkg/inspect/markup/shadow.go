package markup

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// shadowMode reports whether n is a <template> that names a mode of a shadow root.
// What such a one holds is requested even where it becomes no shadow root:
// Chromium's preload scanner takes all of them for one.
func shadowMode(n *html.Node) bool {
	if n.DataAtom != atom.Template || n.Namespace != "" {
		return false
	}
	mode, ok := lookup(n, "shadowrootmode")
	return ok && (strings.EqualFold(mode, "open") || strings.EqualFold(mode, "closed"))
}

// IsShadowRoot reports whether n is a <template> whose contents are the shadow
// tree of its parent: the first that names a mode, in an element that may have
// one.
func IsShadowRoot(n *html.Node) bool {
	if !shadowMode(n) || n.Parent == nil || !shadowHost(n.Parent) {
		return false
	}
	for s := n.PrevSibling; s != nil; s = s.PrevSibling {
		if shadowMode(s) {
			return false
		}
	}
	return true
}

// shadowHost: https://dom.spec.whatwg.org/#valid-shadow-host-name
func shadowHost(n *html.Node) bool {
	if n.Type != html.ElementNode || n.Namespace != "" {
		return false
	}
	switch n.DataAtom {
	case atom.Article, atom.Aside, atom.Blockquote, atom.Body, atom.Div, atom.Footer, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6,
		atom.Header, atom.Main, atom.Nav, atom.P, atom.Section, atom.Span:
		return true
	}
	return n.DataAtom == 0 && strings.Contains(n.Data, "-") // a custom element
}

// template visits a <template>, which is inert but for a shadow tree.
func (w *walker) template(n *html.Node) {
	if !shadowMode(n) {
		w.doc.Keeps = w.doc.Keeps || w.env.Scripting && loads(n)
		return
	}
	outside := w.scope
	defer func() { w.scope = outside }()
	switch {
	case w.scope == lostScope:
	case IsShadowRoot(n):
		w.shadows++
		w.scope = w.shadows
	default:
		w.scope = lostScope
	}
	w.children(n)
}

// lostScope is the scope of style sheets that apply to nothing.
const lostScope = -1

// loads says whether an element that loads something is below n.
func loads(n *html.Node) bool {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && loadingTag(d.Data) {
			return true
		}
	}
	return false
}
