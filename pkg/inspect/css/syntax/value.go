package syntax

import "strings"

// Value is a component value: a token, or a function or block with what it
// holds. White space is kept as a token between two others.
type Value struct {
	Token
	Args []Value
}

// IsFunction says whether n is a call of the function name, in any case.
func (n Value) IsFunction(name string) bool {
	return n.Kind == Function && strings.EqualFold(n.Text, name)
}

// Values reads text as component values. ok is false where a browser calls
// the whole value invalid: a broken string or url(, a stray closing bracket,
// or deeper nesting than MaxDepth.
func Values(text string) (nodes []Value, ok bool) {
	l := Tokenizer{Source: text}
	nodes, ok = l.values(EOF, 0)
	return nodes, ok
}

func (l *Tokenizer) values(end Kind, depth int) ([]Value, bool) {
	var nodes []Value
	for {
		t := l.Next()
		n := Value{Token: t}
		var closer Kind
		switch t.Kind {
		case end, EOF:
			return Trim(nodes), true
		case BadString, BadURL, CloseParen, CloseBracket, CloseBrace:
			return nil, false
		case Function, OpenParen:
			closer = CloseParen
		case OpenBracket:
			closer = CloseBracket
		case OpenBrace:
			closer = CloseBrace
		case Whitespace:
			if len(nodes) == 0 || nodes[len(nodes)-1].Kind == Whitespace {
				continue
			}
		}
		if closer != 0 {
			if depth == MaxDepth {
				return nil, false
			}
			var ok bool
			if n.Args, ok = l.values(closer, depth+1); !ok {
				return nil, false
			}
			n.End = l.Pos
		}
		nodes = append(nodes, n)
	}
}

// Trim drops white space at both ends.
func Trim(ns []Value) []Value {
	for len(ns) > 0 && ns[0].Kind == Whitespace {
		ns = ns[1:]
	}
	for len(ns) > 0 && ns[len(ns)-1].Kind == Whitespace {
		ns = ns[:len(ns)-1]
	}
	return ns
}

// Split cuts ns at every top-level token that sep accepts, white space
// trimmed from the parts.
func Split(ns []Value, sep func(Value) bool) [][]Value {
	var parts [][]Value
	from := 0
	for i, n := range ns {
		if sep(n) {
			parts = append(parts, Trim(ns[from:i]))
			from = i + 1
		}
	}
	return append(parts, Trim(ns[from:]))
}

// IsComma is a separator for Split.
func IsComma(n Value) bool { return n.Kind == Comma }

// IsSlash is a separator for Split.
func IsSlash(n Value) bool { return n.IsDelim('/') }

// Fields are ns without white space.
func Fields(ns []Value) []Value {
	var w []Value
	for _, n := range ns {
		if n.Kind != Whitespace {
			w = append(w, n)
		}
	}
	return w
}

// Walk calls f for every node, outer ones first.
func Walk(ns []Value, f func(Value)) {
	for _, n := range ns {
		f(n)
		Walk(n.Args, f)
	}
}

// URL gives the address in url(…), quoted or not.
func (n Value) URL() (string, bool) {
	switch {
	case n.Kind == URL:
		return n.Text, true
	case n.IsFunction("url"):
		if len(n.Args) > 0 && n.Args[0].Kind == String {
			return n.Args[0].Text, true
		}
	}
	return "", false
}

// Inner is the text between the brackets of n in src.
func Inner(src string, n Value) string {
	text := src[n.Start:n.End]
	open := strings.IndexByte(text, '(')
	text = text[open+1:]
	return strings.TrimSuffix(text, ")")
}

// Substitutes says whether ns holds a function that is filled in per element.
func Substitutes(ns []Value) bool {
	found := false
	Walk(ns, func(n Value) {
		if n.Kind == Function && !found {
			switch strings.ToLower(n.Text) {
			case "var", "env", "if":
				found = true
			}
		}
	})
	return found
}

// Keywords is the set of the words in a list.
func Keywords(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}

// Brief shortens text of a sheet for a person.
func Brief(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	const most = 60
	if len(s) <= most {
		return s
	}
	cut := most
	for cut > 0 && s[cut]&0xc0 == 0x80 {
		cut--
	}
	return s[:cut] + "…"
}
