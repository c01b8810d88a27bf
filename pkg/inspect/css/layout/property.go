package layout

import (
	"strings"

	"libra/pkg/inspect/css/cascade"
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/syntax"
)

// dim names a property that decides where a box stands. They are read from the
// text of a rule when a layout asks for them and not when the sheet is parsed:
// most pages need none.
type dim uint8

const (
	dDisplay dim = iota
	dPosition
	dFloat
	dClear
	dBoxSizing
	dOverflow
	dWidth
	dMinWidth
	dMaxWidth
	dHeight
	dMinHeight
	dMaxHeight
	dRatio
	dFontSize
	dLineHeight
	dWhiteSpace
	dVerticalAlign
	dDirection
	dWrap
	dAlign
	dGrow
	dShrink
	dBasis
	dRowGap
	dColumnGap
	dGridColumns
	dGridColumn
	dColumnCount
	dColumnWidth
	dSpacing
	dCollapse
	dMargin // top; then right, bottom, left
)

const (
	dPadding = dMargin + 4
	dBorder  = dPadding + 4
	dInset   = dBorder + 4
	dimCount = dInset + 4
)

// dimNames are the longhands as written.
var dimNames = func() map[string]dim {
	m := map[string]dim{
		"display": dDisplay, "position": dPosition, "float": dFloat, "clear": dClear, "box-sizing": dBoxSizing, "overflow": dOverflow, "overflow-x": dOverflow,
		"width": dWidth, "min-width": dMinWidth, "max-width": dMaxWidth, "height": dHeight, "min-height": dMinHeight, "max-height": dMaxHeight,
		"inline-size": dWidth, "min-inline-size": dMinWidth, "max-inline-size": dMaxWidth, "block-size": dHeight, "min-block-size": dMinHeight, "max-block-size": dMaxHeight,
		"aspect-ratio": dRatio, "font-size": dFontSize, "line-height": dLineHeight, "white-space": dWhiteSpace, "vertical-align": dVerticalAlign,
		"flex-direction": dDirection, "flex-wrap": dWrap, "align-items": dAlign, "flex-grow": dGrow, "flex-shrink": dShrink, "flex-basis": dBasis,
		"row-gap": dRowGap, "column-gap": dColumnGap, "grid-row-gap": dRowGap, "grid-column-gap": dColumnGap,
		"grid-template-columns": dGridColumns, "grid-column": dGridColumn, "column-count": dColumnCount, "column-width": dColumnWidth,
		"border-spacing": dSpacing, "border-collapse": dCollapse,
	}
	for i, side := range [4][3]string{{"top", "block-start"}, {"right", "inline-end"}, {"bottom", "block-end"}, {"left", "inline-start"}} {
		for _, s := range side[:2] {
			m["margin-"+s], m["padding-"+s], m["border-"+s+"-width"] = dMargin+dim(i), dPadding+dim(i), dBorder+dim(i)
			m["border-"+s], m["inset-"+s] = dBorder+dim(i), dInset+dim(i)
		}
		m[side[0]] = dInset + dim(i)
	}
	return m
}()

// dimShorthands are those for sides: all four, or two from the second number.
var dimShorthands = map[string][2]dim{
	"margin": {dMargin}, "padding": {dPadding}, "inset": {dInset}, "border-width": {dBorder},
	"margin-inline": {dMargin, 1}, "padding-inline": {dPadding, 1}, "inset-inline": {dInset, 1},
	"margin-block": {dMargin, 2}, "padding-block": {dPadding, 2}, "inset-block": {dInset, 2},
}

// otherShorthands are expanded one by one.
var otherShorthands = syntax.Keywords("flex flex-flow gap grid-gap columns border font grid-template grid")

// sizeSetting is one longhand of a declaration.
type sizeSetting struct {
	id dim
	ns []syntax.Value
}

// sizeDecl is a declaration that has to do with layout.
type sizeDecl struct {
	syntax.Declaration
	varies bool          // var() is to be filled in
	set    []sizeSetting // unless it varies
}

