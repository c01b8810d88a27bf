package layout

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"

	"libra/pkg/inspect/css/cascade"
	"libra/pkg/inspect/css/selector"
	"libra/pkg/inspect/css/syntax"
)

// innerDisplay is the inner display type: how a box lays out its children.
type innerDisplay uint8

const (
	innerFlow innerDisplay = iota
	innerFlex
	innerGrid
	innerTable
	replaced // a replaced element, whose children are not laid out
)

// box is an element's box, or a run of text in one. Its size is that of the
// border box; its position is relative to its parent's border box.
type box struct {
	node                   *html.Node
	style                  *style
	children               []*box
	inner                  innerDisplay
	isText                 bool
	inlineLevel            bool // it takes part in line boxes
	lineBreak              bool // a <br>
	whiteSpace             bool // collapsible text
	forcedLines            int  // of preformatted text
	x, y, w, h             float64
	aspectRatio            float64     // of width to height, 0 for none
	minContent, maxContent float64     // widths: of the longest word, of all in one line
	measured               bool        // minContent and maxContent are known
	collapsed              [2]float64  // top and bottom margin, collapsed with its children's
	known                  [2]bool     // collapsed is
	empty                  bool        // it holds no line box, and no block but such boxes
	overhanging            []floatArea // floats that reach below it
	lines                  []line
}

// generate appends the box of e, whose parent has style s, to into.
func (l *layout) generate(e *selector.Element, s *style, into *box) {
	if l.boxes >= maxBoxes || l.Stop() {
		l.truncated = true
		return
	}
	if e.Parent != nil && cascade.SkipsContents(e.Parent, e) {
		return
	}
	g := l.computeStyle(e, s)
	display := g.keyword(propDisplay, "inline")
	if ns := g.value(propDisplay); len(ns) > 1 { // "inline flex"
		display = strings.ToLower(ns[1].Text)
	}
	if display == "none" {
		return
	}
	l.boxes++
	isReplaced := e.Is("img", "iframe", "video", "canvas", "embed", "audio", "input", "textarea", "select", "meter", "progress") ||
		e.Is("object") && e.Has("data") || e.Tag == "svg"
	b := &box{node: e.Node, style: g}
	out := b.outOfFlow()
	if !isReplaced && !out && !b.isFloat() && (display == "inline" || display == "contents" || e.Is("picture")) {
		if e.Is("br") {
			into.children = append(into.children, &box{style: g, inlineLevel: true, lineBreak: true})
			return
		}
		l.generateChildren(e, g, into)
		return
	}
	switch display {
	case "flex", "inline-flex", "-webkit-flex", "-webkit-inline-flex":
		b.inner = innerFlex
	case "grid", "inline-grid":
		b.inner = innerGrid
	case "table", "inline-table":
		b.inner = innerTable
	}
	b.inlineLevel = strings.HasPrefix(display, "inline") && !out && !b.isFloat() && into.inner != innerFlex && into.inner != innerGrid
	into.children = append(into.children, b)
	if isReplaced {
		b.inner, b.aspectRatio = replaced, aspectRatio(e, g)
		return
	}
	l.generateChildren(e, g, b)
}

// generateChildren appends the boxes of e's children to into.
func (l *layout) generateChildren(e *selector.Element, s *style, into *box) {
	if root := l.roots[e]; root != nil {
		l.index.SetAncestors(root)
		e = root
	}
	if e.Scope == 0 || !e.Is("slot") || !l.generateSlotted(e, s, into) {
		l.generateEach(e, s, into, func(*selector.Element) bool { return true })
	}
}

// generateEach appends the boxes of those children of e that are wanted (nil
// stands for text) to into, and says whether there were any.
func (l *layout) generateEach(e *selector.Element, s *style, into *box, wanted func(*selector.Element) bool) (some bool) {
	next := e.First
	for c := e.Node.FirstChild; c != nil; c = c.NextSibling {
		var k *selector.Element // nil for text
		switch {
		case c.Type == html.ElementNode && next != nil && next.Node == c:
			k, next = next, next.Next
		case c.Type != html.TextNode:
			continue
		}
		if !wanted(k) {
			continue
		}
		if some = true; k != nil {
			l.generate(k, s, into)
		} else {
			into.addText(c.Data, s)
		}
	}
	return some
}

