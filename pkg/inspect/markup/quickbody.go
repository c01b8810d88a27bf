package markup

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

func (q *quick) inBody() bool {
	switch q.tok.kind {
	case textToken:
		s := q.tok.data
		switch n := q.top(); n.DataAtom {
		case atom.Pre, atom.Listing:
			if n.FirstChild == nil {
				s = trimNewline(s)
			}
		}
		if s != "" {
			q.reopen()
			q.text(s)
		}
	case commentToken:
		q.comment(q.top())
	case startTag:
		return q.bodyStart()
	case endTag:
		return q.bodyEnd()
	}
	return true
}

// bodyStart: https://html.spec.whatwg.org/multipage/parsing.html#parsing-main-inbody
func (q *quick) bodyStart() bool {
	switch q.tok.tag {
	case atom.Html, atom.Body, atom.Frameset, atom.Math, atom.Plaintext, atom.Template:
		return q.giveUp()
	case atom.Base, atom.Basefont, atom.Bgsound, atom.Link, atom.Meta, atom.Noframes, atom.Script, atom.Style, atom.Title:
		q.metadata(q.top())
	case atom.Address, atom.Article, atom.Aside, atom.Blockquote, atom.Center, atom.Details, atom.Dialog, atom.Dir, atom.Div, atom.Dl,
		atom.Fieldset, atom.Figcaption, atom.Figure, atom.Footer, atom.Header, atom.Hgroup, atom.Main, atom.Menu, atom.Nav, atom.Ol, atom.P,
		atom.Search, atom.Section, atom.Summary, atom.Ul, atom.Pre, atom.Listing:
		q.closeParagraph()
		q.element()
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		q.closeParagraph()
		switch q.topTag() {
		case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
			q.pop()
		}
		q.element()
	case atom.Form:
		if q.form == nil {
			q.closeParagraph()
			q.form = q.element()
		}
	case atom.Li:
		q.item(atom.Li, atom.Li)
	case atom.Dd, atom.Dt:
		q.item(atom.Dd, atom.Dt)
	case atom.A:
		q.anchor()
	case atom.B, atom.Big, atom.Code, atom.Em, atom.Font, atom.I, atom.S, atom.Small, atom.Strike, atom.Strong, atom.Tt, atom.U:
		q.reopen()
		q.format()
	case atom.Nobr:
		q.reopen()
		if q.scope(defaultScope, atom.Nobr) >= 0 {
			q.endFormat()
			q.reopen()
		}
		q.format()
	case atom.Table:
		if !q.quirks {
			q.closeParagraph()
		}
		q.element()
		q.mode = inTable
	default:
		return q.bodyRest()
	}
	return true
}

// bodyRest is bodyStart for what is rarer.
func (q *quick) bodyRest() bool {
	switch q.tok.tag {
	case atom.Area, atom.Br, atom.Embed, atom.Img, atom.Keygen, atom.Wbr:
		q.reopen()
		q.void()
	case atom.Input:
		q.closeTo(defaultScope, atom.Select)
		q.reopen()
		q.void()
	case atom.Param, atom.Source, atom.Track:
		q.void()
	case atom.Hr:
		if q.scope(buttonScope, atom.P) >= 0 {
			q.impliedEnds(atom.P)
			q.closeTo(defaultScope, atom.P)
		}
		if q.scope(defaultScope, atom.Select) >= 0 {
			q.impliedEnds(0)
		}
		q.void()
	case atom.Image:
		q.tok.tag, q.tok.data = atom.Img, "img"
		return false
	case atom.Textarea, atom.Iframe, atom.Noembed:
		q.rawElement(q.top())
	case atom.Xmp:
		q.closeParagraph()
		q.reopen()
		q.rawElement(q.top())
	case atom.Noscript:
		if q.scripting {
			q.rawElement(q.top())
			return true
		}
		q.reopen()
		q.element()
	case atom.Button:
		if q.scope(defaultScope, atom.Button) >= 0 {
			q.impliedEnds(0)
			q.closeTo(defaultScope, atom.Button)
		}
		q.reopen()
		q.element()
	case atom.Applet, atom.Marquee, atom.Object:
		q.reopen()
		q.element()
		q.formatting = append(q.formatting, format{})
	case atom.Select:
		if !q.closeTo(defaultScope, atom.Select) {
			q.reopen()
			q.element()
		}
	case atom.Option, atom.Optgroup:
		switch {
		case q.scope(defaultScope, atom.Select) < 0:
			if q.topTag() == atom.Option {
				q.pop()
			}
		case q.tok.tag == atom.Option:
			q.impliedEnds(atom.Optgroup)
		default:
			q.impliedEnds(0)
		}
		q.reopen()
		q.element()
	case atom.Rb, atom.Rtc, atom.Rp, atom.Rt:
		if q.scope(defaultScope, atom.Ruby) >= 0 {
			except := atom.Rtc
			if q.tok.tag == atom.Rb || q.tok.tag == atom.Rtc {
				except = 0
			}
			q.impliedEnds(except)
		}
		q.element()
	case atom.Svg:
		q.reopen()
		q.foreignElement("svg")
	case atom.Caption, atom.Col, atom.Colgroup, atom.Frame, atom.Head, atom.Tbody, atom.Td, atom.Tfoot, atom.Th, atom.Thead, atom.Tr:
	default:
		q.reopen()
		q.element()
	}
	return true
}

