package cli

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"libra/pkg/libra"
)

// column is one column of a table.
type column struct {
	title string
	right bool // aligned right, as figures are
}

// cell is one field of a table.
type cell struct {
	text   string
	colour string
}

// row is one line of a table, and notes on the lines below it.
type row struct {
	cells []cell
	notes []cell
}

// table aligns cells in columns. Only the last column is cut, and only on a
// terminal.
type table struct {
	columns []column
	rows    []row
}

func (t *table) add(cells ...cell) {
	for i := range cells {
		cells[i].text = printable(cells[i].text)
	}
	t.rows = append(t.rows, row{cells: cells})
}

// note goes below the last row: what is wrong.
func (t *table) note(s string) {
	if s != "" {
		t.remark(cell{"! " + s, red})
	}
}

// remark goes below the last row.
func (t *table) remark(c cell) {
	last := &t.rows[len(t.rows)-1]
	last.notes = append(last.notes, cell{printable(c.text), c.colour})
}

func text(s string) cell { return cell{text: s} }

func size(n int64) cell { return cell{text: libra.FormatBytes(n)} }

func count(n int) cell { return cell{text: fmt.Sprint(n)} }

// write prints the table with its titles.
func (t *table) write(w io.Writer, s screen) {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		widths[i] = len(c.title)
	}
	for _, r := range t.rows {
		for i, c := range r.cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	titles := make([]cell, len(t.columns))
	for i, c := range t.columns {
		titles[i] = cell{c.title, bold}
	}
	t.line(w, s, widths, titles)
	for _, r := range t.rows {
		t.line(w, s, widths, r.cells)
		for _, note := range r.notes {
			fmt.Fprintf(w, "%s%s\n", strings.Repeat(" ", widths[0]+2), s.paint(note.colour, note.text))
		}
	}
}

func (t *table) line(w io.Writer, s screen, widths []int, cells []cell) {
	var b strings.Builder
	used := 0
	for i, c := range cells {
		last := i == len(cells)-1
		if last && s.width > 0 {
			c.text = cut(c.text, s.width-used)
		}
		pad := strings.Repeat(" ", max(widths[i]-utf8.RuneCountInString(c.text), 0))
		switch {
		case t.columns[i].right:
			b.WriteString(pad + s.paint(c.colour, c.text))
		case last:
			b.WriteString(s.paint(c.colour, c.text))
		default:
			b.WriteString(s.paint(c.colour, c.text) + pad)
		}
		if !last {
			b.WriteString("  ")
		}
		used += widths[i] + 2
	}
	fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
}

// leastCut is what a cell is never cut below: a wrapped line is better.
const leastCut = 20

// cut shortens s to n characters, the middle going first: the end of a URL
// identifies more than its middle.
func cut(s string, n int) string {
	n = max(n, leastCut)
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	head := n / 3
	return string(runes[:head]) + "…" + string(runes[len(runes)-(n-head-1):])
}
