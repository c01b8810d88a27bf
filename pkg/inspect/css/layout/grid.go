package layout

import (
	"strings"

	"libra/pkg/inspect/css/syntax"
)

// track is a column of a grid: a length, a share of what is free, or both.
type track struct{ px, fr float64 }

// tracks are the columns of a grid for n boxes.
func (b *box) tracks(width, gap float64, n int) []track {
	var list []track
	for _, x := range b.s.get(dGridColumns) {
		if !x.IsFunction("repeat") {
			list = b.track(list, x, width)
			continue
		}
		parts := syntax.Split(x.Args, syntax.IsComma)
		if len(parts) != 2 || len(parts[0]) != 1 {
			continue
		}
		var each []track
		for _, y := range syntax.Fields(parts[1]) {
			each = b.track(each, y, width)
		}
		if len(list) > maxTracks {
			break
		}
		times := int(min(parts[0][0].Num, maxTracks))
		if parts[0][0].Kind == syntax.Ident && len(each) > 0 {
			used := 0.
			for _, t := range each {
				used += max(t.px, 1) + gap
			}
			times = int(min(max((width+gap)/used, 1), maxTracks))
			if parts[0][0].IsIdent("auto-fit") {
				times = min(times, max((n+len(each)-1)/len(each), 1))
			}
		}
		for range times {
			list = append(list, each...)
		}
	}
	if len(list) == 0 {
		list = []track{{fr: 1}}
	}
	return list[:min(len(list), maxTracks)]
}

// maxTracks bounds the columns of grids and tables.
const maxTracks = 1000

// track adds what n stands for to list.
func (b *box) track(list []track, n syntax.Value, width float64) []track {
	if n.Kind == syntax.OpenBracket {
		return list // a name
	}
	if n.IsFunction("minmax") {
		if parts := syntax.Split(n.Args, syntax.IsComma); len(parts) == 2 && len(parts[0]) == 1 && len(parts[1]) == 1 {
			least := b.track(nil, parts[0][0], width)[0]
			most := b.track(nil, parts[1][0], width)[0]
			if most.fr == 0 && parts[1][0].Kind != syntax.Ident {
				return append(list, track{px: max(least.px, most.px)})
			}
			return append(list, track{px: least.px, fr: max(most.fr, 1)})
		}
	}
	if n.Kind == syntax.Dimension && strings.EqualFold(n.Text, "fr") {
		return append(list, track{fr: n.Num})
	}
	if v, ok := b.s.length(n, width); ok {
		return append(list, track{px: v})
	}
	return append(list, track{fr: 1})
}

// divide gives each track its width.
func divide(list []track, width, gap float64) []float64 {
	free, fr := width-gap*float64(len(list)-1), 0.
	for _, t := range list {
		if fr += t.fr; t.fr == 0 {
			free -= t.px
		}
	}
	widths := make([]float64, len(list))
	for i, t := range list {
		widths[i] = t.px
		if t.fr > 0 {
			widths[i] = max(t.px, free*t.fr/max(fr, 1), 0)
		}
	}
	return widths
}

// grid lays out boxes in the cells of a grid, row by row.
func (l *layout) grid(b *box, width float64) float64 {
	gap, rowGap := b.s.or(dColumnGap, width, 0), b.s.or(dRowGap, width, 0)
	widths := divide(b.tracks(width, gap, len(b.kids)), width, gap)
	y, tall, column := 0., 0., 0
	for _, k := range b.kids {
		if k.out() {
			k.x, k.y = 0, y
			continue
		}
		span := min(k.span(len(widths)), len(widths))
		if column+span > len(widths) {
			y, tall, column = y+tall+rowGap, 0, 0
		}
		x, w := 0., gap*float64(span-1)
		for i := range column + span {
			if i < column {
				x += widths[i] + gap
			} else {
				w += widths[i]
			}
		}
		left, m, top, along := k.margins(w)
		if k.inner == replaced {
			l.place(k, w-m, frameOf{width: w, height: -1})
		} else {
			l.item(k, k.inCell(w, w-m), w)
		}
		k.x, k.y = x+left, y+top
		tall, column = max(tall, k.h+along), column+span
	}
	return y + tall
}

// inCell is how wide b is in a cell of width w where avail is free.
func (b *box) inCell(w, avail float64) float64 {
	if b.isText {
		return avail
	}
	_, across, _, _ := b.edges(w)
	if v, ok := b.sized(dWidth, w, across); ok {
		avail = v
	}
	return b.bound(avail, dMinWidth, dMaxWidth, w, across)
}

// span is how many of n columns b takes.
func (b *box) span(n int) int {
	if b.isText {
		return 1
	}
	var lines []int
	for i, x := range b.s.get(dGridColumn) {
		switch {
		case x.Kind == syntax.Number && i > 0 && b.s.get(dGridColumn)[i-1].IsIdent("span"):
			return max(int(x.Num), 1)
		case x.Kind == syntax.Number:
			at := int(x.Num)
			if at < 0 {
				at += n + 2
			}
			lines = append(lines, at)
		}
	}
	if len(lines) == 2 {
		return max(lines[1]-lines[0], 1)
	}
	return 1
}
