package css

import "strings"

// node is a component value: a token, or a function or block with what it
// holds. White space is kept as a token between two others.
type node struct {
	token
	args []node
}

func (n node) isFunc(name string) bool {
	return n.kind == function && strings.EqualFold(n.value, name)
}

// values reads text as component values. ok is false where a browser calls
// the whole value invalid: a broken string or url(, a stray closing bracket,
// or deeper nesting than maxDepth.
func values(text string) (nodes []node, ok bool) {
	l := lexer{src: text}
	nodes, ok = l.values(eof, 0)
	return nodes, ok
}

func (l *lexer) values(end kind, depth int) ([]node, bool) {
	var nodes []node
	for {
		t := l.next()
		n := node{token: t}
		var closer kind
		switch t.kind {
		case end, eof:
			return trim(nodes), true
		case badString, badURL, closeParen, closeBracket, closeBrace:
			return nil, false
		case function, openParen:
			closer = closeParen
		case openBracket:
			closer = closeBracket
		case openBrace:
			closer = closeBrace
		case space:
			if len(nodes) == 0 || nodes[len(nodes)-1].kind == space {
				continue
			}
		}
		if closer != 0 {
			if depth == maxDepth {
				return nil, false
			}
			var ok bool
			if n.args, ok = l.values(closer, depth+1); !ok {
				return nil, false
			}
			n.end = l.pos
		}
		nodes = append(nodes, n)
	}
}

// trim drops white space at both ends.
func trim(ns []node) []node {
	for len(ns) > 0 && ns[0].kind == space {
		ns = ns[1:]
	}
	for len(ns) > 0 && ns[len(ns)-1].kind == space {
		ns = ns[:len(ns)-1]
	}
	return ns
}

// split cuts ns at every top-level token that sep accepts, white space
// trimmed from the parts.
func split(ns []node, sep func(node) bool) [][]node {
	var parts [][]node
	from := 0
	for i, n := range ns {
		if sep(n) {
			parts = append(parts, trim(ns[from:i]))
			from = i + 1
		}
	}
	return append(parts, trim(ns[from:]))
}

func atComma(n node) bool { return n.kind == comma }
func atSlash(n node) bool { return n.isDelim('/') }

// words are ns without white space.
func words(ns []node) []node {
	var w []node
	for _, n := range ns {
		if n.kind != space {
			w = append(w, n)
		}
	}
	return w
}

// walk calls f for every node, outer ones first.
func walk(ns []node, f func(node)) {
	for _, n := range ns {
		f(n)
		walk(n.args, f)
	}
}

// urlOf gives the address in url(…), quoted or not.
func (n node) urlOf() (string, bool) {
	switch {
	case n.kind == urlToken:
		return n.value, true
	case n.isFunc("url"):
		if len(n.args) > 0 && n.args[0].kind == str {
			return n.args[0].value, true
		}
	}
	return "", false
}

// inner is the text between the brackets of n in src.
func inner(src string, n node) string {
	text := src[n.start:n.end]
	open := strings.IndexByte(text, '(')
	text = text[open+1:]
	return strings.TrimSuffix(text, ")")
}

// substitutes says whether ns holds a function that is filled in per element.
func substitutes(ns []node) bool {
	found := false
	walk(ns, func(n node) {
		if n.kind == function && !found {
			switch strings.ToLower(n.value) {
			case "var", "env", "if":
				found = true
			}
		}
	})
	return found
}

// set is the set of the words in a list.
func set(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[w] = true
	}
	return m
}