// item opens a list item, after the one that it ends.
func (q *quick) item(a, b atom.Atom) {
loop:
	for i := len(q.open) - 1; i >= 0; i-- {
		switch n := q.open[i]; n.DataAtom {
		case a, b:
			q.truncate(i)
			break loop
		case atom.Address, atom.Div, atom.P:
		default:
			if special(n) {
				break loop
			}
		}
	}
	q.closeParagraph()
	q.element()
}

// anchor opens an <a>, after the one that it ends.
func (q *quick) anchor() {
	for i := len(q.formatting) - 1; i >= 0 && q.formatting[i].node != nil; i-- {
		if n := q.formatting[i].node; n.DataAtom == atom.A {
			q.endFormat()
			for k := range q.formatting {
				if f := q.formatting[k]; f.node == n && f.at >= 0 {
					q.giveUp() // it is not in scope
				} else if f.node == n {
					q.formatting = slices.Delete(q.formatting, k, k+1)
					break
				}
			}
			break
		}
	}
	q.reopen()
	q.format()
}

// format opens a formatting element.
func (q *quick) format() {
	n := q.element()
	if len(n.Attr) > 1 {
		slices.SortFunc(n.Attr, func(a, b html.Attribute) int {
			if c := strings.Compare(a.Key, b.Key); c != 0 {
				return c
			}
			return strings.Compare(a.Val, b.Val)
		})
	}
	same := 0
	for i := len(q.formatting) - 1; i >= 0 && q.formatting[i].node != nil; i-- {
		f := q.formatting[i].node
		if f.DataAtom != n.DataAtom || !slices.Equal(f.Attr, n.Attr) {
			continue
		}
		// Of four that are alike only three are opened again.
		if same++; same >= 3 {
			q.formatting = slices.Delete(q.formatting, i, i+1)
		}
	}
	q.formatting = append(q.formatting, format{n, len(q.open) - 1})
}

// reopen opens anew what formatting was closed and is active still.
func (q *quick) reopen() {
	i := len(q.formatting)
	for i > 0 && q.formatting[i-1].node != nil && q.formatting[i-1].at < 0 {
		i--
	}
	for ; i < len(q.formatting); i++ {
		f := &q.formatting[i]
		n := q.make(f.node.DataAtom, f.node.Data, slices.Clone(f.node.Attr))
		f.node, f.at = n, len(q.open)-1
	}
}

// clearFormatting ends the list at its last marker.
func (q *quick) clearFormatting() {
	for i := len(q.formatting) - 1; i >= 0; i-- {
		n := q.formatting[i].node
		q.formatting = q.formatting[:i]
		if n == nil {
			return
		}
	}
}

// endFormat closes the formatting element of the token; where blocks that
// began in it are open, that is left to html.Parse.
func (q *quick) endFormat() {
	k := len(q.formatting) - 1
	for k >= 0 && q.formatting[k].node != nil && q.formatting[k].node.DataAtom != q.tok.tag {
		k--
	}
	if top := q.top(); top.Data == q.tok.data && !slices.ContainsFunc(q.formatting, func(f format) bool { return f.node == top }) {
		q.pop()
		return
	}
	if k < 0 || q.formatting[k].node == nil {
		q.endOther()
		return
	}
	at := q.formatting[k].at
	switch {
	case at < 0:
		q.formatting = slices.Delete(q.formatting, k, k+1)
		return
	case q.scope(defaultScope, q.tok.tag) < 0:
		return
	case slices.ContainsFunc(q.open[at:], special):
		q.giveUp()
		return
	}
	q.formatting = slices.Delete(q.formatting, k, k+1)
	q.truncate(at)
}

