package markup

import (
	"bytes"

	"golang.org/x/net/html/atom"
)

// scan is a fast count for the documents that are far below the limit, which are
// nearly all. It takes tags in comments and raw text for real start tags, and trusts
// an end tag only where it certainly closes an element: it never counts too few.
type scan struct {
	text    []byte
	work    int // bytes that may still be read
	nodes   int
	clones  int
	roots   int // <html> and <body>
	hidden  int // end tags before it may be no markup
	open    map[atom.Atom]int
	floor   map[atom.Atom]int // of open: those outside of the innermost scope
	total   int               // of open
	heavy   int               // the most that one of open weighs; see formatting
	unclear bool
}

// maxRoots is how many <html> and <body> are not worth a look at their attributes.
const maxRoots = 8

// harmless reports that html.Parse makes at most limit nodes of text, and as many
// more by opening formatting elements again. Where it is false, bound counts.
func harmless(text []byte, limit int) bool {
	s := scan{text: text, work: 4*len(text) + longTag, open: map[atom.Atom]int{}, floor: map[atom.Atom]int{}}
	for i := bytes.IndexByte(text, '<'); i >= 0 && i+1 < len(text); {
		s.tag(i + 1)
		if s.unclear || s.work < 0 || s.nodes > limit || s.clones > limit || s.total > maxFormatting || s.roots > maxRoots {
			return false
		}
		next := bytes.IndexByte(text[i+1:], '<')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	return true
}

// tag follows the markup that begins before at.
func (s *scan) tag(at int) {
	rest := s.text[at:]
	switch b := rest[0]; {
	case bytes.HasPrefix(rest, []byte("!--")):
		s.nodes++
		s.hide(at, rest, "-->")
	case bytes.HasPrefix(rest, []byte("![CDATA[")):
		s.nodes++
		s.hide(at, rest, "]]>")
	case b == '!' || b == '?':
		s.nodes++
		s.hide(at, rest, ">")
	case b == '/' && len(rest) > 1:
		s.end(tagAtom(rest[1:]), isLetter(rest[1]), at)
		s.inside(at, rest[1:])
	case isLetter(b):
		s.nodes++
		s.start(tagAtom(rest), at, rest)
	}
}

func (s *scan) start(tag atom.Atom, at int, rest []byte) {
	end := s.inside(at, rest)
	switch {
	case tag == atom.Html || tag == atom.Body:
		s.roots++
	case tag == atom.Plaintext:
		s.hidden = len(s.text)
	case isRaw(tag) || tag == atom.Noscript:
		s.hide(at+end, rest[end:], "</"+tag.String())
	case isScope(tag):
		for name, n := range s.open {
			s.floor[name] = n
		}
	case isFormatting(tag):
		n := attributes(rest[:end])
		s.unclear = s.unclear || n > few
		s.heavy = max(s.heavy, 1+n/2)
		if tag != atom.A || s.open[tag] == s.floor[tag] { // the parser closes an open <a>
			s.open[tag]++
			s.total++
		}
		return
	}
	s.clones += s.total * s.heavy
}

func (s *scan) end(tag atom.Atom, named bool, at int) {
	switch {
	case tag == atom.P || tag == atom.Br || !named:
		s.nodes++
		s.clones += s.total * s.heavy
	case isFormatting(tag) && at > s.hidden && s.open[tag] > s.floor[tag]:
		s.open[tag]--
		s.total--
	}
}

// inside returns the length of a tag, and hides what is in it.
func (s *scan) inside(at int, tag []byte) int {
	end := tagEnd(tag)
	s.work -= end
	s.unclear = s.unclear || end > longTag
	s.hidden = max(s.hidden, at+end)
	return end
}

// hide hides what comes before the next end.
func (s *scan) hide(at int, rest []byte, end string) {
	n := indexFold(rest, end)
	if n < 0 {
		n = len(rest)
	}
	s.work -= n
	s.hidden = max(s.hidden, at+n+len(end))
}

// indexFold is bytes.Index for a lower-case s, in any case of text.
func indexFold(text []byte, s string) int {
	for at := 0; ; {
		n := bytes.IndexByte(text[at:], s[0])
		if n < 0 || len(text)-at-n < len(s) {
			return -1
		}
		if at += n; bytes.EqualFold(text[at:at+len(s)], []byte(s)) {
			return at
		}
		at++
	}
}

// tagAtom is the name that a tag begins with, as the tokenizer reads it.
func tagAtom(tag []byte) atom.Atom {
	var name [12]byte
	for n, b := range tag {
		switch {
		case isSpace(b) || b == '/' || b == '>':
			return atom.Lookup(name[:n])
		case n == len(name):
			return 0
		case 'A' <= b && b <= 'Z':
			b |= 0x20
		}
		name[n] = b
	}
	return 0
}
