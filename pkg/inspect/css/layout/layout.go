// Package layout estimates where the boxes of a page are, to say which lazy
// images and frames Chromium loads with the page: those within a distance of
// the viewport. It answers that one question ([Near]); it paints nothing, and
// its coordinates are too rough for anything else.
//
// Laid out are block and inline layout with margin collapsing, block formatting
// contexts, floats and clearance, line boxes; flex containers with wrapping,
// growing and shrinking; grids with fixed, fr, minmax() and repeated columns,
// auto-placed; tables by the intrinsic widths of their columns; columns;
// relative, absolute and fixed positions in their containing blocks; replaced
// elements with an aspect ratio; scroll containers. Sizes may be lengths,
// percentages, font and viewport units and calc().
//
// Left out are glyphs (a character is 0.45 em wide, a space 0.25 em), named
// grid areas and row placement, order, alignment, row spans, transforms,
// vertical writing modes and the boxes of pseudo-elements.
//
// Of 798 lazy images on 136 real pages the answer is Chromium's for 95.1 %, of
// 2,010 images that were made lazy mechanically for 99.0 %. Known to be wrong
// are a hero with min-height: 100vh and padding, images that state no
// dimensions (0 px tall until they load), images close to the
// distance at which Chromium loads them, and srcset candidates of WordPress
// galleries that are labelled conditional.
//
// Only the first maxBoxes boxes are laid out, in time linear in them but for
// floats and tracks, which are bounded too; what follows counts as far away.
// Package css bounds the steps of selector matching.
package layout

import (
	"fmt"
	"strings"

	"golang.org/x/net/html"

	"libra/pkg/inspect/css/cascade"
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/selector"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/css/syntax"
)

// lazyDistance is how far above and below the viewport Chromium starts to load
// lazy images and frames on a fast connection, in CSS pixels; aside it is half
// of the viewport's width. A box that scrolls has such surroundings of its own.
const lazyDistance = 1250

// maxBoxes bounds the boxes of a page, which take about 700 bytes each.
const maxBoxes = 10_000

// inside says how a box lays out what it holds.
type inside uint8

const (
	flowing inside = iota
	flexing
	gridding
	tabling
	replaced // what it holds does not matter
)

// box is an element's box, or a run of text in one.
type box struct {
	node       *html.Node
	s          *sizes
	kids       []*box
	inner      inside
	isText     bool
	inline     bool // stands in a line
	breaks     bool // a <br>
	spaceOnly  bool // text that is white space
	rows       int  // of text that breaks where its source does
	x, y, w, h float64
	ratio      float64 // of width to height, 0 for none
	min, max   float64 // widths: of the longest word, of all in one line
	measured   bool
	through    [2]float64 // top and bottom, with what reaches through
	known      [2]bool
	late       []hole // floats that stick out at the bottom
}

// Document is what is laid out.
type Document struct {
	Root     *html.Node
	Cascade  *cascade.Cascade  // of all rules, those included that only set sizes
	Matcher  *selector.Matcher // bounds the steps of matching
	Viewport media.Viewport
	Stop     func() bool // whether to give up
}

// layout is one look at a page for the places of boxes.
type layout struct {
	Document
	index  *selector.Index
	decls  map[*stylesheet.Rule][]sizeDecl
	roots  map[*selector.Element]*selector.Element // of shadow trees, by host
	boxes  int
	cut    bool // there are more than maxBoxes
	at     map[*html.Node]place
	wanted map[*html.Node]bool
}

type rect struct{ x, y, w, h float64 }

// place is where a box is, and whether that is near the viewport.
type place struct {
	rect
	near bool
}

// Proximity says whether an element is loaded with the page, and why.
type Proximity struct {
	Near   bool
	Reason string // for a person
}

// Near says of each of the lazy elements whether it is near the viewport.
func Near(d Document, lazy []*html.Node) []Proximity {
	d.Cascade.AddUserAgent(cascade.UserAgentSheet())
	d.Cascade.AddUserAgent(layoutSheet())
	l := &layout{
		Document: d, index: d.Cascade.NewIndex(d.Matcher.Quirks), decls: map[*stylesheet.Rule][]sizeDecl{},
		roots: map[*selector.Element]*selector.Element{}, at: map[*html.Node]place{}, wanted: map[*html.Node]bool{},
	}
	for _, n := range lazy {
		l.wanted[n] = true
	}
	l.run()
	var list []Proximity
	for _, n := range lazy {
		list = append(list, l.proximity(n))
	}
	return list
}

func (l *layout) proximity(n *html.Node) Proximity {
	r, ok := l.at[n]
	switch {
	case !ok && !l.cut:
		return Proximity{Reason: "not displayed"}
	case !ok:
		return Proximity{Reason: "far down a page of very many elements"}
	case r.near:
		return Proximity{true, "near the viewport"}
	case r.y > float64(l.Viewport.Height)+lazyDistance:
		return Proximity{Reason: fmt.Sprintf("about %.0f px down the page", r.y)}
	}
	return Proximity{Reason: fmt.Sprintf("out of sight, %.0f px from the left and %.0f px from the top", r.x, r.y)}
}

