package css

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// kind names a token as CSS Syntax Level 3, section 4, does.
type kind uint8

const (
	eof kind = iota
	ident
	function // value is the name; the opening parenthesis is part of the token
	atKeyword
	hash
	str
	badString
	urlToken
	badURL
	delim // value is the one character
	number
	percentage
	dimension // value is the unit
	space
	cdo
	cdc
	colon
	semicolon
	comma
	openBracket
	closeBracket
	openParen
	closeParen
	openBrace
	closeBrace
)

// token is one token; value holds its text with escapes undone.
type token struct {
	kind       kind
	start, end int // bytes of the source
	num        float64
	value      string
}

func (t token) isIdent(name string) bool {
	return t.kind == ident && strings.EqualFold(t.value, name)
}

func (t token) isDelim(c byte) bool {
	return t.kind == delim && t.value[0] == c
}

// lexer cuts a style sheet into tokens. Comments vanish. It never fails:
// every byte sequence is some sequence of tokens.
type lexer struct {
	src string
	pos int
}

func (l *lexer) peek(n int) byte {
	if l.pos+n < len(l.src) {
		return l.src[l.pos+n]
	}
	return 0
}

func (l *lexer) make(k kind, start int, value string) token {
	return token{kind: k, start: start, end: l.pos, value: value}
}

// punctuation maps the bytes that are a token by themselves.
var punctuation = [128]kind{
	':': colon, ';': semicolon, ',': comma, '[': openBracket, ']': closeBracket,
	'(': openParen, ')': closeParen, '{': openBrace, '}': closeBrace,
}

// next returns the next token, eof for ever at the end.
func (l *lexer) next() token {
	l.skipComments()
	if l.pos >= len(l.src) {
		return token{kind: eof, start: len(l.src), end: len(l.src)}
	}
	start, c := l.pos, l.src[l.pos]
	switch {
	case isSpace(c):
		for l.pos < len(l.src) && isSpace(l.src[l.pos]) {
			l.pos++
		}
		return l.make(space, start, "")
	case c < 128 && punctuation[c] != 0:
		l.pos++
		return l.make(punctuation[c], start, "")
	case c == '"' || c == '\'':
		return l.quoted(c)
	case c == '#' && (isName(l.peek(1)) || l.escapeAt(1)):
		l.pos++
		id := l.identAt()
		t := l.name(hash, start)
		if id {
			t.num = 1 // may be an id selector
		}
		return t
	case l.numberAt():
		return l.number()
	case c == '<' && strings.HasPrefix(l.src[l.pos:], "<!--"):
		l.pos += 4
		return l.make(cdo, start, "")
	case c == '-' && strings.HasPrefix(l.src[l.pos:], "-->"):
		l.pos += 3
		return l.make(cdc, start, "")
	case c == '@':
		l.pos++
		if l.identAt() {
			return l.name(atKeyword, start)
		}
		return l.make(delim, start, "@")
	case l.identAt():
		return l.identLike()
	}
	l.pos++
	return l.make(delim, start, l.src[start:l.pos])
}

func (l *lexer) skipComments() {
	for strings.HasPrefix(l.src[l.pos:], "/*") {
		end := strings.Index(l.src[l.pos+2:], "*/")
		if end < 0 {
			l.pos = len(l.src)
			return
		}
		l.pos += end + 4
	}
}

// escapeAt says whether the byte n ahead begins a valid escape.
func (l *lexer) escapeAt(n int) bool {
	return l.peek(n) == '\\' && l.pos+n+1 < len(l.src) && !isNewline(l.peek(n+1))
}

// identAt says whether an identifier begins here.
func (l *lexer) identAt() bool {
	switch c := l.peek(0); {
	case c == '-':
		return isNameStart(l.peek(1)) || l.peek(1) == '-' || l.escapeAt(1)
	case c == '\\':
		return l.escapeAt(0)
	case l.pos < len(l.src):
		return isNameStart(c) || c == 0
	}
	return false
}

// numberAt says whether a number begins here.
func (l *lexer) numberAt() bool {
	c, n := l.peek(0), 0
	if c == '+' || c == '-' {
		n = 1
	}
	return isDigit(l.peek(n)) || l.peek(n) == '.' && isDigit(l.peek(n+1))
}

// name reads a name and makes it a token of kind k that began at start.
func (l *lexer) name(k kind, start int) token {
	from := l.pos
	for l.pos < len(l.src) && isName(l.src[l.pos]) && l.src[l.pos] != 0 {
		l.pos++
	}
	if l.pos >= len(l.src) || l.src[l.pos] != '\\' && l.src[l.pos] != 0 {
		return l.make(k, start, l.src[from:l.pos])
	}
	var b strings.Builder
	b.WriteString(l.src[from:l.pos])
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		switch {
		case c == 0:
			b.WriteRune(utf8.RuneError)
			l.pos++
		case isName(c):
			b.WriteByte(c)
			l.pos++
		case l.escapeAt(0):
			b.WriteRune(l.escape())
		default:
			return l.make(k, start, b.String())
		}
	}
	return l.make(k, start, b.String())
}

