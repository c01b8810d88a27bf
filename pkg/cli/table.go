package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"libra/pkg/libra"
)

// column is one column of a table, and what becomes of it on a terminal that is too
// narrow for all of them. In a pipe every column is whole.
type column struct {
	title string
	right bool   // aligned right, as figures are
	order int    // columns are left out in this order, 1 first; 0: it stays
	early bool   // it is left out before another column is cut
	below bool   // once left out, it is written below its row
	label string // what it begins with there
	least int    // what it may be cut to; 0: it is never cut
}

func left(title string) column  { return column{title: title} }
func right(title string) column { return column{title: title, right: true} }

// goes says when the column is left out.
func (c column) goes(order int) column { c.order = order; return c }

// goesFirst says that it is left out before anything is cut: an id, which a URL
// stands for.
func (c column) goesFirst() column { c.order, c.early = 1, true; return c }

// goesBelow says that it is written below its row, after a label, once it is left out.
func (c column) goesBelow(label string) column { c.below, c.label = true, label; return c }

// cutTo says how short its cells may be.
func (c column) cutTo(least int) column { c.least = least; return c }

// cell is one field of a table.
type cell struct {
	text   string
	colour string
	short  string // for a terminal that is too narrow for text
}

// row is one line of a table, and notes on the lines below it.
type row struct {
	cells []cell
	notes []cell
}

// table aligns cells in columns.
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
		t.remark(cell{text: "! " + s, colour: red})
	}
}

// remark goes below the last row.
func (t *table) remark(c cell) {
	last := &t.rows[len(t.rows)-1]
	last.notes = append(last.notes, cell{text: printable(c.text), colour: c.colour})
}

func text(s string) cell { return cell{text: s} }

func painted(s, colour string) cell { return cell{text: s, colour: colour} }

func size(n int64) cell { return cell{text: libra.FormatBytes(n)} }

func count(n int) cell { return cell{text: fmt.Sprint(n)} }

// timeCell is a time; where the terminal is narrow, its age.
func timeCell(at time.Time) cell {
	return cell{text: moment(at), short: libra.FormatAge(time.Since(at))}
}

// dateCell is a time; where the terminal is narrow, without year and seconds.
func dateCell(at time.Time) cell {
	return cell{text: moment(at), short: at.Local().Format("2 Jan 15:04")}
}

// gap is between two columns.
const gap = 2

// write prints the table with its titles, within the columns of the screen.
func (t *table) write(w io.Writer, s screen) {
	shown, widths, gone := t.fit(s.width)
	titles := make([]cell, len(t.columns))
	for i, c := range t.columns {
		titles[i] = painted(c.title, bold)
	}
	t.line(w, s, shown, widths, titles)
	indent := strings.Repeat(" ", widths[shown[0]]+gap)
	if s.width > 0 {
		indent = strings.Repeat(" ", min(len(indent), maxIndent))
	}
	for _, r := range t.rows {
		t.line(w, s, shown, widths, r.cells)
		for _, note := range slices.Concat(t.below(gone, r.cells), r.notes) {
			for _, line := range wrap(note.text, s.width-len(indent)) {
				fmt.Fprintf(w, "%s%s\n", indent, s.paint(note.colour, line))
			}
		}
	}
	if missing := t.missing(gone); len(missing) > 0 {
		for _, line := range wrap("(no room for: "+strings.Join(missing, ", ")+")", s.width) {
			fmt.Fprintln(w, s.paint(dim, line))
		}
	}
}

// maxIndent of notes on a terminal.
const maxIndent = 10

// below is what is left out of a row and written below it: sentences first, then
// what needs a label.
func (t *table) below(gone []int, cells []cell) (notes []cell) {
	var labelled []cell
	for _, i := range gone {
		switch c, text := t.columns[i], cells[i].text; {
		case !c.below, text == "", text == "-":
		case c.label == "":
			notes = append(notes, cells[i])
		default:
			labelled = append(labelled, painted(c.label+" "+text, cells[i].colour))
		}
	}
	return append(notes, labelled...)
}

