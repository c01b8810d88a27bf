package markup

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// next reads the next token: text up to a tag, or a tag.
func (q *quick) next() {
	q.tok = token{}
	s := q.src
	from := q.at
	for i := from; ; {
		k := strings.IndexByte(s[i:], '<')
		if k < 0 || i+k+1 >= len(s) {
			q.at = len(s)
			if from < len(s) {
				q.tok.kind, q.tok.data = textToken, unescape(s[from:])
			}
			return
		}
		i += k
		if c := s[i+1]; !isLetter(c) && c != '/' && c != '!' && c != '?' {
			i++
			continue
		}
		if i > from {
			q.at = i
			q.tok.kind, q.tok.data = textToken, unescape(s[from:i])
			return
		}
		q.tag(i)
		return
	}
}

func unescape(s string) string {
	if strings.IndexByte(s, '&') < 0 {
		return s
	}
	return html.UnescapeString(s)
}

// tag reads what begins with the "<" at i.
func (q *quick) tag(i int) {
	s := q.src
	switch c := s[i+1]; {
	case c == '!':
		q.declaration(i + 2)
	case c == '?':
		q.bogus(i + 1)
	case c != '/':
		q.tok.kind = startTag
		q.readTag(i + 1)
	case i+2 == len(s):
		q.at = len(s)
		q.tok.kind, q.tok.data = textToken, "</"
	case s[i+2] == '>':
		q.at = i + 3
		q.tok.kind = commentToken
	case isLetter(s[i+2]):
		q.tok.kind = endTag
		q.readTag(i + 2)
	default:
		q.bogus(i + 2)
	}
}

// bogus reads a comment that ends with the next ">".
func (q *quick) bogus(i int) {
	n := strings.IndexByte(q.src[i:], '>')
	if n < 0 {
		q.giveUp()
		return
	}
	q.tok.kind, q.tok.data = commentToken, unescape(q.src[i:i+n])
	q.at = i + n + 1
}

// declaration reads a comment or a document type from behind its "<!".
func (q *quick) declaration(i int) {
	rest := q.src[i:]
	switch {
	case strings.HasPrefix(rest, "--"):
		q.readComment(i + 2)
	case len(rest) >= 7 && strings.EqualFold(rest[:7], "doctype"):
		n := strings.IndexByte(rest, '>')
		if n < 0 {
			q.giveUp()
			return
		}
		q.tok.kind, q.tok.data = doctypeToken, q.src[i-2:i+n+1]
		q.at = i + n + 1
	case strings.HasPrefix(rest, "[CDATA["), len(rest) < 2:
		q.giveUp()
	default:
		q.bogus(i)
	}
}

// readComment reads a comment from behind its "<!--".
func (q *quick) readComment(i int) {
	rest := q.src[i:]
	q.tok.kind = commentToken
	switch {
	case strings.HasPrefix(rest, ">"):
		q.at = i + 1
		return
	case strings.HasPrefix(rest, "->"):
		q.at = i + 2
		return
	}
	for k := 0; ; {
		n := strings.Index(rest[k:], "--")
		if n < 0 {
			break
		}
		k += n + 2
		for k < len(rest) && rest[k] == '-' {
			k++
		}
		if k == len(rest) || rest[k] == '!' {
			break
		}
		if rest[k] == '>' {
			q.tok.data = unescape(rest[:k-2])
			q.at = i + k + 1
			return
		}
	}
	q.giveUp() // unusual ends
}

// endsName says whether c ends the name of a tag or an attribute.
func endsName(c byte) bool { return isSpace(c) || c == '/' || c == '>' }

// readTag reads a tag from its name on. A tag that the source ends in is none.
func (q *quick) readTag(i int) {
	s := q.src
	from, upper := i, false
	for i < len(s) && !endsName(s[i]) {
		upper = upper || 'A' <= s[i] && s[i] <= 'Z'
		i++
	}
	name := s[from:i]
	if upper {
		name = lower(name)
	}
	q.tok.tag, q.tok.data = tagAtom(name)
	if q.tok.tag == 0 {
		q.tok.data = name
	}
	attr, last := q.scratch[:0], 0
	for {
		for i < len(s) && isSpace(s[i]) {
			i++
		}
		if i == len(s) {
			q.at, q.tok = len(s), token{}
			return
		}
		if s[i] == '>' {
			break
		}
		a, end, next := attribute(s, i)
		if i = next; i < 0 {
			q.at, q.tok = len(s), token{}
			return
		}
		if a.Key != "" && q.tok.kind == startTag && !hasKey(attr, a.Key) {
			q.lazy = q.lazy || a.Key == "loading"
			if attr, last = append(attr, a), end; len(attr) > mostAttributes {
				q.giveUp() // they are held against each other
				return
			}
		}
	}
	q.at = i + 1
	q.tok.attr = q.keep(attr)
	// A slash that ends a value stands for nothing else.
	q.tok.selfClosing = q.tok.kind == startTag && s[i-1] == '/' && last != i
}

