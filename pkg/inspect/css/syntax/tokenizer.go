// Package syntax cuts the text of style sheets into tokens, component values
// and declarations, as CSS Syntax Level 3 does; the names are the standard's.
// It knows no property and no selector. Nothing fails: what a browser drops as
// invalid is reported as such, in time linear in the text and with blocks
// nested at most [MaxDepth] deep.
package syntax

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Kind names a token as CSS Syntax Level 3, section 4, does.
type Kind uint8

// The tokens of section 4, EOF at the end of the text.
const (
	EOF Kind = iota
	Ident
	Function // Text is the name; the opening parenthesis is part of the token
	AtKeyword
	Hash
	String
	BadString
	URL
	BadURL
	Delim // Text is the one character
	Number
	Percentage
	Dimension // Text is the unit
	Whitespace
	CDO
	CDC
	Colon
	Semicolon
	Comma
	OpenBracket
	CloseBracket
	OpenParen
	CloseParen
	OpenBrace
	CloseBrace
)

// Token is one token; Text has its escapes undone.
type Token struct {
	Kind       Kind
	Start, End int // bytes of the source
	Num        float64
	Text       string
}

// IsIdent says whether t is the identifier name, in any case.
func (t Token) IsIdent(name string) bool {
	return t.Kind == Ident && strings.EqualFold(t.Text, name)
}

// IsDelim says whether t is the delimiter c.
func (t Token) IsDelim(c byte) bool {
	return t.Kind == Delim && t.Text[0] == c
}

// Tokenizer cuts a style sheet into tokens. Comments vanish. It never fails:
// every byte sequence is some sequence of tokens.
type Tokenizer struct {
	Source string
	Pos    int
}

func (l *Tokenizer) peek(n int) byte {
	if l.Pos+n < len(l.Source) {
		return l.Source[l.Pos+n]
	}
	return 0
}

func (l *Tokenizer) make(k Kind, start int, value string) Token {
	return Token{Kind: k, Start: start, End: l.Pos, Text: value}
}

// punctuation maps the bytes that are a token by themselves.
var punctuation = [128]Kind{
	':': Colon, ';': Semicolon, ',': Comma, '[': OpenBracket, ']': CloseBracket,
	'(': OpenParen, ')': CloseParen, '{': OpenBrace, '}': CloseBrace,
}

// Next returns the next token, EOF for ever at the end.
func (l *Tokenizer) Next() Token {
	l.skipComments()
	if l.Pos >= len(l.Source) {
		return Token{Kind: EOF, Start: len(l.Source), End: len(l.Source)}
	}
	start, c := l.Pos, l.Source[l.Pos]
	switch {
	case isSpace(c):
		for l.Pos < len(l.Source) && isSpace(l.Source[l.Pos]) {
			l.Pos++
		}
		return l.make(Whitespace, start, "")
	case c < 128 && punctuation[c] != 0:
		l.Pos++
		return l.make(punctuation[c], start, "")
	case c == '"' || c == '\'':
		return l.quoted(c)
	case c == '#' && (isName(l.peek(1)) || l.escapeAt(1)):
		l.Pos++
		id := l.identAt()
		t := l.name(Hash, start)
		if id {
			t.Num = 1 // may be an id selector
		}
		return t
	case l.numberAt():
		return l.number()
	case c == '<' && strings.HasPrefix(l.Source[l.Pos:], "<!--"):
		l.Pos += 4
		return l.make(CDO, start, "")
	case c == '-' && strings.HasPrefix(l.Source[l.Pos:], "-->"):
		l.Pos += 3
		return l.make(CDC, start, "")
	case c == '@':
		l.Pos++
		if l.identAt() {
			return l.name(AtKeyword, start)
		}
		return l.make(Delim, start, "@")
	case l.identAt():
		return l.identLike()
	}
	l.Pos++
	return l.make(Delim, start, l.Source[start:l.Pos])
}

func (l *Tokenizer) skipComments() {
	for strings.HasPrefix(l.Source[l.Pos:], "/*") {
		end := strings.Index(l.Source[l.Pos+2:], "*/")
		if end < 0 {
			l.Pos = len(l.Source)
			return
		}
		l.Pos += end + 4
	}
}

// escapeAt says whether the byte n ahead begins a valid escape.
func (l *Tokenizer) escapeAt(n int) bool {
	return l.peek(n) == '\\' && l.Pos+n+1 < len(l.Source) && !isNewline(l.peek(n+1))
}

// identAt says whether an identifier begins here.
func (l *Tokenizer) identAt() bool {
	switch c := l.peek(0); {
	case c == '-':
		return isNameStart(l.peek(1)) || l.peek(1) == '-' || l.escapeAt(1)
	case c == '\\':
		return l.escapeAt(0)
	case l.Pos < len(l.Source):
		return isNameStart(c) || c == 0
	}
	return false
}

// numberAt says whether a number begins here.
func (l *Tokenizer) numberAt() bool {
	c, n := l.peek(0), 0
	if c == '+' || c == '-' {
		n = 1
	}
	return isDigit(l.peek(n)) || l.peek(n) == '.' && isDigit(l.peek(n+1))
}

// name reads a name and makes it a token of kind k that began at start.
func (l *Tokenizer) name(k Kind, start int) Token {
	from := l.Pos
	for l.Pos < len(l.Source) && isName(l.Source[l.Pos]) && l.Source[l.Pos] != 0 {
		l.Pos++
	}
	if l.Pos >= len(l.Source) || l.Source[l.Pos] != '\\' && l.Source[l.Pos] != 0 {
		return l.make(k, start, l.Source[from:l.Pos])
	}
	var b strings.Builder
	b.WriteString(l.Source[from:l.Pos])
	for l.Pos < len(l.Source) {
		c := l.Source[l.Pos]
		switch {
		case c == 0:
			b.WriteRune(utf8.RuneError)
			l.Pos++
		case isName(c):
			b.WriteByte(c)
			l.Pos++
		case l.escapeAt(0):
			b.WriteRune(l.escape())
		default:
			return l.make(k, start, b.String())
		}
	}
	return l.make(k, start, b.String())
}

