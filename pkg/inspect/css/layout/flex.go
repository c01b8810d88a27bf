package layout

import (
	"math"
	"strings"

	"libra/pkg/inspect/css/syntax"
)

// widths are those of b's border if each line is as short as can be, and if
// nothing wraps.
func (l *layout) widths(b *box) (least, most float64) {
	if b.measured {
		return b.min, b.max
	}
	b.measured = true
	_, across, _, along := b.edges(0)
	if b.inner == replaced {
		l.replacedSize(b, 0, frameOf{width: -1, height: -1}, across, along)
		b.min, b.max = b.w, b.w
		if b.percent(dWidth) || b.percent(dMaxWidth) {
			b.min = 0
		}
		return b.min, b.max
	}
	if w, ok := b.sized(dWidth, -1, across); ok {
		b.min, b.max = w, w
	} else {
		b.min, b.max = l.contentWidths(b)
		b.min, b.max = b.min+across, b.max+across
	}
	b.min = b.bound(b.min, dMinWidth, dMaxWidth, -1, across)
	b.max = b.bound(b.max, dMinWidth, dMaxWidth, -1, across)
	return b.min, b.max
}

func (b *box) percent(id dim) bool {
	ns := b.s.get(id)
	return len(ns) == 1 && ns[0].Kind == syntax.Percentage
}

// contentWidths is widths of what b holds.
func (l *layout) contentWidths(b *box) (least, most float64) {
	row := b.inner == flexing && !strings.HasPrefix(b.s.word(dDirection, "row"), "column") || b.isRow()
	wraps := b.inner == flexing && b.s.word(dWrap, "nowrap") != "nowrap"
	sum, sumLeast := 0., 0.
	for _, k := range b.kids {
		if k.out() || k.breaks {
			most, sum = max(most, sum), 0
			continue
		}
		kl, km := l.widths(k)
		if !k.isText {
			_, across, _, _ := k.margins(0)
			kl, km = kl+across, km+across
		}
		least = max(least, kl)
		switch {
		case row || k.inline || k.floats():
			sum, sumLeast = sum+km, sumLeast+kl
		default:
			most, sum = max(most, sum, km), 0
		}
	}
	if most = max(most, sum); row && !wraps {
		least = sumLeast
	}
	switch b.inner {
	case gridding:
		gap := b.s.or(dColumnGap, 0, 0)
		n := float64(len(b.tracks(1280, gap, len(b.kids))))
		return n*least + (n-1)*gap, n*most + (n-1)*gap
	case tabling:
		return least, most + b.spacing()*float64(len(b.kids[:min(len(b.kids), 1)])+1)
	}
	return least, most
}

func (b *box) isRow() bool { return b.s.word(dDisplay, "inline") == "table-row" }

// flex lays out rows of boxes, or a column.
func (l *layout) flex(b *box, width float64) float64 {
	rowGap, gap := b.s.or(dRowGap, width, 0), b.s.or(dColumnGap, width, 0)
	if strings.HasPrefix(b.s.word(dDirection, "row"), "column") {
		return l.column(b, width, rowGap)
	}
	var row []*box
	y, used := 0., 0.
	wraps := b.s.word(dWrap, "nowrap") != "nowrap"
	for _, k := range b.kids {
		if k.out() {
			k.x, k.y = 0, y
			continue
		}
		w := l.basis(k, width)
		if len(row) > 0 && wraps && used+gap+w > width+.5 {
			y += l.row(row, y, width, gap) + rowGap
			row, used = row[:0], 0
		}
		if len(row) > 0 {
			used += gap
		}
		row, used = append(row, k), used+w
	}
	return y + l.row(row, y, width, gap)
}

// basis is the width that k has in a row before it grows or shrinks, margins
// included; it is left in k.w without them.
func (l *layout) basis(k *box, width float64) float64 {
	if k.isText {
		k.w = k.max
		return k.w
	}
	_, across, _, _ := k.edges(width)
	w, ok := k.sized(dBasis, width, across)
	if ns := k.s.get(dBasis); len(ns) == 1 && ns[0].Kind == syntax.Number {
		w, ok = across, true // flex: 1
	}
	if !ok {
		w, ok = k.sized(dWidth, width, across)
	}
	if !ok {
		_, w = l.widths(k)
	}
	k.w = k.bound(w, dMinWidth, dMaxWidth, width, across)
	if _, bounded := k.s.px(dMinWidth, width); !bounded && k.s.number(dShrink, 1) > 0 && k.s.get(dBasis) != nil {
		least, _ := l.widths(k)
		k.w = max(k.w, min(least, width))
	}
	_, m, _, _ := k.margins(width)
	return k.w + m
}

// row lays out one row of boxes and returns its height.
func (l *layout) row(row []*box, y, width, gap float64) float64 {
	free, grow, shrink := width-gap*float64(len(row)-1), 0., 0.
	for _, k := range row {
		_, m, _, _ := k.margins(width)
		free -= k.w + m
		grow += k.s.number(dGrow, 0)
		shrink += k.s.number(dShrink, 1) * k.w
	}
	x, tall := 0., 0.
	for _, k := range row {
		left, m, top, along := k.margins(width)
		_, across, _, _ := k.edges(width)
		w := k.w
		switch {
		case free > 0 && grow > 0 && !k.isText:
			w = k.bound(w+free*k.s.number(dGrow, 0)/max(grow, 1), dMinWidth, dMaxWidth, width, across)
		case free < 0 && shrink > 0:
			least, _ := l.widths(k)
			if _, ok := k.s.px(dMinWidth, width); ok || k.s.word(dOverflow, "visible") != "visible" {
				least = 0
			}
			w = max(w+free*k.s.number(dShrink, 1)*w/shrink, min(least, w))
		}
		l.item(k, w, width)
		k.x, k.y = x+left, y+top
		x, tall = x+w+m+gap, max(tall, k.h+along)
	}
	return tall
}

// item lays out a box whose width is known.
func (l *layout) item(k *box, w, width float64) {
	if !k.isText {
		l.place(k, w, frameOf{width: width, height: -1, given: max(w, .01)})
		return
	}
	k.w = w
	k.h = k.s.line * math.Ceil(max(k.max, 1)/max(w, 16))
}

// column lays out boxes below each other.
func (l *layout) column(b *box, width, gap float64) float64 {
	y := 0.
	for i, k := range b.kids {
		if k.out() {
			k.x, k.y = 0, y
			continue
		}
		if i > 0 && y > 0 {
			y += gap
		}
		if k.isText {
			l.item(k, min(k.max, width), width)
		} else {
			align := b.s.word(dAlign, "stretch")
			l.place(k, width, frameOf{width: width, height: -1, shrink: align != "stretch" && align != "normal"})
		}
		_, _, top, along := k.margins(width)
		k.x, k.y = k.aside(width), y+top
		y += k.h + along
		if basis, ok := k.s.px(dBasis, -1); ok && basis > k.h && !k.isText {
			y += basis - k.h
		}
	}
	return y
}
