package markup

import (
	"fmt"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"libra/pkg/libra"
)

// lazyDistance is how far below the viewport Chromium starts to load lazy
// images and frames on a fast connection, in CSS pixels.
const lazyDistance = 1250

// estimate guesses how far down the page an element stands, for lazy loading
// only. Layout is unknown, so it adds up what the markup says: the height
// attributes and inline heights of elements before it, and a line of 20 pixels
// for each 160 characters of text in a block.
type estimate struct {
	env    Env
	y      float64
	chars  int
	hidden int // elements with display:none or hidden around the node
}

// line is the guessed height of a line of text in pixels, lineChars how many
// characters of 8 pixels fill it.
const line = 20

func (e *estimate) lineChars() int { return max(int(e.env.Width/8), 1) }

func (e *estimate) text(n *html.Node) {
	if e.hidden == 0 {
		e.chars += len(strings.TrimSpace(n.Data))
	}
}

// flush ends a line of text.
func (e *estimate) flush() {
	if e.chars > 0 {
		e.y += float64((e.chars+e.lineChars()-1)/e.lineChars()) * line
		e.chars = 0
	}
}

func (e *estimate) enter(n *html.Node) {
	if hiddenElement(n) {
		e.hidden++
	}
	if e.hidden == 0 && isBlock(n.DataAtom) {
		e.flush()
		e.y += e.inlineHeight(n, "margin-top")
	}
}

func (e *estimate) leave(n *html.Node) {
	if hiddenElement(n) {
		e.hidden--
		return
	}
	if e.hidden > 0 {
		return
	}
	switch n.DataAtom {
	case atom.Img, atom.Video, atom.Iframe, atom.Canvas, atom.Object, atom.Embed:
		if h := dimension(attr(n, "height"), 0, e.env.Height); h > 0 {
			e.y += h
			return
		}
	case atom.Br:
		e.chars = max(e.chars, 1)
		e.flush()
		return
	}
	if isBlock(n.DataAtom) {
		e.flush()
	}
	e.y += e.inlineHeight(n, "height") + e.inlineHeight(n, "margin-bottom")
}

// inlineHeight reads a length from the style attribute.
func (e *estimate) inlineHeight(n *html.Node, property string) float64 {
	style := attr(n, "style")
	if style == "" {
		return 0
	}
	for d := range strings.SplitSeq(style, ";") {
		name, value, _ := strings.Cut(d, ":")
		if strings.EqualFold(strings.TrimSpace(name), property) {
			if v, ok := e.env.length(value); ok && v > 0 {
				return v
			}
		}
	}
	return 0
}

// lazy says whether a lazy image or frame is requested while the page loads.
func (e *estimate) lazy(n *html.Node) (libra.Fetch, string) {
	if e.hidden > 0 {
		return libra.Lazy, "image, lazy and not displayed"
	}
	if y := e.y; y > e.env.Height+lazyDistance {
		return libra.Lazy, fmt.Sprintf("image, lazy and about %.0f px down the page", y)
	}
	return libra.Fetched, "image, lazy and near the viewport"
}

// hiddenElement sees only what the markup itself hides.
func hiddenElement(n *html.Node) bool {
	if has(n, "hidden") {
		return true
	}
	style := strings.ToLower(strings.ReplaceAll(attr(n, "style"), " ", ""))
	return strings.Contains(style, "display:none") ||
		closedDetails(n) ||
		n.DataAtom == atom.Dialog && !has(n, "open") || n.DataAtom == atom.Head || n.DataAtom == atom.Script || n.DataAtom == atom.Style
}

// closedDetails tells whether n is hidden in a closed <details>.
func closedDetails(n *html.Node) bool {
	p := n.Parent
	return p != nil && p.DataAtom == atom.Details && !has(p, "open") && n.DataAtom != atom.Summary
}

func isBlock(a atom.Atom) bool {
	switch a {
	case atom.P, atom.Div, atom.Li, atom.Tr, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Section, atom.Article,
		atom.Header, atom.Footer, atom.Main, atom.Nav, atom.Aside, atom.Pre, atom.Blockquote, atom.Dt, atom.Dd, atom.Figure,
		atom.Figcaption, atom.Form, atom.Fieldset, atom.Table, atom.Ul, atom.Ol, atom.Dl, atom.Hr, atom.Body, atom.Address:
		return true
	}
	return false
}