// escape reads an escape sequence.
func (l *Tokenizer) escape() rune {
	l.Pos++
	n, v := 0, 0
	for n < 6 && l.Pos < len(l.Source) && IsHexDigit(l.Source[l.Pos]) {
		d, _ := strconv.ParseUint(l.Source[l.Pos:l.Pos+1], 16, 8)
		v = v<<4 | int(d)
		l.Pos++
		n++
	}
	if n == 0 {
		r, size := utf8.DecodeRuneInString(l.Source[l.Pos:])
		l.Pos += size
		if r == 0 {
			return utf8.RuneError
		}
		return r
	}
	if l.Pos < len(l.Source) && isSpace(l.Source[l.Pos]) {
		if l.Source[l.Pos] == '\r' && l.peek(1) == '\n' {
			l.Pos++
		}
		l.Pos++
	}
	if v == 0 || v > utf8.MaxRune || v >= 0xd800 && v < 0xe000 {
		return utf8.RuneError
	}
	return rune(v)
}

// quoted reads a string up to the quote, the end, or a raw newline, which
// makes it a bad one.
func (l *Tokenizer) quoted(quote byte) Token {
	start := l.Pos
	l.Pos++
	var b strings.Builder
	from := l.Pos // what is before is in b
	for l.Pos < len(l.Source) {
		switch c := l.Source[l.Pos]; {
		case c == quote:
			b.WriteString(l.Source[from:l.Pos])
			l.Pos++
			return l.make(String, start, b.String())
		case isNewline(c):
			return l.make(BadString, start, "")
		case c == '\\':
			b.WriteString(l.Source[from:l.Pos])
			switch {
			case l.Pos+1 >= len(l.Source):
				l.Pos++
			case isNewline(l.peek(1)):
				if l.peek(1) == '\r' && l.peek(2) == '\n' {
					l.Pos++
				}
				l.Pos += 2
			default:
				b.WriteRune(l.escape())
			}
			from = l.Pos
		default:
			l.Pos++
		}
	}
	b.WriteString(l.Source[from:])
	return l.make(String, start, b.String())
}

func (l *Tokenizer) number() Token {
	start := l.Pos
	if c := l.peek(0); c == '+' || c == '-' {
		l.Pos++
	}
	l.digits()
	if l.peek(0) == '.' && isDigit(l.peek(1)) {
		l.Pos++
		l.digits()
	}
	if c := l.peek(0); c == 'e' || c == 'E' {
		n := 1
		if s := l.peek(1); s == '+' || s == '-' {
			n = 2
		}
		if isDigit(l.peek(n)) {
			l.Pos += n
			l.digits()
		}
	}
	v, _ := strconv.ParseFloat(l.Source[start:l.Pos], 64) // out of range is ±Inf, which will do
	t := Token{Kind: Number, Start: start, End: l.Pos, Num: v}
	if l.peek(0) == '%' {
		l.Pos++
		t.Kind, t.End = Percentage, l.Pos
	} else if l.identAt() {
		unit := l.name(Dimension, start)
		t.Kind, t.End, t.Text = Dimension, l.Pos, unit.Text
	}
	return t
}

func (l *Tokenizer) digits() {
	for isDigit(l.peek(0)) {
		l.Pos++
	}
}

// identLike reads an identifier, a function's opening or a whole url(…).
func (l *Tokenizer) identLike() Token {
	start := l.Pos
	t := l.name(Ident, start)
	if l.peek(0) != '(' {
		return t
	}
	l.Pos++
	t.Kind, t.End = Function, l.Pos
	if !strings.EqualFold(t.Text, "url") {
		return t
	}
	n := 0
	for isSpace(l.peek(n)) {
		n++
	}
	if c := l.peek(n); c == '"' || c == '\'' {
		return t
	}
	l.Pos += n
	return l.rawURL(start)
}

// rawURL reads the unquoted argument of url(.
func (l *Tokenizer) rawURL(start int) Token {
	var b strings.Builder
	for l.Pos < len(l.Source) {
		switch c := l.Source[l.Pos]; {
		case c == ')':
			l.Pos++
			return l.make(URL, start, b.String())
		case isSpace(c):
			for isSpace(l.peek(0)) {
				l.Pos++
			}
			if l.Pos < len(l.Source) && l.Source[l.Pos] != ')' {
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
			l.Pos++
		}
	}
	return l.make(URL, start, b.String())
}

// badURL skips what is left of a broken url(.
func (l *Tokenizer) badURL(start int) Token {
	for l.Pos < len(l.Source) {
		switch {
		case l.Source[l.Pos] == ')':
			l.Pos++
			return l.make(BadURL, start, "")
		case l.escapeAt(0):
			l.escape()
		default:
			l.Pos++
		}
	}
	return l.make(BadURL, start, "")
}

func isSpace(c byte) bool     { return c == ' ' || c == '\t' || isNewline(c) }
func isNewline(c byte) bool   { return c == '\n' || c == '\r' || c == '\f' }
func isDigit(c byte) bool     { return c >= '0' && c <= '9' }
func IsHexDigit(c byte) bool  { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }
func isNameStart(c byte) bool { return c >= 0x80 || c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z' }
func isName(c byte) bool      { return isNameStart(c) || isDigit(c) || c == '-' }
