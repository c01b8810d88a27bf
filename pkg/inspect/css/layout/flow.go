package layout

import (
	"math"
	"slices"
)

// flow is block and inline layout of the children of one box.
type flow struct {
	l             *layout
	b             *box
	width, height float64
	y             float64 // the top of the line box, or of the next block but for its margin
	inlineOffset  float64 // how far the line box is filled
	lineHeight    float64 // of the line box
	lineOpen      bool    // the line box has content
	pendingMargin float64 // the bottom margin of the last block
	hasContent    bool    // there is content above
	floats        []floatArea
	floatBottom   float64 // the bottom of the lowest float
	floatTop      float64 // the top of the last float, above which no other starts
}

// run lays out the children and returns the height of the content.
func (f *flow) run() float64 {
	for _, k := range f.b.children {
		switch {
		case k.outOfFlow():
			k.x, k.y = 0, f.y
		case k.lineBreak:
			f.lineHeight = max(f.lineHeight, k.style.lineHeight)
			f.startLine()
			f.lineOpen = true
			f.endLine()
		case k.isText:
			f.addText(k)
		case k.isFloat():
			f.addFloat(k)
		case k.inlineLevel:
			f.addAtomicInline(k)
		default:
			f.addBlock(k)
		}
	}
	f.endLine()
	f.b.empty = !f.hasContent && !f.b.containsFloats()
	if below, _ := f.b.collapses(); !below {
		f.y += f.pendingMargin
	}
	if f.b.containsFloats() {
		return max(f.y, f.floatBottom)
	}
	for _, x := range f.floats {
		if x.local && x.bottom > f.y {
			f.b.overhanging = append(f.b.overhanging, x)
		}
	}
	return f.y
}

// containsFloats says whether b grows to contain its floats: it establishes a
// block formatting context, or has a clearfix.
func (b *box) containsFloats() bool {
	if b.style.clearfix || b.node == nil || b.node.Data == "html" || b.outOfFlow() || b.isFloat() || b.inlineLevel || b.style.keyword(propOverflow, "visible") != "visible" {
		return true
	}
	switch b.style.keyword(propDisplay, "inline") {
	case "flow-root", "table-cell", "table-caption", "inline-block":
		return true
	}
	return b.style.value(propColumnCount) != nil || b.style.value(propColumnWidth) != nil
}

// collapses says whether b's margins collapse with those of its last and first
// child: below, above.
func (b *box) collapses() (below, above bool) {
	if b.inner != innerFlow || b.containsFloats() {
		return false, false
	}
	_, _, top, along := b.borderPadding(0)
	_, fixed := b.style.px(propHeight, -1)
	_, least := b.style.px(propMinHeight, -1)
	return along == top && !fixed && !least, top == 0
}

// collapsedMargin is the top or bottom margin of b, collapsed with those of its
// children.
func (l *layout) collapsedMargin(b *box, base float64, bottom bool) float64 {
	side, i := propMargin, 0
	if bottom {
		side, i = propMargin+2, 1
	}
	if b.known[i] {
		return b.collapsed[i]
	}
	m := b.style.pxOr(side, base, 0)
	below, above := b.collapses()
	for i := range b.children {
		k := b.children[i]
		if bottom {
			k = b.children[len(b.children)-1-i]
		}
		if k.whiteSpace || k.outOfFlow() || k.isFloat() {
			continue
		}
		if !k.inlineLevel && (bottom && below || !bottom && above) {
			m = max(m, l.collapsedMargin(k, base, bottom))
		}
		break
	}
	b.collapsed[i], b.known[i] = m, true
	return m
}

// startLine makes room for inline content below the last block.
func (f *flow) startLine() {
	f.y += f.pendingMargin
	f.pendingMargin, f.hasContent = 0, true
}

// endLine closes the line box.
func (f *flow) endLine() {
	if f.lineOpen {
		f.y += f.lineHeight
	}
	f.inlineOffset, f.lineHeight, f.lineOpen = 0, 0, false
}

