package layout

import (
	"math"

	"libra/pkg/inspect/css/syntax"
)

// constraints are what the container of a box sets for its layout.
type constraints struct {
	width, height float64     // of the containing block; the height is negative if indefinite
	shrinkToFit   bool        // an auto width is fit-content
	definiteWidth float64     // set by a flex line or a cell, 0 for none
	floats        []floatArea // in the same block formatting context
}

// floatArea is the margin box of a float, as far as it shortens line boxes.
type floatArea struct {
	right       bool
	edge        float64 // its inner edge
	top, bottom float64
	local       bool // it is a float of this box, not of an ancestor
}

// borderPadding are the borders and paddings of b: left, left and right, top, top
// and bottom.
func (b *box) borderPadding(base float64) (left, across, top, along float64) {
	side := func(i longhand) float64 {
		return max(b.style.pxOr(propPadding+i, base, 0), 0) + max(b.style.pxOr(propBorder+i, base, 0), 0)
	}
	left, top = side(3), side(0)
	return left, left + side(1), top, top + side(2)
}

// borderBoxSize is a size property of b as a size of the border box, by its
// box-sizing.
func (b *box) borderBoxSize(id longhand, base, edges float64) (float64, bool) {
	v, ok := b.style.px(id, base)
	if ok && b.style.keyword(propBoxSizing, "content-box") == "content-box" {
		v += edges
	}
	return max(v, 0), ok
}

// clampSize is v, not above the max property of b and not below the min property.
func (b *box) clampSize(v float64, least, most longhand, base, edges float64) float64 {
	if m, ok := b.borderBoxSize(most, base, edges); ok {
		v = min(v, m)
	}
	if m, ok := b.borderBoxSize(least, base, edges); ok {
		v = max(v, m)
	}
	return v
}

// layoutBox lays out b where avail pixels of width are available.
func (l *layout) layoutBox(b *box, avail float64, f constraints) {
	left, across, top, along := b.borderPadding(f.width)
	if b.inner == replaced {
		l.layoutReplaced(b, avail, f, across, along)
		return
	}
	w, ok := b.borderBoxSize(propWidth, f.width, across)
	switch {
	case f.definiteWidth > 0:
		w = f.definiteWidth
	case !ok && (f.shrinkToFit || b.inner == innerTable):
		least, most := l.intrinsicWidths(b)
		w = min(most, max(least, avail))
	case !ok:
		w = avail - b.style.pxOr(propMargin+1, f.width, 0) - b.style.pxOr(propMargin+3, f.width, 0)
	}
	if f.definiteWidth <= 0 {
		w = b.clampSize(w, propMinWidth, propMaxWidth, f.width, across)
	}
	h, fixed := b.borderBoxSize(propHeight, f.height, along)
	ch := -1.
	if fixed {
		ch = max(h-along, 0)
	}
	b.w = max(w, across)
	floats := make([]floatArea, 0, len(f.floats))
	for _, x := range f.floats {
		x.edge, x.top, x.bottom = x.edge-left, x.top-top, x.bottom-top
		floats = append(floats, x)
	}
	content := l.layoutContents(b, b.w-across, ch, floats)
	if ratio := aspectRatio(nil, b.style); !fixed && ratio > 0 {
		h = max(b.w/ratio, content+along)
	} else if !fixed {
		h = content + along
	}
	b.h = b.clampSize(h, propMinHeight, propMaxHeight, f.height, along)
	b.alignLines(max(b.h-along-content, 0))
	for _, k := range b.children {
		k.x, k.y = k.x+left, k.y+top
	}
	for i := range b.overhanging {
		b.overhanging[i].edge, b.overhanging[i].top, b.overhanging[i].bottom = b.overhanging[i].edge+left, b.overhanging[i].top+top, b.overhanging[i].bottom+top
	}
}

// layoutContents lays out the children of b in a content box of width w and
// height h, negative if indefinite, and returns the height of the content.
func (l *layout) layoutContents(b *box, w, h float64, floats []floatArea) float64 {
	w = max(w, 0)
	switch b.inner {
	case innerFlex:
		l.layoutFlex(b, w)
		return b.stackLines(w)
	case innerGrid:
		l.layoutGrid(b, w)
		return b.stackLines(w)
	case innerTable:
		return l.layoutTable(b, w)
	}
	columns, gap := b.columnCount(w)
	fl := flow{l: l, b: b, width: (w+gap)/columns - gap, height: h, floats: floats}
	height := fl.run()
	if columns > 1 {
		each := math.Ceil(height / columns)
		for _, k := range b.children {
			i := math.Min(math.Floor((k.y+k.h/2)/max(each, 1)), columns-1)
			k.x, k.y = k.x+i*(fl.width+gap), k.y-i*each
		}
		height = each
	}
	return height
}