// endOther closes up to the element of the token's name, unless a special one
// is in between.
func (q *quick) endOther() {
	for i := len(q.open) - 1; i >= 0; i-- {
		n := q.open[i]
		if n.Namespace == "" && n.DataAtom == q.tok.tag && (q.tok.tag != 0 || n.Data == q.tok.data) {
			q.truncate(i)
			return
		}
		if special(n) {
			return
		}
	}
}

func (q *quick) bodyEnd() bool {
	switch q.tok.tag {
	case atom.Body:
		if q.scope(defaultScope, atom.Body) >= 0 {
			q.mode = afterBody
		}
	case atom.Html:
		if q.scope(defaultScope, atom.Body) >= 0 {
			q.mode = afterBody
			return false
		}
	case atom.Address, atom.Article, atom.Aside, atom.Blockquote, atom.Button, atom.Center, atom.Details, atom.Dialog, atom.Dir, atom.Div,
		atom.Dl, atom.Fieldset, atom.Figcaption, atom.Figure, atom.Footer, atom.Header, atom.Hgroup, atom.Listing, atom.Main, atom.Menu,
		atom.Nav, atom.Ol, atom.Pre, atom.Search, atom.Section, atom.Select, atom.Summary, atom.Ul:
		if q.scope(defaultScope, q.tok.tag) >= 0 {
			q.impliedEnds(0)
			q.closeTo(defaultScope, q.tok.tag)
		}
	case atom.Form:
		q.endForm()
	case atom.P:
		if q.scope(buttonScope, atom.P) < 0 {
			if q.top().Namespace != "" {
				return q.giveUp() // a paragraph ends SVG
			}
			q.implied(atom.P)
		}
		q.closeParagraph()
	case atom.Li:
		q.closeTo(listItemScope, atom.Li)
	case atom.Dd, atom.Dt:
		q.closeTo(defaultScope, q.tok.tag)
	case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
		q.closeTo(defaultScope, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6)
	case atom.A, atom.B, atom.Big, atom.Code, atom.Em, atom.Font, atom.I, atom.Nobr, atom.S, atom.Small, atom.Strike, atom.Strong, atom.Tt, atom.U:
		q.endFormat()
	case atom.Applet, atom.Marquee, atom.Object:
		if q.closeTo(defaultScope, q.tok.tag) {
			q.clearFormatting()
		}
	case atom.Br:
		q.tok.kind = startTag
		return false
	case atom.Template:
	default:
		q.endOther()
	}
	return true
}

func (q *quick) endForm() {
	form := q.form
	q.form = nil
	i := q.scope(defaultScope, atom.Form)
	if form == nil || i < 0 || q.open[i] != form {
		return
	}
	q.impliedEnds(0)
	if q.top() != form {
		q.giveUp()
		return
	}
	q.pop()
}

// special: https://html.spec.whatwg.org/multipage/parsing.html#special, as far
// as html.Parse knows it.
func special(n *html.Node) bool {
	if n.Namespace != "" {
		return integrationPoint(n)
	}
	switch n.DataAtom {
	case atom.Address, atom.Applet, atom.Area, atom.Article, atom.Aside, atom.Base, atom.Basefont, atom.Bgsound, atom.Blockquote,
		atom.Body, atom.Br, atom.Button, atom.Caption, atom.Center, atom.Col, atom.Colgroup, atom.Dd, atom.Details, atom.Dir, atom.Div,
		atom.Dl, atom.Dt, atom.Embed, atom.Fieldset, atom.Figcaption, atom.Figure, atom.Footer, atom.Form, atom.Frame, atom.Frameset,
		atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Head, atom.Header, atom.Hgroup, atom.Hr, atom.Html, atom.Iframe,
		atom.Img, atom.Input, atom.Keygen, atom.Li, atom.Link, atom.Listing, atom.Main, atom.Marquee, atom.Menu, atom.Meta, atom.Nav,
		atom.Noembed, atom.Noframes, atom.Noscript, atom.Object, atom.Ol, atom.P, atom.Param, atom.Plaintext, atom.Pre, atom.Script,
		atom.Section, atom.Select, atom.Source, atom.Style, atom.Summary, atom.Table, atom.Tbody, atom.Td, atom.Template, atom.Textarea,
		atom.Tfoot, atom.Th, atom.Thead, atom.Title, atom.Tr, atom.Track, atom.Ul, atom.Wbr, atom.Xmp:
		return true
	}
	return false
}
