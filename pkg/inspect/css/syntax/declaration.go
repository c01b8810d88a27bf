package syntax

import "strings"

// MaxDepth bounds nesting of blocks and of component values; what is
// deeper is skipped. Pages written by people stay under 10.
const MaxDepth = 64

// Declaration is a declaration as written.
type Declaration struct {
	Name      string // lower case unless custom
	Value     string
	Important bool
}

// Declarations reads the list of declarations of a style attribute or a rule.
func Declarations(text string) []Declaration {
	l := Tokenizer{Source: text}
	var list []Declaration
	for {
		t := l.Next()
		switch t.Kind {
		case EOF:
			return list
		case Whitespace, Semicolon:
			continue
		}
		l.Pos = t.Start
		if d, ok := l.Declaration(); ok {
			list = append(list, d)
			if l.Pos < len(l.Source) && l.Source[l.Pos] == '}' {
				l.Pos++
			}
			continue
		}
		l.Pos = t.Start
		l.Skip(func(t Token) bool { return t.Kind == Semicolon })
	}
}

// Declaration reads one declaration with the semicolon after it. Where none
// stands, ok is false and the position is undefined.
func (l *Tokenizer) Declaration() (d Declaration, ok bool) {
	t := l.Next()
	if t.Kind != Ident {
		return d, false
	}
	name := t.Text
	custom := strings.HasPrefix(name, "--")
	if t = l.Next(); t.Kind == Whitespace {
		t = l.Next()
	}
	if t.Kind != Colon {
		return d, false
	}
	start, bang, braceAt := l.Pos, -1, -1
	var last Token // the last two that are not white space
	var before Token
	empty := true
	end := l.Skip(func(t Token) bool {
		switch t.Kind {
		case Semicolon, CloseBrace:
			return true
		case OpenBrace:
			if !custom && (!empty || braceAt >= 0) {
				return true
			}
			braceAt = t.Start
		case Whitespace:
			return false
		}
		if t.IsDelim('!') {
			bang = t.Start
		}
		before, last = last, t
		empty = false
		return false
	})
	if end.Kind == OpenBrace {
		return d, false
	}
	if end.Kind == CloseBrace {
		l.Pos = end.Start
	}
	stop := end.Start
	if bang >= 0 && before.Start == bang && before.IsDelim('!') && last.IsIdent("important") {
		d.Important, stop = true, bang
	}
	if braceAt >= 0 && !custom {
		// a whole block is a value only of a custom property; "a:{…}" is
		// neither a declaration nor a rule
		return Declaration{Name: "-invalid", Value: ""}, true
	}
	d.Name, d.Value = name, strings.TrimSpace(l.Source[start:stop])
	if !custom {
		d.Name = strings.ToLower(name)
	}
	return d, true
}

// Prelude reads up to the block or the semicolon of a rule and says which it
// was; inside a block a closing brace ends it too and is left unread.
func (l *Tokenizer) Prelude(nested, semicolonEnds bool) (text string, end Kind) {
	start := l.Pos
	t := l.Skip(func(t Token) bool {
		return t.Kind == OpenBrace || t.Kind == Semicolon && semicolonEnds || t.Kind == CloseBrace && nested
	})
	text = strings.TrimSpace(l.Source[start:t.Start])
	if t.Kind == CloseBrace {
		l.Pos = t.Start
	}
	return text, t.Kind
}

// Skip reads to the first top-level token that stop accepts and returns it;
// EOF if none follows. Brackets that open are skipped whole.
func (l *Tokenizer) Skip(stop func(Token) bool) Token {
	var open []Kind
	for {
		t := l.Next()
		if t.Kind == EOF || len(open) == 0 && stop(t) {
			return t
		}
		switch t.Kind {
		case OpenBrace:
			open = append(open, CloseBrace)
		case OpenBracket:
			open = append(open, CloseBracket)
		case OpenParen, Function:
			open = append(open, CloseParen)
		case CloseBrace, CloseBracket, CloseParen:
			if len(open) > 0 && open[len(open)-1] == t.Kind {
				open = open[:len(open)-1]
			}
		}
	}
}

// SkipBlock reads on until the block that is open ends.
func (l *Tokenizer) SkipBlock() {
	l.Skip(func(t Token) bool { return t.Kind == CloseBrace })
}
