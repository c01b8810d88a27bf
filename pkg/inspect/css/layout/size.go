package layout

import "math"

// frameOf is the room that a box is placed in.
type frameOf struct {
	width, height float64 // of the containing block; the height is negative if unknown
	shrink        bool    // as wide as what it holds, if no width is set
	given         float64 // the width that a row gives it, 0 for none
	holes         []hole  // floats beside it
}

// hole is what a float takes of lines beside it.
type hole struct {
	right       bool
	edge        float64 // where the room for lines begins, or ends
	top, bottom float64
	own         bool // not of a box around
}

// edges are the paddings and borders of b: left and right, top and bottom.
func (b *box) edges(base float64) (left, across, top, along float64) {
	side := func(i dim) float64 {
		return max(b.s.or(dPadding+i, base, 0), 0) + max(b.s.or(dBorder+i, base, 0), 0)
	}
	left, top = side(3), side(0)
	return left, left + side(1), top, top + side(2)
}

// sized is a width or height of b as its border has it: what the property says
// of its content goes without the edges.
func (b *box) sized(id dim, base, edges float64) (float64, bool) {
	v, ok := b.s.px(id, base)
	if ok && b.s.word(dBoxSizing, "content-box") == "content-box" {
		v += edges
	}
	return max(v, 0), ok
}

// bound holds v between the bounds of b.
func (b *box) bound(v float64, least, most dim, base, edges float64) float64 {
	if m, ok := b.sized(most, base, edges); ok {
		v = min(v, m)
	}
	if m, ok := b.sized(least, base, edges); ok {
		v = max(v, m)
	}
	return v
}

// place lays out b where avail pixels are free in a row.
func (l *layout) place(b *box, avail float64, f frameOf) {
	left, across, top, along := b.edges(f.width)
	if b.inner == replaced {
		l.replacedSize(b, avail, f, across, along)
		return
	}
	w, ok := b.sized(dWidth, f.width, across)
	switch {
	case f.given > 0:
		w = f.given
	case !ok && (f.shrink || b.inner == tabling):
		least, most := l.widths(b)
		w = min(most, max(least, avail))
	case !ok:
		w = avail - b.s.or(dMargin+1, f.width, 0) - b.s.or(dMargin+3, f.width, 0)
	}
	if f.given <= 0 {
		w = b.bound(w, dMinWidth, dMaxWidth, f.width, across)
	}
	h, fixed := b.sized(dHeight, f.height, along)
	ch := -1.
	if fixed {
		ch = max(h-along, 0)
	}
	b.w = max(w, across)
	holes := make([]hole, 0, len(f.holes))
	for _, x := range f.holes {
		x.edge, x.top, x.bottom = x.edge-left, x.top-top, x.bottom-top
		holes = append(holes, x)
	}
	content := l.contents(b, b.w-across, ch, holes)
	if ratio := ratioOf(nil, b.s); !fixed && ratio > 0 {
		h = max(b.w/ratio, content+along)
	} else if !fixed {
		h = content + along
	}
	b.h = b.bound(h, dMinHeight, dMaxHeight, f.height, along)
	for _, k := range b.kids {
		k.x, k.y = k.x+left, k.y+top
	}
	for i := range b.late {
		b.late[i].edge, b.late[i].top, b.late[i].bottom = b.late[i].edge+left, b.late[i].top+top, b.late[i].bottom+top
	}
}

// contents lays out what b holds, in a width of w, and returns its height.
func (l *layout) contents(b *box, w, h float64, holes []hole) float64 {
	w = max(w, 0)
	switch b.inner {
	case flexing:
		return l.flex(b, w)
	case gridding:
		return l.grid(b, w)
	case tabling:
		return l.table(b, w)
	}
	columns, gap := b.columns(w)
	fl := flow{l: l, b: b, width: (w+gap)/columns - gap, height: h, holes: holes}
	height := fl.run()
	if columns > 1 {
		each := math.Ceil(height / columns)
		for _, k := range b.kids {
			i := math.Min(math.Floor((k.y+k.h/2)/max(each, 1)), columns-1)
			k.x, k.y = k.x+i*(fl.width+gap), k.y-i*each
		}
		height = each
	}
	return height
}

// columns counts the columns that a width of w is divided into.
func (b *box) columns(w float64) (n, gap float64) {
	n = b.s.number(dColumnCount, 0)
	gap = b.s.or(dColumnGap, w, b.s.font)
	if each, ok := b.s.px(dColumnWidth, w); ok && each > 0 {
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

// replacedSize gives an image its size: what is set, else by its ratio.
func (l *layout) replacedSize(b *box, avail float64, f frameOf, across, along float64) {
	w, hasW := b.sized(dWidth, f.width, across)
	h, hasH := b.sized(dHeight, f.height, along)
	if f.given > 0 {
		w, hasW = f.given, true
	}
	switch {
	case !hasW && hasH && b.ratio > 0:
		w = (h-along)*b.ratio + across
	case !hasW && b.ratio > 0 && b.node.Data == "svg":
		w, hasW = avail, true
	case !hasW:
		w = across
	}
	if f.given <= 0 {
		w = b.bound(w, dMinWidth, dMaxWidth, f.width, across)
	}
	if !hasH {
		h = along
		if b.ratio > 0 {
			h += (w - across) / b.ratio
		}
	}
	b.w, b.h = w, b.bound(h, dMinHeight, dMaxHeight, f.height, along)
}
