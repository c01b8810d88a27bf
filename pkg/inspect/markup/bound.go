package markup

import (
	"bytes"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// longTag is a tag long enough to hide a tree's worth of attributes.
const longTag = 64 << 10

// maxMerged is how many attributes are compared: html.Parse merges those of all
// <html> and <body>, and looks for formatting elements that are the same, both in
// time that grows with the square. Few attributes are not counted.
const (
	maxMerged = 1_000_000
	few       = 50
)

// census counts in advance what html.Parse makes of a document. html.Parse has no
// limit, and its repairs can make millions of elements from a few kilobytes. Where
// the count depends on the tree, the worst case counts.
type census struct {
	nodes     int // elements and comments; attributes of tags that are mostly those
	clones    int // elements that the parser opens again; see formatting
	merged    int // attributes that are compared; see maxMerged
	rootAttrs int // attributes of <html> and <body> so far

	open      formatting
	paragraph bool // a <p> is open for certain
	raw       bool // the next text is an element's whose text is no markup
	foreign   bool // inside <svg> or <math>, where such text is markup
	mixed     bool // foreign for good: HTML may be inside
	flat      bool // the text cannot be counted
}

// bound cuts text after limit nodes, 0 for no limit. flat means that html.Parse
// would make far more nodes of it, or take too long.
func bound(text []byte, scripting bool, limit int) (within []byte, cut, flat bool) {
	if limit <= 0 || harmless(text, limit) {
		return text, false, false
	}
	var c census
	z := html.NewTokenizer(bytes.NewReader(text))
	for at := 0; ; {
		if rest := text[at:]; len(rest) > 1 && rest[0] == '<' && isLetter(rest[1]) {
			// Before the tokenizer stores the attributes.
			if end := bytes.IndexByte(rest, '>'); end < 0 || end > longTag {
				c.nodes += attributes(rest[:tagEnd(rest)])
			}
		}
		if c.nodes > limit {
			return text[:at], true, c.over(limit)
		}
		kind := z.Next()
		if kind == html.ErrorToken {
			return text, false, c.over(limit)
		}
		raw := z.Raw()
		before := c
		c.token(z, kind, raw, scripting)
		if c.nodes > limit {
			return text[:at], true, before.over(limit)
		}
		at += len(raw)
	}
}

// over reports whether the document is too expensive for html.Parse.
func (c *census) over(limit int) bool {
	return c.flat || c.clones > limit || c.merged > maxMerged
}

func (c *census) token(z *html.Tokenizer, kind html.TokenType, raw []byte, scripting bool) {
	switch kind {
	case html.TextToken:
		if c.raw && c.foreign && hasFormatting(raw) {
			c.flat = true
		}
		c.raw = false
	case html.CommentToken, html.DoctypeToken:
		c.nodes++
	case html.StartTagToken, html.SelfClosingTagToken:
		c.nodes++
		name, _ := z.TagName()
		tag := atom.Lookup(name)
		if c.raw = isRaw(tag) || tag == atom.Noscript; tag == atom.Noscript && !scripting {
			c.raw = false
			z.NextIsNotRawText()
		}
		c.start(tag, raw, kind == html.SelfClosingTagToken)
	case html.EndTagToken:
		name, _ := z.TagName()
		c.end(atom.Lookup(name), len(name) == 0)
	}
}

func (c *census) start(tag atom.Atom, raw []byte, closed bool) {
	switch tag {
	case atom.Html, atom.Body:
		n := attributes(raw)
		if n > 0 {
			c.merged += c.rootAttrs
		}
		c.rootAttrs += n
	case atom.Svg, atom.Math:
		c.foreign = c.foreign || !closed
		c.mixed = c.mixed || tag == atom.Math
	case atom.Desc, atom.Foreignobject:
		c.mixed = c.mixed || c.foreign
	}
	if isFormatting(tag) {
		if n := attributes(raw); n > few {
			c.merged += n * c.open.elements
		}
		c.open.start(tag, raw)
		c.flat = c.flat || c.open.elements > maxFormatting
		return
	}
	c.open.start(tag, raw)
	c.clones += c.open.weight
	c.paragraph = tag == atom.P || c.paragraph && isPhrasing(tag)
}

func (c *census) end(tag atom.Atom, nameless bool) {
	switch {
	case tag == atom.P && c.paragraph:
		c.paragraph = false
	case tag == atom.P, tag == atom.Br, nameless:
		c.nodes++ // the parser makes an element of it
		c.clones += c.open.weight
	case tag == atom.Svg:
		c.foreign = c.mixed
	case !c.open.end(tag) && !isPhrasing(tag):
		c.paragraph = false
	}
}

// isPhrasing reports whether an element neither closes a paragraph nor hides one.
func isPhrasing(tag atom.Atom) bool {
	switch tag {
	case atom.Span, atom.Img, atom.Br, atom.Sub, atom.Sup, atom.Input, atom.Label, atom.Abbr, atom.Cite:
		return true
	}
	return false
}

// hasFormatting reports whether text has a start tag of a formatting element.
func hasFormatting(text []byte) bool {
	for {
		_, rest, found := bytes.Cut(text, []byte("<"))
		if !found {
			return false
		}
		end := bytes.IndexFunc(rest, func(r rune) bool { return r > 0x7f || !isLetter(byte(r)) })
		if end < 0 {
			end = len(rest)
		}
		if isFormatting(atom.Lookup(bytes.ToLower(rest[:min(end, 10)]))) {
			return true
		}
		text = rest
	}
}

// tagEnd is the length of the tag that text begins with, by its quotes.
func tagEnd(text []byte) int {
	quote, last := byte(0), byte(0)
	for i, b := range text {
		switch {
		case quote != 0:
			if b == quote {
				quote = 0
			}
		case last == '=' && (b == '"' || b == '\''):
			quote = b
		case b == '>':
			return i
		case isSpace(b):
			continue
		}
		last = b
	}
	return len(text)
}

// attributes is how many attributes a tag has at most: each follows white space,
// a slash or a quoted value.
func attributes(tag []byte) int {
	n, quote, last := 0, byte(0), byte(0)
	for _, b := range tag {
		switch {
		case quote != 0:
			if b == quote {
				quote = 0
				n++
			}
		case last == '=' && (b == '"' || b == '\''):
			quote = b
		case isSpace(b):
			if last != ' ' {
				n++
			}
			if last != '=' {
				last = ' '
			}
			continue
		case b == '/':
			n++
		}
		last = b
	}
	return n
}

func isLetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }

func isSpace(b byte) bool { return b == ' ' || '\t' <= b && b <= '\r' && b != '\v' }