// sizeDecls reads what has to do with layout from a rule's declarations.
func sizeDecls(text string) []sizeDecl {
	var list []sizeDecl
	for _, d := range syntax.Declarations(text) {
		_, long := dimNames[d.Name]
		if _, sides := dimShorthands[d.Name]; !long && !sides && !otherShorthands[d.Name] {
			continue
		}
		if ns, ok := syntax.Values(d.Value); ok && len(ns) > 0 {
			x := sizeDecl{Declaration: d, varies: syntax.Substitutes(ns)}
			if !x.varies {
				x.set = expandSizes(d.Name, ns)
			}
			list = append(list, x)
		}
	}
	return list
}

// expandSizes gives the longhands that name: ns sets, none where it is invalid.
func expandSizes(name string, ns []syntax.Value) []sizeSetting {
	w := syntax.Fields(ns)
	if id, ok := dimNames[name]; ok {
		switch {
		case id >= dBorder && id < dBorder+4:
			return []sizeSetting{{id, borderWidth(w)}}
		case id == dDisplay:
			if _, ok := property.ParseDisplay(ns, ""); !ok {
				return nil
			}
		case !plausible(w):
			return nil
		}
		return []sizeSetting{{id, w}}
	}
	if s, ok := dimShorthands[name]; ok {
		return sides(s[0], s[1], w)
	}
	return expandOther(name, w)
}

// sides expands margin, padding and the like.
func sides(first, axis dim, w []syntax.Value) []sizeSetting {
	if len(w) == 0 || len(w) > 4 || !plausible(w) {
		return nil
	}
	at := func(i int) []syntax.Value { return w[i%len(w) : i%len(w)+1] }
	switch {
	case axis == 1:
		return []sizeSetting{{first + 3, at(0)}, {first + 1, at(1)}}
	case axis == 2:
		return []sizeSetting{{first, at(0)}, {first + 2, at(1)}}
	case len(w) == 3:
		return []sizeSetting{{first, at(0)}, {first + 1, at(1)}, {first + 2, at(2)}, {first + 3, at(1)}}
	}
	return []sizeSetting{{first, at(0)}, {first + 1, at(1)}, {first + 2, at(2)}, {first + 3, at(3)}}
}

// borderWidth finds the width in a border shorthand; without one nothing is
// drawn, or a line of three pixels.
func borderWidth(w []syntax.Value) []syntax.Value {
	px := func(v float64) []syntax.Value {
		return []syntax.Value{{Token: syntax.Token{Kind: syntax.Dimension, Num: v, Text: "px"}}}
	}
	width := px(0)
	for i, n := range w {
		switch word := strings.ToLower(n.Text); {
		case n.Kind == syntax.Dimension, n.Kind == syntax.Number:
			return w[i : i+1]
		case n.Kind != syntax.Ident:
		case word == "none", word == "hidden":
			return px(0)
		case word == "thin":
			return px(1)
		case word == "thick":
			return px(5)
		case word == "solid", word == "dashed", word == "dotted", word == "double", word == "medium":
			width = px(3)
		}
	}
	return width
}

func expandOther(name string, w []syntax.Value) []sizeSetting {
	slash := len(w)
	for i, n := range w {
		if n.IsDelim('/') {
			slash = i
		}
	}
	switch name {
	case "border":
		b := borderWidth(w)
		return []sizeSetting{{dBorder, b}, {dBorder + 1, b}, {dBorder + 2, b}, {dBorder + 3, b}}
	case "gap", "grid-gap":
		return []sizeSetting{{dRowGap, w[:1]}, {dColumnGap, w[len(w)-1:]}}
	case "grid", "grid-template":
		if slash < len(w) {
			return []sizeSetting{{dGridColumns, w[slash+1:]}}
		}
		return nil
	case "font":
		for i, n := range w {
			if n.Kind == syntax.Dimension || n.Kind == syntax.Percentage {
				s := []sizeSetting{{dFontSize, w[i : i+1]}, {dLineHeight, nil}}
				if i+2 < len(w) && i+1 == slash {
					s[1].ns = w[i+2 : i+3]
				}
				return s
			}
		}
		return nil
	}
	return expandFlex(name, w)
}