// lineEdges are the left and right edge of a line box at y, beside the floats, and
// the bottom of the first of those to end, infinite without one.
func (f *flow) lineEdges(y float64) (left, right, next float64) {
	right, next = f.width, math.Inf(1)
	for _, h := range f.floats {
		if h.bottom <= y || h.top > y+1 {
			continue
		}
		if next = min(next, h.bottom); h.right {
			right = min(right, h.edge)
		} else {
			left = max(left, h.edge)
		}
	}
	return left, right, next
}

// findRoom moves y down until a width of w fits beside the floats.
func (f *flow) findRoom(y, w float64) (at, left, right float64) {
	for {
		left, right, next := f.lineEdges(y)
		if right-left >= w-.5 || math.IsInf(next, 1) {
			return y, left, right
		}
		y = next
	}
}

// addText breaks t into line boxes.
func (f *flow) addText(t *box) {
	if t.whiteSpace {
		if f.lineOpen {
			f.inlineOffset += t.maxContent
		}
		return
	}
	f.startLine()
	if t.forcedLines > 1 {
		f.endLine()
		f.y += float64(t.forcedLines-1) * t.style.lineHeight
	}
	rest := t.maxContent
	for range 1000 { // lines beside floats
		if !f.lineOpen {
			f.y, _, _ = f.findRoom(f.y, min(t.minContent, f.width))
		}
		left, right, _ := f.lineEdges(f.y)
		room := right - left - f.inlineOffset
		f.lineHeight = max(f.lineHeight, t.style.lineHeight)
		if rest <= room || !t.style.wraps {
			break
		}
		if !f.lineOpen {
			room = max(room, 16) // a line takes some text, however narrow
		}
		rest -= max(room, 0)
		f.lineOpen = true
		f.endLine()
		if len(f.floats) == 0 && rest > f.width {
			lines := math.Floor(rest / max(f.width, 16))
			f.y += lines * t.style.lineHeight
			rest -= lines * max(f.width, 16)
		}
	}
	f.inlineOffset, f.lineHeight, f.lineOpen = f.inlineOffset+min(rest, f.width), max(f.lineHeight, t.style.lineHeight), true
}

// addAtomicInline puts an atomic inline into a line box.
func (f *flow) addAtomicInline(k *box) {
	f.startLine()
	f.l.layoutBox(k, f.width, constraints{width: f.width, height: f.height, shrinkToFit: true})
	left, across, top, along := k.margins(f.width)
	w, h := k.w+across, k.h+along
	lineLeft, right, _ := f.lineEdges(f.y)
	if f.lineOpen && f.inlineOffset+w > right-lineLeft+.5 && k.style.wraps {
		f.endLine()
	}
	if !f.lineOpen {
		f.y, lineLeft, _ = f.findRoom(f.y, min(w, f.width))
	}
	if k.style.keyword(propVerticalAlign, "baseline") == "baseline" {
		h += .22 * k.style.fontSize // room for descenders below the baseline
	}
	k.x, k.y = lineLeft+f.inlineOffset+left, f.y+top
	f.inlineOffset, f.lineHeight, f.lineOpen = f.inlineOffset+w, max(f.lineHeight, h, f.b.style.lineHeight), true
}

// margins are those of b: left, left and right, top, top and bottom; auto is 0.
func (b *box) margins(base float64) (left, across, top, along float64) {
	left, top = b.style.pxOr(propMargin+3, base, 0), b.style.pxOr(propMargin, base, 0)
	return left, left + b.style.pxOr(propMargin+1, base, 0), top, top + b.style.pxOr(propMargin+2, base, 0)
}

