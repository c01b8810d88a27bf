package layout

import "strings"

// line is a flex line, an item of a column container, or a row of a grid.
type line struct {
	items  []*box
	height float64
}

// stackLines places the lines of b below each other and returns their height.
func (b *box) stackLines(width float64) float64 {
	y, gap := 0., b.style.pxOr(propRowGap, width, 0)
	for _, l := range b.lines {
		for _, k := range l.items {
			k.y += y
		}
		y += l.height + gap
	}
	return max(y-gap, 0)
}

// alignLines distributes the free height of b over its lines and aligns the
// items in them (CSS Box Alignment Level 3, without baselines).
func (b *box) alignLines(free float64) {
	n, first, between, stretch := float64(len(b.lines)), 0., 0., 0.
	column, word := b.inner == innerFlex && b.isColumn(), "normal"
	if column {
		word = b.style.keyword(propJustifyContent, "start")
	} else if b.inner == innerGrid || b.wraps() {
		word = b.style.keyword(propAlignContent, word)
	}
	switch word {
	case "center":
		first = free / 2
	case "end", "flex-end":
		first = free
	case "space-between":
		between = free / max(n-1, 1)
	case "space-around":
		first, between = free/n/2, free/n
	case "space-evenly":
		first, between = free/(n+1), free/(n+1)
	case "normal", "stretch":
		stretch = free / n
	}
	for i, l := range b.lines {
		for _, k := range l.items {
			if k.y += first + float64(i)*(between+stretch); !column && !k.isText {
				_, _, _, along := k.margins(b.w)
				k.y += k.alignment(b) * max(l.height+stretch-k.h-along, 0)
			}
		}
	}
}

// alignment is the part of the free height of its line that is above an item.
func (b *box) alignment(container *box) float64 {
	word := b.style.keyword(propAlignSelf, container.style.keyword(propAlignItems, "normal"))
	switch top, bottom := b.autoMargin(0), b.autoMargin(2); {
	case top && bottom, word == "center" && top == bottom:
		return .5
	case top, !bottom && strings.HasSuffix(word, "end"):
		return 1
	}
	return 0
}
