package markup

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// quick builds the tree that html.Parse builds, several times as fast, and
// gives up where a document asks for what it does not do: foster parenting,
// formatting that is closed across blocks, templates, frame sets, MathML. Names
// and texts are slices of one string, nodes come out of slabs, and the tree is
// built while tags are read. That both agree is held by FuzzQuick and, on real
// pages, by TestQuick.
//
// https://html.spec.whatwg.org/multipage/parsing.html#tree-construction
type quick struct {
	src       string
	at        int
	scripting bool

	doc, head, form *html.Node
	open            []*html.Node // the stack of open elements
	formatting      []format     // the list of active formatting elements
	mode            mode
	quirks          bool
	given           bool // up

	slabs slabs
	nodes []html.Node      // of the last slab, not used yet
	attrs []html.Attribute // likewise
	tok   token

	scratch []html.Attribute // of the tag being read
	joined  int              // bytes that were copied to join texts
	limit   int              // of made; 0 for none
	made    int              // elements and comments
	lazy    bool             // an attribute "loading" was met
}

// format is an entry of the list of active formatting elements: a marker, an
// open element or one that was closed while it was active.
type format struct {
	node *html.Node // nil for a marker
	at   int        // in the stack of open elements; -1 when closed
}

// mode is an insertion mode.
type mode uint8

const (
	initial mode = iota
	beforeHTML
	beforeHead
	inHead
	afterHead
	inBody
	inTable
	inCaption
	inColumnGroup
	inTableBody
	inRow
	inCell
	afterBody
	afterAfterBody
)

type tokenKind uint8

const (
	endOfFile tokenKind = iota
	textToken
	startTag
	endTag
	commentToken
	doctypeToken
)

// token is what is worked on.
type token struct {
	kind        tokenKind
	tag         atom.Atom
	data        string // name, text
	attr        []html.Attribute
	selfClosing bool
}

const (
	mostJoined     = 4 << 20 // bytes
	mostAttributes = 100     // of one tag
)

const whitespace = " \t\r\n\f"

// parseQuick returns the tree that html.Parse makes of text. Its root is nil
// where html.Parse has to see to it: for what quick does not do, and for more
// than limit elements and comments, 0 for any number.
func parseQuick(text []byte, scripting bool, limit int) built {
	src := string(text)
	if strings.IndexByte(src, 0) >= 0 {
		return built{}
	}
	if strings.IndexByte(src, '\r') >= 0 {
		src = newlines.Replace(src)
	}
	q := &quick{src: src, scripting: scripting, limit: limit, doc: &html.Node{Type: html.DocumentNode}, open: make([]*html.Node, 0, 32)}
	for !q.given {
		q.next()
		q.run()
		if q.tok.kind == endOfFile {
			break
		}
	}
	if q.given {
		q.slabs.free()
		return built{}
	}
	return built{root: q.doc, nodes: q.made, lazy: q.lazy, slabs: q.slabs}
}

var newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// giveUp ends the parse without a document.
func (q *quick) giveUp() bool {
	q.given = true
	return true
}

func (q *quick) top() *html.Node {
	if n := len(q.open); n > 0 {
		return q.open[n-1]
	}
	return q.doc
}

// topTag is the type of the current node, 0 for those that have none.
func (q *quick) topTag() atom.Atom { return q.top().DataAtom }

// newNode takes a node that is not a text.
func (q *quick) newNode() *html.Node {
	if q.made++; q.limit > 0 && q.made > q.limit {
		q.giveUp()
	}
	return q.node()
}

func (q *quick) node() *html.Node {
	if len(q.nodes) == 0 {
		q.nodes = q.slabs.takeNodes()
	}
	n := &q.nodes[0]
	q.nodes = q.nodes[1:]
	return n
}

// attach makes n the last child of parent.
func attach(parent, n *html.Node) {
	last := parent.LastChild
	n.Parent, n.PrevSibling = parent, last
	if last == nil {
		parent.FirstChild = n
	} else {
		last.NextSibling = n
	}
	parent.LastChild = n
}

func (q *quick) push(n *html.Node) {
	q.open = append(q.open, n)
	if len(q.open) > maxDepth {
		q.giveUp()
	}
}

// element adds an element for the token and opens it.
func (q *quick) element() *html.Node { return q.make(q.tok.tag, q.tok.data, q.tok.attr) }

func (q *quick) make(tag atom.Atom, name string, attr []html.Attribute) *html.Node {
	n := q.newNode()
	n.Type, n.DataAtom, n.Data, n.Attr = html.ElementNode, tag, name, attr
	attach(q.top(), n)
	q.push(n)
	return n
}

// implied opens an element that the source leaves out.
func (q *quick) implied(tag atom.Atom) *html.Node { return q.make(tag, tag.String(), nil) }

// void adds an element for the token that has no contents.
func (q *quick) void() {
	q.element()
	q.pop()
}

func (q *quick) pop() { q.truncate(len(q.open) - 1) }

