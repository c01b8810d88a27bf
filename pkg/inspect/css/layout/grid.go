package layout

import (
	"strings"

	"libra/pkg/inspect/css/syntax"
)

// track is the sizing of a column: a length, a share of the free space, or both.
type track struct{ px, fr float64 }

// gridTracks are the columns of a grid with n items, repetitions expanded.
func (b *box) gridTracks(width, gap float64, n int) []track {
	var list []track
	for _, x := range b.style.value(propGridColumns) {
		if !x.IsFunction("repeat") {
			list = b.appendTrack(list, x, width)
			continue
		}
		parts := syntax.Split(x.Args, syntax.IsComma)
		if len(parts) != 2 || len(parts[0]) != 1 {
			continue
		}
		var each []track
		for _, y := range syntax.Fields(parts[1]) {
			each = b.appendTrack(each, y, width)
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

// appendTrack appends the track that n describes.
func (b *box) appendTrack(list []track, n syntax.Value, width float64) []track {
	if n.Kind == syntax.OpenBracket {
		return list // line names
	}
	if n.IsFunction("minmax") {
		if parts := syntax.Split(n.Args, syntax.IsComma); len(parts) == 2 && len(parts[0]) == 1 && len(parts[1]) == 1 {
			bounds := b.appendTrack(b.appendTrack(nil, parts[0][0], width), parts[1][0], width)
			switch {
			case len(bounds) < 2: // line names, which are invalid here
				return list
			case bounds[1].fr == 0 && parts[1][0].Kind != syntax.Ident:
				return append(list, track{px: max(bounds[0].px, bounds[1].px)})
			}
			return append(list, track{px: bounds[0].px, fr: max(bounds[1].fr, 1)})
		}
	}
	if n.Kind == syntax.Dimension && strings.EqualFold(n.Text, "fr") {
		return append(list, track{fr: n.Num})
	}
	if v, ok := b.style.length(n, width); ok {
		return append(list, track{px: v})
	}
	return append(list, track{fr: 1})
}

// trackSizes are the widths of the tracks of a grid of a width.
func trackSizes(list []track, width, gap float64) []float64 {
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

// layoutGrid places the items automatically, row by row.
func (l *layout) layoutGrid(b *box, width float64) {
	gap := b.style.pxOr(propColumnGap, width, 0)
	widths := trackSizes(b.gridTracks(width, gap, len(b.children)), width, gap)
	var row line
	column := 0
	for _, k := range b.children {
		if k.outOfFlow() {
			continue
		}
		span := min(k.columnSpan(len(widths)), len(widths))
		if column+span > len(widths) {
			b.lines = append(b.lines, row)
			row, column = line{}, 0
		}
		x, w := 0., gap*float64(span-1)
		for i := range column + span {
			if i < column {
				x += widths[i] + gap
			} else {
				w += widths[i]
			}
		}
		left, _, top, along := k.margins(w)
		if k.isText {
			l.layoutItem(k, w, w)
		} else {
			l.layoutBox(k, w, constraints{width: w, height: -1, shrinkToFit: b.style.keyword(propJustifyItems, "") == "center"})
		}
		k.x, k.y = x+left, top
		row.items, row.height, column = append(row.items, k), max(row.height, k.h+along), column+span
	}
	b.lines = append(b.lines, row)
}

// columnSpan is how many of n columns an item spans.
func (b *box) columnSpan(n int) int {
	if b.isText {
		return 1
	}
	var lines []int
	for i, x := range b.style.value(propGridColumn) {
		switch {
		case x.Kind == syntax.Number && i > 0 && b.style.value(propGridColumn)[i-1].IsIdent("span"):
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