// columnCount is the number of columns of a multi-column container of width w,
// and the gap between them.
func (b *box) columnCount(w float64) (n, gap float64) {
	n = b.style.number(propColumnCount, 0)
	gap = b.style.pxOr(propColumnGap, w, b.style.fontSize)
	if each, ok := b.style.px(propColumnWidth, w); ok && each > 0 {
		fit := max(math.Floor((w+gap)/(each+gap)), 1)
		if n = min(n, fit); n == 0 {
			n = fit
		}
	}
	if n <= 1 {
		return 1, 0
	}
	return n, gap
}

// layoutReplaced sizes a replaced element: as set, else by its aspect ratio.
func (l *layout) layoutReplaced(b *box, avail float64, f constraints, across, along float64) {
	w, hasW := b.borderBoxSize(propWidth, f.width, across)
	h, hasH := b.borderBoxSize(propHeight, f.height, along)
	if f.definiteWidth > 0 {
		w, hasW = f.definiteWidth, true
	}
	switch {
	case !hasW && hasH && b.aspectRatio > 0:
		w = (h-along)*b.aspectRatio + across
	case !hasW && b.aspectRatio > 0 && b.node.Data == "svg":
		w, hasW = avail, true
	case !hasW:
		w = across
	}
	if f.definiteWidth <= 0 {
		w = b.clampSize(w, propMinWidth, propMaxWidth, f.width, across)
	}
	if !hasH {
		h = along
		if b.aspectRatio > 0 {
			h += (w - across) / b.aspectRatio
		}
	}
	b.w, b.h = w, b.clampSize(h, propMinHeight, propMaxHeight, f.height, along)
}

// intrinsicWidths are the min-content and max-content width of b's border box.
func (l *layout) intrinsicWidths(b *box) (least, most float64) {
	if b.measured {
		return b.minContent, b.maxContent
	}
	b.measured = true
	_, across, _, along := b.borderPadding(0)
	if b.inner == replaced {
		l.layoutReplaced(b, 0, constraints{width: -1, height: -1}, across, along)
		b.minContent, b.maxContent = b.w, b.w
		if b.isPercentage(propWidth) || b.isPercentage(propMaxWidth) {
			b.minContent = 0
		}
		return b.minContent, b.maxContent
	}
	if w, ok := b.borderBoxSize(propWidth, -1, across); ok {
		b.minContent, b.maxContent = w, w
	} else {
		b.minContent, b.maxContent = l.intrinsicContentWidths(b)
		b.minContent, b.maxContent = b.minContent+across, b.maxContent+across
	}
	b.minContent = b.clampSize(b.minContent, propMinWidth, propMaxWidth, -1, across)
	b.maxContent = b.clampSize(b.maxContent, propMinWidth, propMaxWidth, -1, across)
	return b.minContent, b.maxContent
}

func (b *box) isPercentage(id longhand) bool {
	ns := b.style.value(id)
	return len(ns) == 1 && ns[0].Kind == syntax.Percentage
}

// intrinsicContentWidths are those of its content box.
func (l *layout) intrinsicContentWidths(b *box) (least, most float64) {
	row := b.inner == innerFlex && !b.isColumn() || b.style.keyword(propDisplay, "inline") == "table-row"
	wraps := b.inner == innerFlex && b.wraps()
	sum, sumLeast := 0., 0.
	for _, k := range b.children {
		if k.outOfFlow() || k.lineBreak {
			most, sum = max(most, sum), 0
			continue
		}
		kl, km := l.intrinsicWidths(k)
		if !k.isText {
			_, across, _, _ := k.margins(0)
			kl, km = kl+across, km+across
		}
		least = max(least, kl)
		switch {
		case row || k.inlineLevel || k.isFloat():
			sum, sumLeast = sum+km, sumLeast+kl
		default:
			most, sum = max(most, sum, km), 0
		}
	}
	if most = max(most, sum); row && !wraps {
		least = sumLeast
	}
	switch b.inner {
	case innerGrid:
		gap := b.style.pxOr(propColumnGap, 0, 0)
		n := float64(len(b.gridTracks(1280, gap, len(b.children))))
		return n*least + (n-1)*gap, n*most + (n-1)*gap
	case innerTable:
		return least, most + b.borderSpacing()*float64(len(b.children[:min(len(b.children), 1)])+1)
	}
	return least, most
}
