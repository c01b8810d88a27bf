package markup

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// inTable: what belongs between the rows is put before the table, which is
// left to html.Parse.
func (q *quick) inTable() bool {
	switch q.tok.kind {
	case endOfFile, doctypeToken:
		return true
	case commentToken:
		q.comment(q.top())
		return true
	case textToken:
		switch q.topTag() {
		case atom.Table, atom.Tbody, atom.Tfoot, atom.Thead, atom.Tr:
			if strings.Trim(q.tok.data, whitespace) == "" {
				q.text(q.tok.data)
				return true
			}
		}
	case startTag:
		return q.tableStart()
	case endTag:
		switch q.tok.tag {
		case atom.Table:
			if q.closeTo(tableScope, atom.Table) {
				q.resetMode()
			}
			return true
		case atom.Body, atom.Caption, atom.Col, atom.Colgroup, atom.Html, atom.Tbody, atom.Td, atom.Tfoot, atom.Th, atom.Thead, atom.Tr:
			return true
		}
	}
	return q.giveUp()
}

func (q *quick) tableStart() bool {
	switch q.tok.tag {
	case atom.Caption:
		q.clearTo(atom.Table)
		q.formatting = append(q.formatting, format{})
		q.element()
		q.mode = inCaption
	case atom.Colgroup:
		q.clearTo(atom.Table)
		q.element()
		q.mode = inColumnGroup
	case atom.Col:
		q.clearTo(atom.Table)
		q.implied(atom.Colgroup)
		q.mode = inColumnGroup
		return false
	case atom.Tbody, atom.Tfoot, atom.Thead:
		q.clearTo(atom.Table)
		q.element()
		q.mode = inTableBody
	case atom.Td, atom.Th, atom.Tr:
		q.clearTo(atom.Table)
		q.implied(atom.Tbody)
		q.mode = inTableBody
		return false
	case atom.Table:
		if q.closeTo(tableScope, atom.Table) {
			q.resetMode()
			return false
		}
	case atom.Style, atom.Script:
		q.metadata(q.top())
	case atom.Form:
		if q.form == nil {
			q.form = q.element()
			q.pop()
		}
	case atom.Input:
		if !hiddenInput(q.tok.attr) {
			return q.giveUp()
		}
		q.void()
	default:
		return q.giveUp()
	}
	return true
}

func hiddenInput(attr []html.Attribute) bool {
	for _, a := range attr {
		if a.Key == "type" && strings.EqualFold(a.Val, "hidden") {
			return true
		}
	}
	return false
}

func (q *quick) inCaption() bool {
	switch q.tok.kind {
	case startTag:
		switch q.tok.tag {
		case atom.Caption, atom.Col, atom.Colgroup, atom.Tbody, atom.Td, atom.Tfoot, atom.Thead, atom.Tr:
			return !q.endCaption()
		}
	case endTag:
		switch q.tok.tag {
		case atom.Caption:
			q.endCaption()
			return true
		case atom.Table:
			return !q.endCaption()
		case atom.Body, atom.Col, atom.Colgroup, atom.Html, atom.Tbody, atom.Td, atom.Tfoot, atom.Th, atom.Thead, atom.Tr:
			return true
		}
	}
	return q.inBody()
}

func (q *quick) endCaption() bool {
	if !q.closeTo(tableScope, atom.Caption) {
		return false
	}
	q.clearFormatting()
	q.mode = inTable
	return true
}

func (q *quick) inColumnGroup() bool {
	if q.between() {
		return true
	}
	switch q.tok.kind {
	case endOfFile:
		return true
	case startTag:
		switch q.tok.tag {
		case atom.Html, atom.Template:
			return q.giveUp()
		case atom.Col:
			q.void()
			return true
		}
	case endTag:
		switch q.tok.tag {
		case atom.Colgroup:
			if q.topTag() == atom.Colgroup {
				q.pop()
				q.mode = inTable
			}
			return true
		case atom.Col:
			return true
		}
	}
	if q.topTag() != atom.Colgroup {
		return true
	}
	q.pop()
	q.mode = inTable
	return false
}

func (q *quick) inTableBody() bool {
	again := func() bool {
		if q.closeTo(tableScope, atom.Tbody, atom.Thead, atom.Tfoot) {
			q.mode = inTable
			return false
		}
		return true
	}
	switch q.tok.kind {
	case startTag:
		switch q.tok.tag {
		case atom.Tr:
			q.clearTo(atom.Tbody, atom.Tfoot, atom.Thead)
			q.element()
			q.mode = inRow
			return true
		case atom.Td, atom.Th:
			q.clearTo(atom.Tbody, atom.Tfoot, atom.Thead)
			q.implied(atom.Tr)
			q.mode = inRow
			return false
		case atom.Caption, atom.Col, atom.Colgroup, atom.Tbody, atom.Tfoot, atom.Thead:
			return again()
		}
	case endTag:
		switch q.tok.tag {
		case atom.Tbody, atom.Tfoot, atom.Thead:
			if q.scope(tableScope, q.tok.tag) >= 0 {
				q.clearTo(atom.Tbody, atom.Tfoot, atom.Thead)
				q.pop()
				q.mode = inTable
			}
			return true
		case atom.Table:
			return again()
		}
	}
	return q.inTable()
}

func (q *quick) inRow() bool {
	switch q.tok.kind {
	case startTag:
		switch q.tok.tag {
		case atom.Td, atom.Th:
			q.clearTo(atom.Tr)
			q.element()
			q.formatting = append(q.formatting, format{})
			q.mode = inCell
			return true
		case atom.Caption, atom.Col, atom.Colgroup, atom.Tbody, atom.Tfoot, atom.Thead, atom.Tr:
			return !q.endRow()
		}
	case endTag:
		switch q.tok.tag {
		case atom.Tr:
			q.endRow()
			return true
		case atom.Table:
			return !q.endRow()
		case atom.Tbody, atom.Tfoot, atom.Thead:
			return q.scope(tableScope, q.tok.tag) < 0 || !q.endRow()
		}
	}
	return q.inTable()
}

func (q *quick) endRow() bool {
	if q.scope(tableScope, atom.Tr) < 0 {
		return false
	}
	q.clearTo(atom.Tr)
	q.pop()
	q.mode = inTableBody
	return true
}

func (q *quick) inCell() bool {
	switch q.tok.kind {
	case startTag:
		switch q.tok.tag {
		case atom.Caption, atom.Col, atom.Colgroup, atom.Tbody, atom.Td, atom.Tfoot, atom.Th, atom.Thead, atom.Tr:
			if !q.closeTo(tableScope, atom.Td, atom.Th) {
				return true
			}
			q.clearFormatting()
			q.mode = inRow
			return false
		}
	case endTag:
		switch q.tok.tag {
		case atom.Td, atom.Th:
			if q.closeTo(tableScope, q.tok.tag) {
				q.clearFormatting()
				q.mode = inRow
			}
			return true
		case atom.Body, atom.Caption, atom.Col, atom.Colgroup, atom.Html:
			return true
		case atom.Table, atom.Tbody, atom.Tfoot, atom.Thead, atom.Tr:
			if q.scope(tableScope, q.tok.tag) < 0 {
				return true
			}
			if q.closeTo(tableScope, atom.Td, atom.Th) {
				q.clearFormatting()
			}
			q.mode = inRow
			return false
		}
	}
	return q.inBody()
}