// keep copies attr into the slab.
func (q *quick) keep(attr []html.Attribute) []html.Attribute {
	q.scratch = attr
	n := len(attr)
	if n == 0 {
		return nil
	}
	if len(q.attrs) < n {
		q.attrs = q.slabs.takeAttrs() // which has room for mostAttributes
	}
	kept := q.attrs[:n:n]
	q.attrs = q.attrs[n:]
	copy(kept, attr)
	return kept
}

func hasKey(attr []html.Attribute, key string) bool {
	for i := range attr {
		if attr[i].Key == key {
			return true
		}
	}
	return false
}

// attribute reads one attribute at i and returns where its value ends and where
// the next may begin, -1 where the source ends first.
func attribute(s string, i int) (a html.Attribute, end, next int) {
	from, upper := i, false
	for ; ; i++ {
		if i == len(s) {
			return a, 0, -1
		}
		c := s[i]
		if c == '=' && i > from || endsName(c) {
			break
		}
		upper = upper || 'A' <= c && c <= 'Z'
	}
	if a.Key = s[from:i]; upper {
		a.Key = lower(a.Key)
	}
	end = i
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	switch {
	case i == len(s):
		return a, 0, -1
	case s[i] == '/':
		return a, end, i + 1
	case s[i] != '=':
		return a, end, i
	}
	for i++; i < len(s) && isSpace(s[i]); i++ {
	}
	if i == len(s) {
		return a, 0, -1
	}
	switch c := s[i]; c {
	case '>':
		return a, end, i
	case '\'', '"':
		n := strings.IndexByte(s[i+1:], c)
		if n < 0 {
			return a, 0, -1
		}
		a.Val = unescapeValue(s[i+1 : i+1+n])
		return a, i + 1 + n, i + n + 2
	}
	for from = i; i < len(s) && !isSpace(s[i]) && s[i] != '>'; i++ {
	}
	if i == len(s) {
		return a, 0, -1
	}
	a.Val = unescapeValue(s[from:i])
	return a, i, i
}

// lower lower-cases ASCII only.
func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c | 0x20
		}
	}
	return string(b)
}

// tagAtom is the atom of a lower-case name and the name that it has.
func tagAtom(name string) (atom.Atom, string) {
	var buf [32]byte
	if len(name) > len(buf) {
		return 0, ""
	}
	a := atom.Lookup(buf[:copy(buf[:], name)])
	if a == 0 {
		return 0, ""
	}
	return a, a.String()
}

// unescapeValue undoes the character references of an attribute's value, where
// a name must be whole: in "?a=1&copy=2" there is none.
func unescapeValue(s string) string {
	i := strings.IndexByte(s, '&')
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i >= 0 {
		b.WriteString(s[:i])
		s = s[i:]
		n := reference(s)
		b.WriteString(value(s[:n], s[n:]))
		s = s[n:]
		i = strings.IndexByte(s, '&')
	}
	b.WriteString(s)
	return b.String()
}

// reference is the length of what may be a character reference at the start
// of s.
func reference(s string) int {
	n := 1
	if n < len(s) && s[n] == '#' {
		n++
	}
	for n < len(s) && (isLetter(s[n]) || '0' <= s[n] && s[n] <= '9') {
		n++
	}
	if n < len(s) && s[n] == ';' {
		n++
	}
	return n
}

// value is what a reference stands for, itself if it is none.
func value(ref, rest string) string {
	plain := html.UnescapeString(ref)
	switch {
	case len(ref) > 1 && ref[1] == '#':
		return plain // numbers end where they end, in texts and in values
	case ref == "&semi;":
		return plain
	case strings.HasSuffix(ref, ";"):
		if strings.HasSuffix(plain, ";") {
			return ref // the name was cut short
		}
		return plain
	case strings.HasPrefix(rest, "=") || utf8.RuneCountInString(plain) != 1:
		return ref
	}
	return plain
}

// rawText reads the contents of an element that holds no elements, and its end
// tag.
func (q *quick) rawText(name string) string {
	rest := q.src[q.at:]
	if name == "script" && strings.Contains(rest[:rawEnd(rest, name)], "<!--") {
		// Scripts in comments may hold the end tag of a script.
		z := html.NewTokenizer(strings.NewReader("<script>" + rest))
		z.Next()
		end := 0
		if z.Next() == html.TextToken {
			end = len(z.Raw())
		}
		return q.endRaw(end)
	}
	return q.endRaw(rawEnd(rest, name))
}

// rawEnd is where the end tag of a raw text element begins.
func rawEnd(s, name string) int {
	for i := 0; ; {
		n := strings.Index(s[i:], "</")
		if n < 0 {
			return len(s)
		}
		i += n + 2
		if end := i + len(name); end < len(s) && endsName(s[end]) && strings.EqualFold(s[i:end], name) {
			return i - 2
		}
	}
}

// endRaw takes n bytes of text and the end tag behind them.
func (q *quick) endRaw(n int) string {
	text := q.src[q.at : q.at+n]
	q.at += n
	if q.at < len(q.src) {
		q.readTag(q.at + 2)
	}
	q.tok = token{kind: endTag} // used up; the end of the source comes next
	return text
}