// expandFlex reads flex, flex-flow and columns.
func expandFlex(name string, w []syntax.Value) []sizeSetting {
	one := func(v float64) []syntax.Value {
		return []syntax.Value{{Token: syntax.Token{Kind: syntax.Number, Num: v}}}
	}
	var set []sizeSetting
	if name == "flex" {
		set = []sizeSetting{{dGrow, one(1)}, {dShrink, one(1)}, {dBasis, one(0)}}
	}
	numbers := 0
	for i, n := range w {
		this := w[i : i+1]
		switch {
		case name == "flex" && n.IsIdent("none"):
			return []sizeSetting{{dGrow, one(0)}, {dShrink, one(0)}, {dBasis, nil}}
		case name == "flex" && n.IsIdent("auto"):
			set[2].ns = this
		case name == "flex" && n.IsIdent("initial"):
			return []sizeSetting{{dGrow, one(0)}, {dShrink, one(1)}, {dBasis, nil}}
		case name == "flex" && n.Kind == syntax.Number && numbers < 2:
			set[numbers].ns = this
			numbers++
		case name == "flex":
			set[2].ns = this
		case name == "flex-flow" && (n.IsIdent("wrap") || n.IsIdent("nowrap") || n.IsIdent("wrap-reverse")):
			set = append(set, sizeSetting{dWrap, this})
		case name == "flex-flow":
			set = append(set, sizeSetting{dDirection, this})
		case n.Kind == syntax.Number:
			set = append(set, sizeSetting{dColumnCount, this})
		case n.Kind == syntax.Dimension:
			set = append(set, sizeSetting{dColumnWidth, this})
		}
	}
	return set
}

// plausible drops what only other browsers know, such as -moz-fit-content.
func plausible(w []syntax.Value) bool {
	for _, n := range w {
		if (n.Kind == syntax.Ident || n.Kind == syntax.Function) && strings.HasPrefix(n.Text, "-") && !strings.HasPrefix(n.Text, "-webkit-") {
			return false
		}
	}
	return len(w) > 0
}

// sizes are the layout properties of one element; nil is the initial value.
type sizes struct {
	val    [dimCount]*sizeSetting
	vars   *cascade.Variables
	view   media.Viewport
	font   float64 // size in pixels
	root   float64 // of the root's font
	line   float64 // height in pixels
	lines  float64 // a number that line heights are given by, 0 for none
	wraps  bool    // text breaks at the end of a line
	pre    bool    // text breaks where its source does
	clears bool    // ::after clears floats
}

// get is the value of a property.
func (s *sizes) get(id dim) []syntax.Value {
	if x := s.val[id]; x != nil {
		return x.ns
	}
	return nil
}

// word is a property's only keyword.
func (s *sizes) word(id dim, initial string) string {
	if ns := s.get(id); len(ns) == 1 && ns[0].Kind == syntax.Ident {
		return strings.ToLower(ns[0].Text)
	}
	return initial
}

// number is a property's only number.
func (s *sizes) number(id dim, initial float64) float64 {
	if ns := s.get(id); len(ns) == 1 && ns[0].Kind == syntax.Number {
		return ns[0].Num
	}
	return initial
}

// px is a length in pixels, where base is 100 % and negative if unknown; ok is
// false for auto and for what depends on what is unknown.
func (s *sizes) px(id dim, base float64) (v float64, ok bool) {
	if ns := s.get(id); len(ns) == 1 {
		return s.length(ns[0], base)
	}
	return 0, false
}

// or is px with a value for auto.
func (s *sizes) or(id dim, base, initial float64) float64 {
	if v, ok := s.px(id, base); ok {
		return v
	}
	return initial
}

func (s *sizes) length(n syntax.Value, base float64) (float64, bool) {
	switch n.Kind {
	case syntax.Number:
		return 0, n.Num == 0
	case syntax.Percentage:
		return n.Num / 100 * base, base >= 0
	case syntax.Dimension:
		switch strings.ToLower(n.Text) {
		case "px":
			return n.Num, true
		case "em":
			return n.Num * s.font, true
		case "rem":
			return n.Num * s.root, true
		}
		return media.Length(n, s.view)
	case syntax.Function, syntax.OpenParen:
		return media.Calc(n, func(n syntax.Value) (float64, bool) { return s.length(n, base) })
	}
	return 0, false
}
