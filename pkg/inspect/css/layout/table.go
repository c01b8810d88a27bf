package layout

import "libra/pkg/inspect/css/syntax"

// spacing is what stands between the cells of a table.
func (b *box) spacing() float64 {
	if b.s.word(dCollapse, "separate") == "collapse" {
		return 0
	}
	if ns := b.s.get(dSpacing); len(ns) > 0 {
		v, _ := b.s.length(ns[0], -1)
		return v
	}
	return 0
}

// table lays out the rows of a table.
func (l *layout) table(b *box, width float64) float64 {
	rows := tableRows(b.kids, nil)
	gap := b.spacing()
	columns := 0
	for _, r := range rows {
		n := 0
		for _, c := range r {
			n += c.colspan()
		}
		columns = min(max(columns, n), maxTracks)
	}
	if columns == 0 {
		return 0
	}
	widths := l.columnWidths(rows, columns, width-gap*float64(columns+1))
	y := gap
	for _, r := range rows {
		x, tall, column := gap, 0., 0
		for _, c := range r {
			w := -gap
			for range c.colspan() {
				if column < columns {
					w += widths[column] + gap
				}
				column++
			}
			l.item(c, max(w, 0), width)
			c.x, c.y = x, y
			x, tall = x+w+gap, max(tall, c.h)
		}
		y += tall + gap
	}
	return y
}

// tableRows lists the cells of each row below kids; what is no cell, a caption
// for example, has a row of its own.
func tableRows(kids []*box, rows [][]*box) [][]*box {
	var loose []*box // cells without a row
	for _, k := range kids {
		display := ""
		if !k.isText && !k.out() {
			display = k.s.word(dDisplay, "inline")
		}
		switch display {
		case "":
		case "table-cell":
			loose = append(loose, k)
			continue
		case "table-row-group", "table-header-group", "table-footer-group":
			rows = tableRows(k.kids, rows)
		case "table-row":
			var cells []*box
			for _, c := range k.kids {
				if !c.isText && !c.out() && !c.breaks {
					cells = append(cells, c)
				}
			}
			rows = append(rows, cells)
		case "table-column", "table-column-group":
		default:
			rows = append(rows, []*box{k})
		}
	}
	if len(loose) > 0 {
		rows = append(rows, loose)
	}
	return rows
}

// colspan is how many columns a cell takes.
func (b *box) colspan() int {
	if b.node != nil {
		for _, a := range b.node.Attr {
			if a.Key == "colspan" {
				if ns, ok := syntax.Values(a.Val); ok && len(ns) > 0 && ns[0].Kind == syntax.Number {
					return int(min(max(ns[0].Num, 1), maxTracks))
				}
			}
		}
	}
	return 1
}

// columnWidths divides the width of a table by what its cells ask for.
func (l *layout) columnWidths(rows [][]*box, n int, width float64) []float64 {
	least, most := make([]float64, n), make([]float64, n)
	for _, r := range rows {
		column := 0
		for _, c := range r {
			if span := c.colspan(); span == 1 && column < n {
				cl, cm := l.widths(c)
				if v, ok := c.s.px(dWidth, width); ok && c.percent(dWidth) {
					cm = max(v, cl)
				}
				least[column], most[column] = max(least[column], cl), max(most[column], cm)
				column++
			} else {
				column += span
			}
		}
	}
	sumLeast, sumMost := 0., 0.
	for i := range most {
		sumLeast, sumMost = sumLeast+least[i], sumMost+most[i]
	}
	for i := range most {
		switch {
		case sumMost <= width && sumMost > 0:
			most[i] *= width / sumMost
		case sumLeast < width && sumMost > sumLeast:
			most[i] = least[i] + (most[i]-least[i])*(width-sumLeast)/(sumMost-sumLeast)
		default:
			most[i] = least[i]
		}
	}
	return most
}
