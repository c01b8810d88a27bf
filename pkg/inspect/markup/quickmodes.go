package markup

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// trimText drops the white space that a text token begins with and says
// whether nothing is left.
func (q *quick) trimText() (space string, empty bool) {
	s := strings.TrimLeft(q.tok.data, whitespace)
	space = q.tok.data[:len(q.tok.data)-len(s)]
	q.tok.data = s
	return space, s == ""
}

// leaf adds the element of the token to parent, which need not be open.
func (q *quick) leaf(parent *html.Node) *html.Node {
	if len(q.open) >= maxDepth {
		q.giveUp()
	}
	n := q.newNode()
	n.Type, n.DataAtom, n.Data, n.Attr = html.ElementNode, q.tok.tag, q.tok.data, q.tok.attr
	attach(parent, n)
	return n
}

// rawElement adds the element of the token with its text.
func (q *quick) rawElement(parent *html.Node) {
	n := q.leaf(parent)
	s := q.rawText(n.Data)
	switch n.DataAtom {
	case atom.Title:
		s = unescape(s)
	case atom.Textarea:
		s = trimNewline(unescape(s))
	}
	if s != "" {
		t := q.node()
		t.Type, t.Data = html.TextNode, s
		attach(n, t)
	}
}

// trimNewline drops the line break that the text of some elements begins with;
// the "\r" is one that was written as a character reference.
func trimNewline(s string) string { return strings.TrimPrefix(strings.TrimPrefix(s, "\r"), "\n") }

func (q *quick) inInitial() bool {
	switch q.tok.kind {
	case textToken:
		if _, empty := q.trimText(); empty {
			return true
		}
	case commentToken:
		q.comment(q.doc)
		return true
	case doctypeToken:
		q.doctype()
		q.mode = beforeHTML
		return true
	}
	q.quirks, q.mode = true, beforeHTML
	return false
}

// doctype adds the document type, as html.Parse reads it.
func (q *quick) doctype() {
	n := q.newNode()
	n.Type, n.Data = html.DoctypeNode, "html"
	if q.tok.data != "<!DOCTYPE html>" && q.tok.data != "<!doctype html>" {
		doc, err := html.Parse(strings.NewReader(q.tok.data + "<p><table>"))
		if err != nil || doc.FirstChild == nil || doc.FirstChild.Type != html.DoctypeNode {
			q.giveUp()
			return
		}
		n.Data, n.Attr = doc.FirstChild.Data, doc.FirstChild.Attr
		for d := range doc.Descendants() {
			// In quirks mode a table does not end a paragraph.
			q.quirks = q.quirks || d.DataAtom == atom.Table && d.Parent.DataAtom == atom.P
		}
	}
	attach(q.doc, n)
}

func (q *quick) inBeforeHTML() bool {
	switch q.tok.kind {
	case doctypeToken:
		return true
	case textToken:
		if _, empty := q.trimText(); empty {
			return true
		}
	case startTag:
		if q.tok.tag == atom.Html {
			q.element()
			q.mode = beforeHead
			return true
		}
	case endTag:
		if !q.endsHead() {
			return true
		}
	case commentToken:
		q.comment(q.doc)
		return true
	}
	q.implied(atom.Html)
	q.mode = beforeHead
	return false
}

// endsHead says whether an end tag is one of those that the modes before the
// body do not ignore.
func (q *quick) endsHead() bool {
	switch q.tok.tag {
	case atom.Head, atom.Body, atom.Html, atom.Br:
		return true
	}
	return false
}

func (q *quick) inBeforeHead() bool {
	switch q.tok.kind {
	case doctypeToken:
		return true
	case textToken:
		if _, empty := q.trimText(); empty {
			return true
		}
	case startTag:
		switch q.tok.tag {
		case atom.Head:
			q.head = q.element()
			q.mode = inHead
			return true
		case atom.Html:
			return q.giveUp()
		}
	case endTag:
		if !q.endsHead() {
			return true
		}
	case commentToken:
		q.comment(q.top())
		return true
	}
	q.head = q.implied(atom.Head)
	q.mode = inHead
	return false
}

// between takes what may stand anywhere between a document's parts: white
// space, comments and doctypes that come too late. What is left of a text is
// still the token when it returns false.
func (q *quick) between() bool {
	switch q.tok.kind {
	case doctypeToken:
		return true
	case textToken:
		space, empty := q.trimText()
		q.text(space)
		return empty
	case commentToken:
		q.comment(q.top())
		return true
	}
	return false
}

func (q *quick) inHead() bool {
	if q.between() {
		return true
	}
	switch q.tok.kind {
	case startTag:
		switch q.tok.tag {
		case atom.Head:
			return true
		case atom.Html:
			return q.giveUp()
		case atom.Noscript:
			if !q.scripting {
				return q.giveUp()
			}
			q.rawElement(q.top())
			return true
		}
		if q.metadata(q.top()) {
			return true
		}
	case endTag:
		switch q.tok.tag {
		case atom.Head:
			q.pop()
			q.mode = afterHead
			return true
		case atom.Body, atom.Html, atom.Br:
		case atom.Template:
			return true
		default:
			return true
		}
	}
	q.pop()
	q.mode = afterHead
	return false
}

// metadata adds an element that belongs into the head to parent, which is the
// current node or the head.
func (q *quick) metadata(parent *html.Node) bool {
	switch q.tok.tag {
	case atom.Base, atom.Basefont, atom.Bgsound, atom.Link, atom.Meta:
		q.leaf(parent)
	case atom.Script, atom.Title, atom.Style, atom.Noframes:
		q.rawElement(parent)
	case atom.Template:
		q.giveUp()
	default:
		return false
	}
	return true
}

func (q *quick) inAfterHead() bool {
	if q.between() {
		return true
	}
	switch q.tok.kind {
	case startTag:
		switch q.tok.tag {
		case atom.Body:
			q.element()
			q.mode = inBody
			return true
		case atom.Head:
			return true
		case atom.Html, atom.Frameset:
			return q.giveUp()
		}
		if q.metadata(q.head) {
			return true
		}
	case endTag:
		switch q.tok.tag {
		case atom.Body, atom.Html, atom.Br:
		default:
			return true
		}
	}
	q.implied(atom.Body)
	q.mode = inBody
	return q.tok.kind == endOfFile
}

// inAfterBody: behind </body> and </html>.
func (q *quick) inAfterBody() bool {
	switch q.tok.kind {
	case endOfFile:
		return true
	case textToken:
		if strings.TrimLeft(q.tok.data, whitespace) == "" {
			return q.inBody()
		}
	case startTag:
		if q.tok.tag == atom.Html {
			return q.giveUp()
		}
	case endTag:
		if q.tok.tag == atom.Html && q.mode == afterBody {
			q.mode = afterAfterBody
			return true
		}
	case commentToken:
		if q.mode == afterAfterBody {
			q.comment(q.doc)
		} else {
			q.comment(q.open[0])
		}
		return true
	case doctypeToken:
		if q.mode == afterAfterBody {
			return true
		}
	}
	q.mode = inBody
	return false
}
