package css

import "strings"

// maxDepth bounds nesting of blocks and of component values; what is
// deeper is skipped. Pages written by people stay under 10.
const maxDepth = 64

// rawDecl is a declaration as written.
type rawDecl struct {
	name      string // lower case unless custom
	value     string
	important bool
}

// declarations reads the list of declarations of a style attribute or a rule.
func declarations(text string) []rawDecl {
	l := lexer{src: text}
	var list []rawDecl
	for {
		t := l.next()
		switch t.kind {
		case eof:
			return list
		case space, semicolon:
			continue
		}
		l.pos = t.start
		if d, ok := l.declaration(); ok {
			list = append(list, d)
			if l.pos < len(l.src) && l.src[l.pos] == '}' {
				l.pos++
			}
			continue
		}
		l.pos = t.start
		l.skip(func(t token) bool { return t.kind == semicolon })
	}
}

// declaration reads one declaration with the semicolon after it. When what
// stands here is none, ok is false and the position is anywhere.
func (l *lexer) declaration() (d rawDecl, ok bool) {
	t := l.next()
	if t.kind != ident {
		return d, false
	}
	name := t.value
	custom := strings.HasPrefix(name, "--")
	if t = l.next(); t.kind == space {
		t = l.next()
	}
	if t.kind != colon {
		return d, false
	}
	start, bang, braceAt := l.pos, -1, -1
	var last token // the last two that are not white space
	var before token
	empty := true
	end := l.skip(func(t token) bool {
		switch t.kind {
		case semicolon, closeBrace:
			return true
		case openBrace:
			if !custom && (!empty || braceAt >= 0) {
				return true
			}
			braceAt = t.start
		case space:
			return false
		}
		if t.isDelim('!') {
			bang = t.start
		}
		before, last = last, t
		empty = false
		return false
	})
	if end.kind == openBrace {
		return d, false
	}
	if end.kind == closeBrace {
		l.pos = end.start
	}
	stop := end.start
	if bang >= 0 && before.start == bang && before.isDelim('!') && last.isIdent("important") {
		d.important, stop = true, bang
	}
	if braceAt >= 0 && !custom {
		// a whole block is a value only of a custom property; "a:{…}" is
		// neither a declaration nor a rule
		return rawDecl{name: "-invalid", value: ""}, true
	}
	d.name, d.value = name, strings.TrimSpace(l.src[start:stop])
	if !custom {
		d.name = strings.ToLower(name)
	}
	return d, true
}

// prelude reads up to the block or the semicolon of a rule and says which it
// was; inside a block a closing brace ends it too and is left unread.
func (l *lexer) prelude(nested, semicolonEnds bool) (text string, end kind) {
	start := l.pos
	t := l.skip(func(t token) bool {
		return t.kind == openBrace || t.kind == semicolon && semicolonEnds || t.kind == closeBrace && nested
	})
	text = strings.TrimSpace(l.src[start:t.start])
	if t.kind == closeBrace {
		l.pos = t.start
	}
	return text, t.kind
}

// skip reads to the first top-level token that stop accepts and returns it;
// eof when there is none. Brackets that open are skipped whole.
func (l *lexer) skip(stop func(token) bool) token {
	var open []kind
	for {
		t := l.next()
		if t.kind == eof || len(open) == 0 && stop(t) {
			return t
		}
		switch t.kind {
		case openBrace:
			open = append(open, closeBrace)
		case openBracket:
			open = append(open, closeBracket)
		case openParen, function:
			open = append(open, closeParen)
		case closeBrace, closeBracket, closeParen:
			if len(open) > 0 && open[len(open)-1] == t.kind {
				open = open[:len(open)-1]
			}
		}
	}
}

// skipBlock reads on until the block that is open ends.
func (l *lexer) skipBlock() {
	l.skip(func(t token) bool { return t.kind == closeBrace })
}