// escape reads a backslash and what it stands for.
func (l *lexer) escape() rune {
	l.pos++
	n, v := 0, 0
	for n < 6 && l.pos < len(l.src) && isHex(l.src[l.pos]) {
		d, _ := strconv.ParseUint(l.src[l.pos:l.pos+1], 16, 8)
		v = v<<4 | int(d)
		l.pos++
		n++
	}
	if n == 0 {
		r, size := utf8.DecodeRuneInString(l.src[l.pos:])
		l.pos += size
		if r == 0 {
			return utf8.RuneError
		}
		return r
	}
	if l.pos < len(l.src) && isSpace(l.src[l.pos]) {
		if l.src[l.pos] == '\r' && l.peek(1) == '\n' {
			l.pos++
		}
		l.pos++
	}
	if v == 0 || v > utf8.MaxRune || v >= 0xd800 && v < 0xe000 {
		return utf8.RuneError
	}
	return rune(v)
}

// quoted reads a string up to the quote, the end, or a raw newline, which
// makes it a bad one.
func (l *lexer) quoted(quote byte) token {
	start := l.pos
	l.pos++
	var b strings.Builder
	from := l.pos // what is before is in b
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case c == quote:
			b.WriteString(l.src[from:l.pos])
			l.pos++
			return l.make(str, start, b.String())
		case isNewline(c):
			return l.make(badString, start, "")
		case c == '\\':
			b.WriteString(l.src[from:l.pos])
			switch {
			case l.pos+1 >= len(l.src):
				l.pos++
			case isNewline(l.peek(1)):
				if l.peek(1) == '\r' && l.peek(2) == '\n' {
					l.pos++
				}
				l.pos += 2
			default:
				b.WriteRune(l.escape())
			}
			from = l.pos
		default:
			l.pos++
		}
	}
	b.WriteString(l.src[from:])
	return l.make(str, start, b.String())
}

func (l *lexer) number() token {
	start := l.pos
	if c := l.peek(0); c == '+' || c == '-' {
		l.pos++
	}
	l.digits()
	if l.peek(0) == '.' && isDigit(l.peek(1)) {
		l.pos++
		l.digits()
	}
	if c := l.peek(0); c == 'e' || c == 'E' {
		n := 1
		if s := l.peek(1); s == '+' || s == '-' {
			n = 2
		}
		if isDigit(l.peek(n)) {
			l.pos += n
			l.digits()
		}
	}
	v, _ := strconv.ParseFloat(l.src[start:l.pos], 64) // out of range is ±Inf, which will do
	t := token{kind: number, start: start, end: l.pos, num: v}
	if l.peek(0) == '%' {
		l.pos++
		t.kind, t.end = percentage, l.pos
	} else if l.identAt() {
		unit := l.name(dimension, start)
		t.kind, t.end, t.value = dimension, l.pos, unit.value
	}
	return t
}

func (l *lexer) digits() {
	for isDigit(l.peek(0)) {
		l.pos++
	}
}

// identLike reads an identifier, a function's opening or a whole url(…).
func (l *lexer) identLike() token {
	start := l.pos
	t := l.name(ident, start)
	if l.peek(0) != '(' {
		return t
	}
	l.pos++
	t.kind, t.end = function, l.pos
	if !strings.EqualFold(t.value, "url") {
		return t
	}
	n := 0
	for isSpace(l.peek(n)) {
		n++
	}
	if c := l.peek(n); c == '"' || c == '\'' {
		return t
	}
	l.pos += n
	return l.rawURL(start)
}

// rawURL reads the unquoted argument of url(.
func (l *lexer) rawURL(start int) token {
	var b strings.Builder
	for l.pos < len(l.src) {
		switch c := l.src[l.pos]; {
		case c == ')':
			l.pos++
			return l.make(urlToken, start, b.String())
		case isSpace(c):
			for isSpace(l.peek(0)) {
				l.pos++
			}
			if l.pos < len(l.src) && l.src[l.pos] != ')' {
				return l.badURL(start)
			}
		case c == '"' || c == '\'' || c == '(' || c == 0x7f || c == 0x0b || c < 0x20 && c != 0:
			return l.badURL(start)
		case c == '\\':
			if !l.escapeAt(0) {
				return l.badURL(start)
			}
			b.WriteRune(l.escape())
		default:
			b.WriteByte(c)
			l.pos++
		}
	}
	return l.make(urlToken, start, b.String())
}

// badURL skips what is left of a broken url(.
func (l *lexer) badURL(start int) token {
	for l.pos < len(l.src) {
		switch {
		case l.src[l.pos] == ')':
			l.pos++
			return l.make(badURL, start, "")
		case l.escapeAt(0):
			l.escape()
		default:
			l.pos++
		}
	}
	return l.make(badURL, start, "")
}

func isSpace(c byte) bool     { return c == ' ' || c == '\t' || isNewline(c) }
func isNewline(c byte) bool   { return c == '\n' || c == '\r' || c == '\f' }
func isDigit(c byte) bool     { return c >= '0' && c <= '9' }
func isHex(c byte) bool       { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
func isNameStart(c byte) bool { return c >= 0x80 || c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
func isName(c byte) bool      { return isNameStart(c) || isDigit(c) || c == '-' }
