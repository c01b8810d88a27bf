package markup

import (
	"bytes"

	"golang.org/x/net/html"
)

// census is what a scan of the source says about the tree before it is built.
// It sees tags in scripts and comments too, so it counts too many at most.
type census struct {
	nodes  int // elements and comments; attributes of tags that are mostly those
	clones int // upper bound of what the parser opens again: see formatting
}

// longTag is a tag long enough to hide a tree's worth of attributes.
const longTag = 64 << 10

// count scans text for tags.
func count(text []byte) census {
	var c census
	var f formatting
	for i := bytes.IndexByte(text, '<'); i >= 0 && i+1 < len(text); {
		rest := text[i+1:]
		switch b := rest[0]; {
		case b == '!' || b == '?':
			c.nodes++
		case b == '/':
			if f.close(rest[1:]) {
				c.nodes++
				c.clones += f.open
			}
		case isLetter(b):
			c.nodes++
			if !f.start(rest) {
				c.clones += f.open
			}
			if end := bytes.IndexByte(rest, '>'); end < 0 || end > longTag {
				c.nodes += attributes(rest, end)
			}
		}
		next := bytes.IndexByte(rest, '<')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return c
}

// attributes bounds the attributes of a long tag; white space in quoted values
// separates none.
func attributes(tag []byte, end int) int {
	if end >= 0 {
		tag = tag[:end]
	}
	n, quote, last := 0, byte(0), byte(0)
	for _, b := range tag {
		switch {
		case quote != 0:
			if b == quote {
				quote = 0
			}
		case last == '=' && (b == '"' || b == '\''):
			quote = b
		case isSpace(b):
			n++
			continue
		}
		last = b
	}
	return n
}

// formatting counts the formatting elements that are open: the HTML parser
// opens them anew in every block that follows the one they were left open in,
// so that 500 of them and 100,000 paragraphs make 50 million elements.
type formatting struct {
	open int
	link bool // an <a>: the next one closes it
}

// start takes a start tag and says whether it is a formatting element's.
func (f *formatting) start(tag []byte) bool {
	name := tagName(tag)
	if name == "a" {
		if !f.link {
			f.open++
		}
		f.link = true
		return true
	}
	if !formattingName(name) {
		return false
	}
	f.open++
	return true
}

// close takes an end tag and says whether the parser makes an element of it.
func (f *formatting) close(tag []byte) bool {
	name := tagName(tag)
	switch {
	case name == "p" || name == "br" || name == "":
		return true
	case name == "a":
		if f.link {
			f.link, f.open = false, f.open-1
		}
	case formattingName(name) && f.open > 0:
		f.open--
	}
	return false
}

// formattingName: https://html.spec.whatwg.org/multipage/parsing.html#formatting
func formattingName(name string) bool {
	switch name {
	case "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u":
		return true
	}
	return false
}

// tagName is the lower-case name at the start of tag as far as it may be a
// formatting element's.
func tagName(tag []byte) string {
	const longest = len("strong")
	var name [longest + 1]byte
	n := 0
	for n < len(tag) && n < len(name) && isLetter(tag[n]) {
		name[n] = tag[n] | 0x20
		n++
	}
	return string(name[:n])
}

func isLetter(b byte) bool { return 'a' <= b|0x20 && b|0x20 <= 'z' }

func isSpace(b byte) bool { return b == ' ' || '\t' <= b && b <= '\r' && b != '\v' }

// bound cuts text where it has brought limit nodes, 0 for any number. flat
// says that the parser's repairs would multiply what is left.
func bound(text []byte, limit int) (within []byte, nodes int, cut, flat bool) {
	c := count(text)
	if limit <= 0 {
		return text, c.nodes, false, false
	}
	if c.nodes > limit {
		// Exactly, now: a script may hold any number of "<".
		if at := offset(text, limit); at < len(text) {
			text, cut = text[:at], true
			c = count(text)
		}
	}
	return text, min(c.nodes, limit), cut, c.clones > limit
}

// offset is where the tag that exceeds limit begins, len(text) if none does.
func offset(text []byte, limit int) int {
	z := html.NewTokenizer(bytes.NewReader(text))
	at, nodes := 0, 0
	for {
		if rest := text[at:]; len(rest) > 1 && rest[0] == '<' && isLetter(rest[1]) {
			// Before the tokenizer takes the attributes apart.
			if end := bytes.IndexByte(rest, '>'); end < 0 || end > longTag {
				nodes += attributes(rest, end)
			}
		}
		if nodes > limit {
			return at
		}
		kind := z.Next()
		if kind == html.ErrorToken {
			return len(text)
		}
		if kind != html.TextToken {
			nodes++
		}
		if nodes > limit {
			return at
		}
		at += len(z.Raw())
	}
}