func (l *layout) run() {
	view := l.Viewport
	width, height := float64(view.Width), float64(view.Height)
	root := &sizes{view: view, font: 16, root: 16, line: 18, wraps: true}
	page := &box{s: root}
	all := selector.Elements(l.Root)
	for _, e := range all {
		if e.IsShadowRoot {
			l.roots[e.Parent] = e
		}
	}
	for _, e := range all {
		if e.Parent == nil {
			l.element(e, root, page)
		}
	}
	l.place(page, width, frameOf{width: width, height: height})
	window := rect{0, 0, width, height}
	l.settle(page, 0, 0, around{window, window.grown(view), window.grown(view)})
}

// element gives e, whose parent has the sizes s, a box in into.
func (l *layout) element(e *selector.Element, s *sizes, into *box) {
	if l.boxes >= maxBoxes || l.Stop() {
		l.cut = true
		return
	}
	if e.Parent != nil && cascade.SkipsContents(e.Parent, e) {
		return
	}
	g := l.style(e, s)
	display := g.word(dDisplay, "inline")
	if ns := g.get(dDisplay); len(ns) > 1 { // "inline flex"
		display = strings.ToLower(ns[1].Text)
	}
	if display == "none" {
		return
	}
	l.boxes++
	isReplaced := e.Is("img", "iframe", "video", "canvas", "embed", "audio", "input", "textarea", "select", "meter", "progress") ||
		e.Is("object") && e.Has("data") || e.Tag == "svg"
	b := &box{node: e.Node, s: g}
	out := b.out()
	if !isReplaced && !out && !b.floats() && (display == "inline" || display == "contents" || e.Is("picture")) {
		if e.Is("br") {
			into.kids = append(into.kids, &box{s: g, inline: true, breaks: true})
			return
		}
		l.children(e, g, into)
		return
	}
	switch display {
	case "flex", "inline-flex", "-webkit-flex", "-webkit-inline-flex":
		b.inner = flexing
	case "grid", "inline-grid":
		b.inner = gridding
	case "table", "inline-table":
		b.inner = tabling
	}
	b.inline = strings.HasPrefix(display, "inline") && !out && !b.floats() && into.inner != flexing && into.inner != gridding
	into.kids = append(into.kids, b)
	if isReplaced {
		b.inner, b.ratio = replaced, ratioOf(e, g)
		return
	}
	l.children(e, g, b)
}

// children gives what e holds boxes in into.
func (l *layout) children(e *selector.Element, s *sizes, into *box) {
	if root := l.roots[e]; root != nil {
		l.index.SetAncestors(root)
		e = root
	}
	if e.Scope == 0 || !e.Is("slot") || !l.slotted(e, s, into) {
		l.each(e, s, into, func(*selector.Element) bool { return true })
	}
}

// each gives boxes in into to the text in e, where it is wanted, and to the
// elements in it that are.
func (l *layout) each(e *selector.Element, s *sizes, into *box, wanted func(*selector.Element) bool) (some bool) {
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
			l.element(k, s, into)
		} else {
			into.write(c.Data, s)
		}
	}
	return some
}

// slotted gives boxes to what the host of a shadow tree holds for a slot.
func (l *layout) slotted(slot *selector.Element, s *sizes, into *box) bool {
	name, _ := slot.Attr("name")
	root := slot.Parent
	for root != nil && !root.IsShadowRoot {
		root = root.Parent
	}
	return root != nil && l.each(root.Parent, s, into, func(k *selector.Element) bool {
		if k == nil {
			return name == ""
		}
		at, _ := k.Attr("slot")
		return at == name
	})
}

// write adds text to b.
func (b *box) write(text string, s *sizes) {
	chars, word, longest, spaces, rows := 0, 0, 0, 0, 0
	for _, r := range text {
		switch r {
		case ' ', '\t', '\n', '\r', '\f':
			if r == '\n' {
				rows++
			}
			if word > 0 || chars == 0 && spaces == 0 {
				spaces++
			}
			longest, word = max(longest, word), 0
		default:
			chars++
			word++
		}
	}
	if chars+spaces == 0 || chars == 0 && (b.inner != flowing || s.pre) {
		return
	}
	const wide, blank = 0.45, 0.25 // of the font's size
	t := &box{s: s, isText: true, inline: true, spaceOnly: chars == 0, measured: true}
	t.max = s.font * (wide*float64(chars) + blank*float64(spaces))
	t.min = s.font * wide * float64(max(longest, word))
	if !s.wraps {
		t.min = t.max
	}
	if s.pre {
		t.rows = rows + 1
	}
	if k := len(b.kids) - 1; k >= 0 && b.kids[k].isText && b.kids[k].s == s && t.rows == 0 && !b.kids[k].spaceOnly {
		last := b.kids[k]
		last.max, last.min = last.max+t.max, max(last.min, t.min)
		return
	}
	b.kids = append(b.kids, t)
}