// missing are the titles of what is left out altogether.
func (t *table) missing(gone []int) (titles []string) {
	for _, i := range gone {
		if !t.columns[i].below {
			titles = append(titles, t.columns[i].title)
		}
	}
	return titles
}

// fit decides which columns are shown, and how wide. Where the screen is too narrow,
// cells are first written short, then columns that go first are left out, then the
// others in their order until what remains can be cut to fit.
func (t *table) fit(screen int) (shown []int, widths []int, gone []int) {
	for i := range t.columns {
		shown = append(shown, i)
	}
	widths = t.widths()
	if screen == 0 || total(shown, widths) <= screen {
		return shown, widths, nil
	}
	t.shorten()
	widths = t.widths()
	least := slices.Clone(widths)
	for i, c := range t.columns {
		if c.least > 0 {
			least[i] = min(widths[i], max(c.least, len(c.title)))
		}
	}
	for {
		next := t.next(shown)
		if next < 0 || total(shown, widths) <= screen || !t.columns[next].early && total(shown, least) <= screen {
			break
		}
		shown = slices.DeleteFunc(shown, func(i int) bool { return i == next })
		gone = append(gone, next)
	}
	shown, gone = fill(shown, gone, widths, screen)
	return shown, t.cutWidths(shown, widths, least, screen), gone
}

// fill shows again what has room once others are left out.
func fill(shown, gone, widths []int, screen int) (more, fewer []int) {
	for _, i := range slices.Backward(gone) {
		if with := append(slices.Clone(shown), i); total(with, widths) <= screen {
			shown = with
		} else {
			fewer = append(fewer, i)
		}
	}
	slices.Sort(shown)
	slices.Sort(fewer)
	return shown, fewer
}

// next is the column that is left out next, -1 if none may be.
func (t *table) next(shown []int) int {
	next := -1
	for _, i := range shown {
		if o := t.columns[i].order; o > 0 && (next < 0 || o < t.columns[next].order) {
			next = i
		}
	}
	return next
}

// cutWidths gives what room is left to the columns that may be cut, in equal parts,
// and no column more than it needs.
func (t *table) cutWidths(shown, widths, least []int, screen int) []int {
	given := slices.Clone(least)
	for room := screen - total(shown, given); room > 0; {
		before := room
		for _, i := range shown {
			if given[i] < widths[i] && room > 0 {
				given[i]++
				room--
			}
		}
		if room == before {
			break
		}
	}
	return given
}

func total(shown, widths []int) (n int) {
	for _, i := range shown {
		n += widths[i] + gap
	}
	return n - gap
}

// widths are those of the longest cells.
func (t *table) widths() []int {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		widths[i] = len(c.title)
	}
	for _, r := range t.rows {
		for i, c := range r.cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(c.text))
		}
	}
	return widths
}

func (t *table) shorten() {
	for _, r := range t.rows {
		for i, c := range r.cells {
			if c.short != "" {
				r.cells[i].text = c.short
			}
		}
	}
}

func (t *table) line(w io.Writer, s screen, shown, widths []int, cells []cell) {
	var b strings.Builder
	for n, i := range shown {
		c, last := cells[i], n == len(shown)-1
		if s.width > 0 {
			c.text = cut(c.text, widths[i])
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
			b.WriteString(strings.Repeat(" ", gap))
		}
	}
	fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
}

// cut shortens s to n characters, the middle going first: the end of a URL
// identifies more than its middle.
func cut(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	head := n / 3
	return string(runes[:head]) + "…" + string(runes[len(runes)-(n-head-1):])
}

// wrap breaks s into lines of at most n characters, between words where it can. It
// leaves s whole where lines have no end.
func wrap(s string, n int) (lines []string) {
	if n <= 0 || utf8.RuneCountInString(s) <= n {
		return []string{s}
	}
	line := ""
	for word := range strings.FieldsSeq(s) {
		runes := []rune(word)
		if line != "" && utf8.RuneCountInString(line)+1+len(runes) <= n {
			line += " " + word
			continue
		}
		if line != "" {
			lines = append(lines, line)
		}
		for len(runes) > n {
			lines, runes = append(lines, string(runes[:n])), runes[n:]
		}
		line = string(runes)
	}
	return append(lines, line)
}
