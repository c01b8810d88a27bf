package media

import (
	"math"
	"strings"

	"libra/pkg/inspect/css/syntax"
)

// Match says whether the media query list matches in v. The empty list
// matches; a malformed query in it never does.
func Match(list string, v Viewport) bool {
	ns, ok := syntax.Values(list)
	if !ok {
		return false
	}
	if len(ns) == 0 {
		return true
	}
	for _, q := range syntax.Split(ns, syntax.IsComma) {
		if mediaQuery(q, v) == Yes {
			return true
		}
	}
	return false
}

// MatchCondition says whether the media condition w holds in v: a media query
// without a media type.
func MatchCondition(w []syntax.Value, v Viewport) bool {
	return Condition(syntax.Fields(w), mediaLeaf(v)) == Yes
}

// Truth is Kleene's: an unknown media feature is neither true nor false, and
// its negation is no more true than itself.
type Truth int8

// The values of a condition, in the order that min is "and" of and max is "or".
const (
	No Truth = iota - 1
	Unknown
	Yes
)

// TruthOf is Yes or No.
func TruthOf(b bool) Truth {
	if b {
		return Yes
	}
	return No
}

// mediaQuery evaluates one query: [only|not] type [and condition], or a
// condition.
func mediaQuery(q []syntax.Value, v Viewport) Truth {
	w := syntax.Fields(q)
	if len(w) == 0 {
		return No
	}
	negate := false
	rest := w
	switch {
	case rest[0].IsIdent("not") && len(rest) > 1 && rest[1].Kind == syntax.Ident:
		negate, rest = true, rest[1:]
	case rest[0].IsIdent("only"):
		rest = rest[1:]
	}
	if len(rest) == 0 || rest[0].Kind != syntax.Ident || rest[0].IsIdent("not") {
		return Condition(w, mediaLeaf(v))
	}
	t := TruthOf(rest[0].IsIdent("all") || rest[0].IsIdent("screen"))
	switch strings.ToLower(rest[0].Text) {
	case "and", "or", "only", "layer":
		return No // reserved, so not a media type
	}
	if rest = rest[1:]; len(rest) > 0 {
		if !rest[0].IsIdent("and") || len(rest) == 1 {
			return No
		}
		for i, n := range rest[1:] {
			if n.IsIdent("or") && i > 0 {
				return No
			}
		}
		c := Condition(rest[1:], mediaLeaf(v))
		t = min(t, c)
	}
	if negate {
		t = -t
	}
	return t
}

// Condition evaluates "not X", "X and Y and …", "X or Y or …" where X is a
// parenthesis or function. leaf judges what a parenthesis holds when it is
// no condition itself.
func Condition(w []syntax.Value, leaf func(syntax.Value) Truth) Truth {
	if len(w) == 0 {
		return No
	}
	if w[0].IsIdent("not") {
		if len(w) != 2 || !isGroup(w[1]) {
			return No
		}
		return -group(w[1], leaf)
	}
	if !isGroup(w[0]) {
		return No
	}
	t := group(w[0], leaf)
	join := ""
	for i := 1; i < len(w); i += 2 {
		if i+1 >= len(w) || w[i].Kind != syntax.Ident || !isGroup(w[i+1]) {
			return No
		}
		op := strings.ToLower(w[i].Text)
		if join != "" && join != op {
			return No // "and" and "or" do not mix without parentheses
		}
		join = op
		switch r := group(w[i+1], leaf); op {
		case "and":
			t = min(t, r)
		case "or":
			t = max(t, r)
		default:
			return No
		}
	}
	return t
}

func isGroup(n syntax.Value) bool { return n.Kind == syntax.OpenParen || n.Kind == syntax.Function }

func group(n syntax.Value, leaf func(syntax.Value) Truth) Truth {
	if n.Kind == syntax.OpenParen {
		w := syntax.Fields(n.Args)
		if len(w) > 0 && (isGroup(w[0]) && !IsLengthFunction(w[0]) || w[0].IsIdent("not")) {
			return Condition(w, leaf)
		}
	}
	return leaf(n)
}

// IsLengthFunction says whether n is a function that computes a length.
func IsLengthFunction(n syntax.Value) bool {
	if n.Kind != syntax.Function {
		return false
	}
	switch strings.ToLower(n.Text) {
	case "calc", "min", "max", "clamp":
		return true
	}
	return false
}

func mediaLeaf(v Viewport) func(syntax.Value) Truth {
	return func(n syntax.Value) Truth {
		if n.Kind != syntax.OpenParen {
			return Unknown
		}
		return mediaFeature(syntax.Fields(n.Args), v)
	}
}

// mediaFeature evaluates (name), (name: value) and the range forms.
func mediaFeature(w []syntax.Value, v Viewport) Truth {
	if len(w) == 0 {
		return Unknown
	}
	if w[0].Kind == syntax.Ident && (len(w) == 1 || w[1].Kind == syntax.Colon) {
		name := strings.ToLower(w[0].Text)
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

func plainFeature(name string, value []syntax.Value, v Viewport) Truth {
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
			return Unknown
		}
		return TruthOf(c.holds(actual, want))
	}
	if len(value) != 1 || value[0].Kind != syntax.Ident {
		return Unknown
	}
	allowed, ok := keywordFeatures[name]
	if !ok {
		return Unknown
	}
	word := strings.ToLower(value[0].Text)
	for _, a := range strings.Fields(allowed) {
		if a == word {
			return TruthOf(keywordValue(name, v, word))
		}
	}
	return Unknown
}

func webkitFeature(name string, value []syntax.Value) Truth {
	if name == "-webkit-transform-3d" && len(value) == 1 && value[0].Kind == syntax.Number {
		return TruthOf(value[0].Num == 1)
	}
	return Unknown
}

// rangeFeature evaluates (width > 1px), (1px < width) and (1px < width < 2px).
func rangeFeature(w []syntax.Value, v Viewport) Truth {
	var parts [][]syntax.Value
	var ops []compare
	from := 0
	for i := 0; i < len(w); i++ {
		n := w[i]
		if !n.IsDelim('<') && !n.IsDelim('>') && !n.IsDelim('=') {
			continue
		}
		c := compare{less: n.IsDelim('<'), equal: n.IsDelim('='), greater: n.IsDelim('>')}
		parts = append(parts, w[from:i])
		if !c.equal && i+1 < len(w) && w[i+1].IsDelim('=') && w[i+1].Start == n.End {
			c.equal = true
			i++
		}
		ops = append(ops, c)
		from = i + 1
	}
	parts = append(parts, w[from:])
	at := -1
	for i, p := range parts {
		if len(p) == 1 && p[0].Kind == syntax.Ident {
			at = i
		}
	}
	if at < 0 || len(parts) < 2 || len(parts) > 3 || len(parts) == 3 && at != 1 {
		return Unknown
	}
	if len(ops) == 2 && (ops[0].less != ops[1].less || ops[0].greater != ops[1].greater) {
		return Unknown
	}
	name := strings.ToLower(parts[at][0].Text)
	actual, ok := numericFeature(name, v)
	if !ok {
		return Unknown
	}
	t := Yes
	for i, p := range parts {
		if i == at {
			continue
		}
		want, ok := mediaNumber(name, p, v)
		if !ok {
			return Unknown
		}
		if i < at {
			t = min(t, TruthOf(ops[i].holds(want, actual)))
		} else {
			t = min(t, TruthOf(ops[i-1].holds(actual, want)))
		}
	}
	return t
}
