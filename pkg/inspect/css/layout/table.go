package layout

import (
	"strconv"
	"strings"
)

// borderSpacing is the distance between the cells of a table.
func (b *box) borderSpacing() float64 {
	if b.style.keyword(propCollapse, "separate") == "collapse" {
		return 0
	}
	if ns := b.style.value(propSpacing); len(ns) > 0 {
		v, _ := b.style.length(ns[0], -1)
		return v
	}
	return 0
}

// layoutTable lays out the rows of a table and returns the content height.
func (l *layout) layoutTable(b *box, width float64) float64 {
	rows := tableRows(b.children, nil)
	gap := b.borderSpacing()
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
		x, rowHeight, column := gap, 0., 0
		for _, c := range r {
			w := -gap
			for range c.colspan() {
				if column < columns {
					w += widths[column] + gap
				}
				column++
			}
			l.layoutItem(c, max(w, 0), width)
			c.x, c.y = x, y
			x, rowHeight = x+w+gap, max(rowHeight, c.h)
		}
		y += rowHeight + gap
	}
	return y
}

// tableRows lists the cells of each row below kids; a box that is no part of a
// row, such as a caption, counts as a row of its own.
func tableRows(kids []*box, rows [][]*box) [][]*box {
	var loose []*box // cells without a row
	for _, k := range kids {
		display := ""
		if !k.isText && !k.outOfFlow() {
			display = k.style.keyword(propDisplay, "inline")
		}
		switch display {
		case "":
		case "table-cell":
			loose = append(loose, k)
			continue
		case "table-row-group", "table-header-group", "table-footer-group":
			rows = tableRows(k.children, rows)
		case "table-row":
			var cells []*box
			for _, c := range k.children {
				if !c.isText && !c.outOfFlow() && !c.lineBreak {
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

// colspan is how many columns a cell spans.
func (b *box) colspan() int {
	if b.node != nil {
		for _, a := range b.node.Attr {
			if n, err := strconv.Atoi(strings.TrimSpace(a.Val)); a.Key == "colspan" && err == nil {
				return min(max(n, 1), maxTracks)
			}
		}
	}
	return 1
}

// columnWidths distributes the width of a table over its columns by the
// intrinsic widths of their cells.
func (l *layout) columnWidths(rows [][]*box, n int, width float64) []float64 {
	least, most := make([]float64, n), make([]float64, n)
	for _, r := range rows {
		column := 0
		for _, c := range r {
			if span := c.colspan(); span == 1 && column < n {
				cl, cm := l.intrinsicWidths(c)
				if v, ok := c.style.px(propWidth, width); ok && c.isPercentage(propWidth) {
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