// truncate closes all elements but the first n.
func (q *quick) truncate(n int) {
	q.open = q.open[:n]
	for i := len(q.formatting) - 1; i >= 0; i-- {
		f := &q.formatting[i]
		if f.node == nil || f.at < 0 {
			continue
		}
		if f.at < n {
			return
		}
		f.at = -1
	}
}

func (q *quick) text(s string) {
	if s == "" {
		return
	}
	t := q.top()
	if last := t.LastChild; last != nil && last.Type == html.TextNode {
		if q.joined += len(last.Data); q.joined > mostJoined {
			q.giveUp() // time would grow with the square of the length
			return
		}
		last.Data += s
		return
	}
	n := q.node()
	n.Type, n.Data = html.TextNode, s
	attach(t, n)
}

func (q *quick) comment(parent *html.Node) {
	n := q.newNode()
	n.Type, n.Data = html.CommentNode, q.tok.data
	attach(parent, n)
}

// scopes
const (
	defaultScope = iota
	listItemScope
	buttonScope
	tableScope
)

// scope gives the place of the innermost open element of one of the given
// types that is in scope, -1 for none.
func (q *quick) scope(kind int, tags ...atom.Atom) int {
	for i := len(q.open) - 1; i >= 0; i-- {
		n := q.open[i]
		tag := n.DataAtom
		if n.Namespace != "" {
			if kind != tableScope && n.Namespace == "svg" && integrationPoint(n) {
				return -1
			}
			continue
		}
		for _, t := range tags {
			if t == tag {
				return i
			}
		}
		if scopeEnds(kind, tag) {
			return -1
		}
	}
	return -1
}

func scopeEnds(kind int, tag atom.Atom) bool {
	switch tag {
	case atom.Html, atom.Table, atom.Template:
		return true
	case atom.Applet, atom.Caption, atom.Td, atom.Th, atom.Marquee, atom.Object, atom.Select:
		return kind != tableScope
	case atom.Ol, atom.Ul:
		return kind == listItemScope
	case atom.Button:
		return kind == buttonScope
	}
	return false
}

// closeTo closes elements up to the innermost of the given types in scope.
func (q *quick) closeTo(kind int, tags ...atom.Atom) bool {
	if i := q.scope(kind, tags...); i >= 0 {
		q.truncate(i)
		return true
	}
	return false
}

// closeParagraph closes a <p> in button scope.
func (q *quick) closeParagraph() { q.closeTo(buttonScope, atom.P) }

// clearTo closes elements until the current node is of one of these types, or
// <html>.
func (q *quick) clearTo(tags ...atom.Atom) {
	for i := len(q.open) - 1; i >= 0; i-- {
		if t := q.open[i].DataAtom; t == atom.Html || t == atom.Template || slices.Contains(tags, t) {
			q.truncate(i + 1)
			return
		}
	}
}

// impliedEnds closes the elements whose end tags may be left out.
func (q *quick) impliedEnds(except atom.Atom) {
	i := len(q.open) - 1
loop:
	for ; i >= 0; i-- {
		switch t := q.open[i].DataAtom; t {
		case atom.Dd, atom.Dt, atom.Li, atom.Optgroup, atom.Option, atom.P, atom.Rb, atom.Rp, atom.Rt, atom.Rtc:
			if t == except {
				break loop
			}
		default:
			break loop
		}
	}
	q.truncate(i + 1)
}

// run works on the token until it is used up.
func (q *quick) run() {
	for !q.given {
		if q.foreign() {
			if q.inForeign() {
				return
			}
			continue
		}
		if q.step() {
			return
		}
	}
}

// step works on the token in the current mode; false: again, in another.
func (q *quick) step() bool {
	switch q.mode {
	case initial:
		return q.inInitial()
	case beforeHTML:
		return q.inBeforeHTML()
	case beforeHead:
		return q.inBeforeHead()
	case inHead:
		return q.inHead()
	case afterHead:
		return q.inAfterHead()
	case inTable:
		return q.inTable()
	case inCaption:
		return q.inCaption()
	case inColumnGroup:
		return q.inColumnGroup()
	case inTableBody:
		return q.inTableBody()
	case inRow:
		return q.inRow()
	case inCell:
		return q.inCell()
	case afterBody, afterAfterBody:
		return q.inAfterBody()
	}
	return q.inBody()
}

// resetMode finds the mode by what is open.
func (q *quick) resetMode() {
	for i := len(q.open) - 1; i >= 0; i-- {
		switch q.open[i].DataAtom {
		case atom.Td, atom.Th:
			q.mode = inCell
		case atom.Tr:
			q.mode = inRow
		case atom.Tbody, atom.Thead, atom.Tfoot:
			q.mode = inTableBody
		case atom.Caption:
			q.mode = inCaption
		case atom.Colgroup:
			q.mode = inColumnGroup
		case atom.Table:
			q.mode = inTable
		case atom.Body:
			q.mode = inBody
		case atom.Head, atom.Html, atom.Template:
			q.giveUp()
		default:
			continue
		}
		return
	}
}
