package css

import (
	"math"
	"strings"
)

// MatchMedia says whether the media query list matches in v. The empty list
// matches; a malformed query in it never does.
func MatchMedia(list string, v Viewport) bool {
	ns, ok := values(list)
	if !ok {
		return false
	}
	if len(ns) == 0 {
		return true
	}
	for _, q := range split(ns, atComma) {
		if mediaQuery(q, v) == yes {
			return true
		}
	}
	return false
}

// truth is Kleene's: an unknown media feature is neither true nor false, and
// its negation is no more true than itself.
type truth int8

const (
	no truth = iota - 1
	unknown
	yes
)

func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// mediaQuery evaluates one query: [only|not] type [and condition], or a
// condition.
func mediaQuery(q []node, v Viewport) truth {
	w := words(q)
	if len(w) == 0 {
		return no
	}
	negate := false
	rest := w
	switch {
	case rest[0].isIdent("not") && len(rest) > 1 && rest[1].kind == ident:
		negate, rest = true, rest[1:]
	case rest[0].isIdent("only"):
		rest = rest[1:]
	}
	if len(rest) == 0 || rest[0].kind != ident || rest[0].isIdent("not") {
		return condition(w, mediaLeaf(v))
	}
	t := truthOf(rest[0].isIdent("all") || rest[0].isIdent("screen"))
	switch strings.ToLower(rest[0].value) {
	case "and", "or", "only", "layer":
		return no // reserved, so not a media type
	}
	if rest = rest[1:]; len(rest) > 0 {
		if !rest[0].isIdent("and") || len(rest) == 1 {
			return no
		}
		for i, n := range rest[1:] {
			if n.isIdent("or") && i > 0 {
				return no
			}
		}
		c := condition(rest[1:], mediaLeaf(v))
		t = min(t, c)
	}
	if negate {
		t = -t
	}
	return t
}

// condition evaluates "not X", "X and Y and …", "X or Y or …" where X is a
// parenthesis or function. leaf judges what a parenthesis holds when it is
// no condition itself.
func condition(w []node, leaf func(node) truth) truth {
	if len(w) == 0 {
		return no
	}
	if w[0].isIdent("not") {
		if len(w) != 2 || !isGroup(w[1]) {
			return no
		}
		return -group(w[1], leaf)
	}
	if !isGroup(w[0]) {
		return no
	}
	t := group(w[0], leaf)
	join := ""
	for i := 1; i < len(w); i += 2 {
		if i+1 >= len(w) || w[i].kind != ident || !isGroup(w[i+1]) {
			return no
		}
		op := strings.ToLower(w[i].value)
		if join != "" && join != op {
			return no // "and" and "or" do not mix without parentheses
		}
		join = op
		switch r := group(w[i+1], leaf); op {
		case "and":
			t = min(t, r)
		case "or":
			t = max(t, r)
		default:
			return no
		}
	}
	return t
}

func isGroup(n node) bool { return n.kind == openParen || n.kind == function }

func group(n node, leaf func(node) truth) truth {
	if n.kind == openParen {
		w := words(n.args)
		if len(w) > 0 && (isGroup(w[0]) && !isLengthFunc(w[0]) || w[0].isIdent("not")) {
			return condition(w, leaf)
		}
	}
	return leaf(n)
}

func isLengthFunc(n node) bool {
	if n.kind != function {
		return false
	}
	switch strings.ToLower(n.value) {
	case "calc", "min", "max", "clamp":
		return true
	}
	return false
}

func mediaLeaf(v Viewport) func(node) truth {
	return func(n node) truth {
		if n.kind != openParen {
			return unknown
		}
		return mediaFeature(words(n.args), v)
	}
}

// mediaFeature evaluates (name), (name: value) and the range forms.
func mediaFeature(w []node, v Viewport) truth {
	if len(w) == 0 {
		return unknown
	}
	if w[0].kind == ident && (len(w) == 1 || w[1].kind == colon) {
		name := strings.ToLower(w[0].value)
		if len(w) == 1 {
			return boolFeature(name, v)
		}
		return plainFeature(name, w[2:], v)
	}
	return rangeFeature(w, v)
}

// compare is one of < <= = >= >.
type compare struct{ less, equal, greater bool }

func (c compare) holds(a, b float64) bool {
	const epsilon = 1e-4
	switch {
	case math.Abs(a-b) <= epsilon:
		return c.equal
	case a < b:
		return c.less
	}
	return c.greater
}

func plainFeature(name string, value []node, v Viewport) truth {
	c := compare{equal: true}
	numeric := name
	if rest, ok := strings.CutPrefix(name, "-webkit-"); ok {
		numeric = rest
	}
	if rest, ok := strings.CutPrefix(numeric, "min-"); ok {
		numeric, c = rest, compare{equal: true, greater: true}
	} else if rest, ok := strings.CutPrefix(numeric, "max-"); ok {
		numeric, c = rest, compare{equal: true, less: true}
	}
	if strings.HasPrefix(name, "-webkit-") && numeric != "device-pixel-ratio" {
		return webkitFeature(name, value)
	}
	if actual, ok := numericFeature(numeric, v); ok {
		want, ok := mediaNumber(numeric, value, v)
		if !ok {
			return unknown
		}
		return truthOf(c.holds(actual, want))
	}
	if len(value) != 1 || value[0].kind != ident {
		return unknown
	}
	allowed, ok := keywordFeatures[name]
	if !ok {
		return unknown
	}
	word := strings.ToLower(value[0].value)
	for _, a := range strings.Fields(allowed) {
		if a == word {
			return truthOf(keywordValue(name, v, word))
		}
	}
	return unknown
}

func webkitFeature(name string, value []node) truth {
	if name == "-webkit-transform-3d" && len(value) == 1 && value[0].kind == number {
		return truthOf(value[0].num == 1)
	}
	return unknown
}

// rangeFeature evaluates (width > 1px), (1px < width) and (1px < width < 2px).
func rangeFeature(w []node, v Viewport) truth {
	var parts [][]node
	var ops []compare
	from := 0
	for i := 0; i < len(w); i++ {
		n := w[i]
		if !n.isDelim('<') && !n.isDelim('>') && !n.isDelim('=') {
			continue
		}
		c := compare{less: n.isDelim('<'), equal: n.isDelim('='), greater: n.isDelim('>')}
		parts = append(parts, w[from:i])
		if !c.equal && i+1 < len(w) && w[i+1].isDelim('=') && w[i+1].start == n.end {
			c.equal = true
			i++
		}
		ops = append(ops, c)
		from = i + 1
	}
	parts = append(parts, w[from:])
	at := -1
	for i, p := range parts {
		if len(p) == 1 && p[0].kind == ident {
			at = i
		}
	}
	if at < 0 || len(parts) < 2 || len(parts) > 3 || len(parts) == 3 && at != 1 {
		return unknown
	}
	if len(ops) == 2 && (ops[0].less != ops[1].less || ops[0].greater != ops[1].greater) {
		return unknown
	}
	name := strings.ToLower(parts[at][0].value)
	actual, ok := numericFeature(name, v)
	if !ok {
		return unknown
	}
	t := yes
	for i, p := range parts {
		if i == at {
			continue
		}
		want, ok := mediaNumber(name, p, v)
		if !ok {
			return unknown
		}
		if i < at {
			t = min(t, truthOf(ops[i].holds(want, actual)))
		} else {
			t = min(t, truthOf(ops[i-1].holds(actual, want)))
		}
	}
	return t
}