// addFloat places a float beside or below those before it.
func (f *flow) addFloat(k *box) {
	f.l.layoutBox(k, f.width, constraints{width: f.width, height: f.height, shrinkToFit: true})
	left, across, top, along := k.margins(f.width)
	y := max(f.y+f.pendingMargin, f.floatTop)
	y = f.clearance(k, y)
	y, from, to := f.findRoom(y, k.w+across)
	f.floatTop = y
	h := floatArea{top: y, bottom: y + k.h + along, local: true, edge: from + k.w + across}
	k.x, k.y = from+left, y+top
	if side := k.style.keyword(propFloat, ""); side == "right" || side == "inline-end" {
		h.right, h.edge = true, to-k.w-across
		k.x = h.edge + left
	}
	f.floatBottom = max(f.floatBottom, h.bottom)
	f.recordFloat(h)
}

// recordFloat notes a float and drops those that end above the content to come.
func (f *flow) recordFloat(h floatArea) {
	f.floats = slices.DeleteFunc(f.floats, func(x floatArea) bool { return x.bottom <= min(f.y, f.floatTop) })
	const most = 200
	if h.bottom > h.top && len(f.floats) < most {
		f.floats = append(f.floats, h)
	}
}

// clearance moves y below the floats that k clears.
func (f *flow) clearance(k *box, y float64) float64 {
	side := k.style.keyword(propClear, "none")
	for _, h := range f.floats {
		if side == "both" || h.right && (side == "right" || side == "inline-end") || !h.right && (side == "left" || side == "inline-start") {
			y = max(y, h.bottom)
		}
	}
	return y
}

// addBlock places a block-level box below the content so far.
func (f *flow) addBlock(k *box) {
	f.endLine()
	top := f.l.collapsedMargin(k, f.width, false)
	_, first := f.b.collapses()
	if first = first && !f.hasContent; first {
		top = 0 // it collapsed with b's own
	}
	if top < 0 {
		f.pendingMargin += top
	} else {
		f.pendingMargin = max(f.pendingMargin, top)
	}
	y := f.clearance(k, f.y+f.pendingMargin)
	room := constraints{width: f.width, height: f.height}
	x, avail := 0., f.width
	if k.containsFloats() || k.inner != innerFlow {
		least, _ := f.l.intrinsicWidths(k)
		var right float64
		y, x, right = f.findRoom(y, min(least, f.width))
		avail = right - x
	} else {
		left := max(k.style.pxOr(propMargin+3, f.width, 0), 0)
		for _, h := range f.floats {
			if h.bottom > y {
				h.edge, h.top, h.bottom, h.local = h.edge-left, h.top-y, h.bottom-y, false
				room.floats = append(room.floats, h)
			}
		}
	}
	f.l.layoutBox(k, avail, room)
	k.x, k.y = x+k.marginOffset(avail), y
	if k.style.keyword(propPosition, "static") == "relative" {
		k.y += k.style.pxOr(propInset, f.height, 0)
	}
	bottom := f.l.collapsedMargin(k, f.width, true)
	for _, h := range k.overhanging {
		h.edge, h.top, h.bottom = h.edge+k.x, h.top+y, h.bottom+y
		f.floatBottom = max(f.floatBottom, h.bottom)
		f.recordFloat(h)
	}
	k.overhanging = nil
	if k.h == 0 && k.empty && y == f.y+f.pendingMargin { // its margins collapse through it
		if !first {
			f.pendingMargin = max(f.pendingMargin, bottom)
		}
		return
	}
	f.y, f.pendingMargin, f.hasContent = y+k.h, bottom, true
}

// marginOffset is the left margin of b, with auto margins resolved.
func (b *box) marginOffset(avail float64) float64 {
	left, across, _, _ := b.margins(avail)
	switch {
	case b.autoMargin(3) && b.autoMargin(1):
		return max((avail-b.w)/2, 0)
	case b.autoMargin(3):
		return max(avail-b.w-across, 0)
	}
	return left
}

func (b *box) autoMargin(side longhand) bool { return b.style.keyword(propMargin+side, "") == "auto" }