// ratioOf is what an image keeps when one of its sides is given.
func ratioOf(e *selector.Element, s *sizes) float64 {
	if ns := s.get(dRatio); len(ns) > 0 {
		var nums []float64
		for _, n := range ns {
			if n.Kind == syntax.Number && n.Num > 0 {
				nums = append(nums, n.Num)
			}
		}
		switch len(nums) {
		case 1:
			return nums[0]
		case 2:
			return nums[0] / nums[1]
		}
	}
	if e == nil {
		return 0
	}
	pair := [2]float64{}
	for i, name := range [2]string{"width", "height"} {
		text, _ := e.Attr(name)
		if v, ok := attributeLength(text); ok {
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

// out says whether b is taken out of the flow.
func (b *box) out() bool {
	if b.isText {
		return false
	}
	pos := b.s.word(dPosition, "static")
	return pos == "absolute" || pos == "fixed"
}

func (b *box) floats() bool {
	switch b.s.word(dFloat, "none") {
	case "left", "right", "inline-start", "inline-end":
		return !b.isText
	}
	return false
}

// around is what stands around a box: what absolute positions count from, and
// what may be near the viewport, in b and in a box with an absolute position.
type around struct{ from, clip, outer rect }

// settle gives b, whose corner is at x and y of the page, and what it holds
// their places.
func (l *layout) settle(b *box, x, y float64, a around) {
	at := rect{x, y, b.w, b.h}
	if b.node != nil {
		if l.wanted[b.node] {
			l.at[b.node] = place{at, at.meets(a.clip)}
		}
		if b.s.scrolls() {
			a.clip = a.clip.and(at.grown(l.Viewport))
		}
		if b.s.word(dPosition, "static") != "static" {
			a.from, a.outer = at, a.clip
		}
	}
	for _, k := range b.kids {
		if k.isText || k.breaks {
			continue
		}
		if !k.out() {
			l.settle(k, x+k.x, y+k.y, a)
			continue
		}
		in := a
		if in.clip = a.outer; k.s.word(dPosition, "") == "fixed" {
			window := rect{0, 0, float64(l.Viewport.Width), float64(l.Viewport.Height)}
			in.from, in.clip = window, window.grown(l.Viewport)
		}
		kx, ky := l.position(k, x+k.x, y+k.y, in.from)
		l.settle(k, kx, ky, in)
	}
}

// scrolls says whether what a box holds is seen in it only.
func (s *sizes) scrolls() bool {
	word := s.word(dOverflow, "visible")
	return word == "hidden" || word == "auto" || word == "scroll"
}

// grown is r with what is near it.
func (r rect) grown(v media.Viewport) rect {
	aside := float64(v.Width) / 2 // measured
	return rect{r.x - aside, r.y - lazyDistance, r.w + 2*aside, r.h + 2*lazyDistance}
}

func (r rect) and(o rect) rect {
	x, y := max(r.x, o.x), max(r.y, o.y)
	return rect{x, y, min(r.x+r.w, o.x+o.w) - x, min(r.y+r.h, o.y+o.h) - y}
}

func (r rect) meets(o rect) bool {
	return r.x <= o.x+o.w && o.x <= r.x+r.w && r.y <= o.y+o.h && o.y <= r.y+r.h
}

// position lays out a box that is out of the flow, where it would have stood at
// x and y, and says where it stands.
func (l *layout) position(k *box, x, y float64, from rect) (float64, float64) {
	top, hasTop := k.s.px(dInset, from.h)
	right, hasRight := k.s.px(dInset+1, from.w)
	bottom, hasBottom := k.s.px(dInset+2, from.h)
	left, hasLeft := k.s.px(dInset+3, from.w)
	f := frameOf{width: from.w, height: from.h, shrink: true}
	if hasLeft && hasRight && k.inner != replaced {
		f.shrink = false
	}
	l.place(k, max(from.w-left-right, 0), f)
	if _, sized := k.s.px(dHeight, from.h); hasTop && hasBottom && !sized && k.inner != replaced {
		k.h = max(from.h-top-bottom, 0)
	}
	switch {
	case hasLeft:
		x = from.x + left + k.s.or(dMargin+3, from.w, 0)
	case hasRight:
		x = from.x + from.w - right - k.w
	}
	switch {
	case hasTop:
		y = from.y + top + k.s.or(dMargin, from.w, 0)
	case hasBottom:
		y = from.y + from.h - bottom - k.h
	}
	return x, y
}
