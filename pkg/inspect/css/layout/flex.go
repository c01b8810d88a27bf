package layout

import (
	"math"
	"strings"

	"libra/pkg/inspect/css/syntax"
)

func (b *box) isColumn() bool {
	return strings.HasPrefix(b.style.keyword(propDirection, "row"), "column")
}

func (b *box) wraps() bool { return b.style.keyword(propWrap, "nowrap") != "nowrap" }

// layoutFlex lays out the lines of a flex container.
func (l *layout) layoutFlex(b *box, width float64) {
	if b.isColumn() {
		l.layoutFlexColumn(b, width)
		return
	}
	var row []*box
	used, gap := 0., b.style.pxOr(propColumnGap, width, 0)
	for _, k := range b.children {
		if k.outOfFlow() {
			continue
		}
		w := l.flexBasis(k, width)
		if len(row) > 0 && b.wraps() && used+gap+w > width+.5 {
			b.lines = append(b.lines, l.layoutFlexLine(row, width, gap))
			row, used = nil, 0
		}
		if len(row) > 0 {
			used += gap
		}
		row, used = append(row, k), used+w
	}
	b.lines = append(b.lines, l.layoutFlexLine(row, width, gap))
}

// flexBasis is the hypothetical main size of an item of a row, margins included;
// k.w is set to it without them.
func (l *layout) flexBasis(k *box, width float64) float64 {
	if k.isText {
		k.w = k.maxContent
		return k.w
	}
	_, across, _, _ := k.borderPadding(width)
	w, ok := k.borderBoxSize(propBasis, width, across)
	if ns := k.style.value(propBasis); len(ns) == 1 && ns[0].Kind == syntax.Number {
		w, ok = across, true // flex: 1
	}
	if !ok {
		w, ok = k.borderBoxSize(propWidth, width, across)
	}
	if !ok {
		_, w = l.intrinsicWidths(k)
	}
	k.w = k.clampSize(w, propMinWidth, propMaxWidth, width, across)
	if _, bounded := k.style.px(propMinWidth, width); !bounded && k.style.number(propShrink, 1) > 0 && k.style.value(propBasis) != nil {
		least, _ := l.intrinsicWidths(k)
		k.w = max(k.w, min(least, width))
	}
	_, m, _, _ := k.margins(width)
	return k.w + m
}

// layoutFlexLine distributes the free space of one line and lays out its items.
func (l *layout) layoutFlexLine(row []*box, width, gap float64) line {
	free, grow, shrink := width-gap*float64(len(row)-1), 0., 0.
	for _, k := range row {
		_, m, _, _ := k.margins(width)
		free -= k.w + m
		grow += k.style.number(propGrow, 0)
		shrink += k.style.number(propShrink, 1) * k.w
	}
	x, cross := 0., 0.
	for _, k := range row {
		left, m, top, along := k.margins(width)
		_, across, _, _ := k.borderPadding(width)
		w := k.w
		switch {
		case free > 0 && grow > 0 && !k.isText:
			w = k.clampSize(w+free*k.style.number(propGrow, 0)/max(grow, 1), propMinWidth, propMaxWidth, width, across)
		case free < 0 && shrink > 0:
			least, _ := l.intrinsicWidths(k)
			if _, ok := k.style.px(propMinWidth, width); ok || k.style.keyword(propOverflow, "visible") != "visible" {
				least = 0
			}
			w = max(w+free*k.style.number(propShrink, 1)*w/shrink, min(least, w))
		}
		l.layoutItem(k, w, width)
		k.x, k.y = x+left, top
		x, cross = x+w+m+gap, max(cross, k.h+along)
	}
	return line{row, cross}
}

// layoutItem lays out a box at the width that its container gives it.
func (l *layout) layoutItem(k *box, w, width float64) {
	if !k.isText {
		l.layoutBox(k, w, constraints{width: width, height: -1, definiteWidth: max(w, .01)})
		return
	}
	k.w = w
	k.h = k.style.lineHeight * math.Ceil(max(k.maxContent, 1)/max(w, 16))
}

// layoutFlexColumn lays out a column container, each item of which is a line.
func (l *layout) layoutFlexColumn(b *box, width float64) {
	for _, k := range b.children {
		if k.outOfFlow() {
			continue
		}
		if k.isText {
			l.layoutItem(k, min(k.maxContent, width), width)
		} else {
			align := b.style.keyword(propAlignItems, "stretch")
			l.layoutBox(k, width, constraints{width: width, height: -1, shrinkToFit: align != "stretch" && align != "normal"})
		}
		_, _, top, along := k.margins(width)
		k.x, k.y = k.marginOffset(width), top
		height := k.h
		if basis, ok := k.style.px(propBasis, -1); ok && !k.isText {
			height = max(height, basis)
		}
		b.lines = append(b.lines, line{[]*box{k}, height + along})
	}
}