// generateSlotted appends the boxes of the host's children that a slot takes.
func (l *layout) generateSlotted(slot *selector.Element, s *style, into *box) bool {
	name, _ := slot.Attr("name")
	root := slot.Parent
	for root != nil && !root.IsShadowRoot {
		root = root.Parent
	}
	return root != nil && l.generateEach(root.Parent, s, into, func(k *selector.Element) bool {
		if k == nil {
			return name == ""
		}
		at, _ := k.Attr("slot")
		return at == name
	})
}

// addText appends a run of text to b.
func (b *box) addText(text string, s *style) {
	words, chars, longest := 0, 0, 0
	for word := range strings.FieldsFuncSeq(text, collapsible) {
		n := utf8.RuneCountInString(word)
		words, chars, longest = words+1, chars+n, max(longest, n)
	}
	spaces := max(words-1, 0)
	if words == 0 && text != "" || words > 0 && collapsible(rune(text[0])) {
		spaces++
	}
	if words > 0 && collapsible(rune(text[len(text)-1])) {
		spaces++
	}
	if chars+spaces == 0 || chars == 0 && (b.inner != innerFlow || s.preservesBreaks) {
		return
	}
	const advance, space = 0.45, 0.25 // of the font size
	t := &box{style: s, isText: true, inlineLevel: true, whiteSpace: chars == 0, measured: true}
	t.maxContent = s.fontSize * (advance*float64(chars) + space*float64(spaces))
	t.minContent = s.fontSize * advance * float64(longest)
	if !s.wraps {
		t.minContent = t.maxContent
	}
	if s.preservesBreaks {
		t.forcedLines = strings.Count(text, "\n") + 1
	}
	if k := len(b.children) - 1; k >= 0 && b.children[k].isText && b.children[k].style == s && t.forcedLines == 0 && !b.children[k].whiteSpace {
		last := b.children[k]
		last.maxContent, last.minContent = last.maxContent+t.maxContent, max(last.minContent, t.minContent)
		return
	}
	b.children = append(b.children, t)
}

func collapsible(r rune) bool { return r < 128 && strings.IndexByte(" \t\n\r\f", byte(r)) >= 0 }

// aspectRatio is the preferred aspect ratio: the property's, or that of the
// attributes of e, if e is not nil; 0 for none.
func aspectRatio(e *selector.Element, s *style) float64 {
	var sides []float64
	for _, n := range s.value(propRatio) {
		if n.Kind == syntax.Number && n.Num > 0 {
			sides = append(sides, n.Num)
		}
	}
	switch {
	case len(sides) == 1:
		return sides[0]
	case len(sides) == 2:
		return sides[0] / sides[1]
	case e == nil:
		return 0
	}
	pair := [2]float64{}
	for i, name := range [2]string{"width", "height"} {
		text, _ := e.Attr(name)
		if v, ok := parseDimension(text); ok {
			ns, _ := syntax.Values(v)
			pair[i], _ = s.length(ns[0], -1)
		}
	}
	if box, ok := e.Attr("viewBox"); ok && e.Tag == "svg" && pair[0]*pair[1] == 0 {
		if ns, ok := syntax.Values(strings.ReplaceAll(box, ",", " ")); ok {
			if w := syntax.Fields(ns); len(w) == 4 {
				pair = [2]float64{w[2].Num, w[3].Num}
			}
		}
	}
	if pair[0] > 0 && pair[1] > 0 {
		return pair[0] / pair[1]
	}
	return 0
}

// outOfFlow says whether b is absolutely positioned or fixed.
func (b *box) outOfFlow() bool {
	if b.isText {
		return false
	}
	pos := b.style.keyword(propPosition, "static")
	return pos == "absolute" || pos == "fixed"
}

func (b *box) isFloat() bool {
	switch b.style.keyword(propFloat, "none") {
	case "left", "right", "inline-start", "inline-end":
		return !b.isText
	}
	return false
}
