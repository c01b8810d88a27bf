package layout

import (
	"slices"
	"strings"

	"libra/pkg/inspect/css/cascade"
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/syntax"
	"libra/pkg/inspect/markup"
)

// longhand is a property that layout depends on. They are read from the text of
// a rule when a layout needs them and not when the sheet is parsed: most pages
// need no layout.
type longhand uint8

const (
	propDisplay longhand = iota
	propPosition
	propFloat
	propClear
	propBoxSizing
	propOverflow
	propWidth
	propMinWidth
	propMaxWidth
	propHeight
	propMinHeight
	propMaxHeight
	propRatio
	propFontSize
	propLineHeight
	propWhiteSpace
	propVerticalAlign
	propDirection
	propWrap
	propAlignItems
	propAlignSelf
	propAlignContent
	propJustifyContent
	propJustifyItems
	propGrow
	propShrink
	propBasis
	propRowGap
	propColumnGap
	propGridColumns
	propGridColumn
	propColumnCount
	propColumnWidth
	propSpacing
	propCollapse
	propMargin // top; then right, bottom, left
)

const (
	propPadding   = propMargin + 4
	propBorder    = propPadding + 4
	propInset     = propBorder + 4
	longhandCount = propInset + 4
)

// longhands are they by name.
var longhands = func() map[string]longhand {
	m := map[string]longhand{
		"display": propDisplay, "position": propPosition, "float": propFloat, "clear": propClear, "box-sizing": propBoxSizing, "overflow": propOverflow, "overflow-x": propOverflow,
		"width": propWidth, "min-width": propMinWidth, "max-width": propMaxWidth, "height": propHeight, "min-height": propMinHeight, "max-height": propMaxHeight,
		"inline-size": propWidth, "min-inline-size": propMinWidth, "max-inline-size": propMaxWidth, "block-size": propHeight, "min-block-size": propMinHeight, "max-block-size": propMaxHeight,
		"aspect-ratio": propRatio, "font-size": propFontSize, "line-height": propLineHeight, "white-space": propWhiteSpace, "vertical-align": propVerticalAlign,
		"flex-direction": propDirection, "flex-wrap": propWrap, "align-items": propAlignItems, "align-self": propAlignSelf, "align-content": propAlignContent, "justify-content": propJustifyContent, "justify-items": propJustifyItems, "flex-grow": propGrow, "flex-shrink": propShrink, "flex-basis": propBasis,
		"row-gap": propRowGap, "column-gap": propColumnGap, "grid-row-gap": propRowGap, "grid-column-gap": propColumnGap,
		"grid-template-columns": propGridColumns, "grid-column": propGridColumn, "column-count": propColumnCount, "column-width": propColumnWidth,
		"border-spacing": propSpacing, "border-collapse": propCollapse,
	}
	for i, side := range [4][3]string{{"top", "block-start"}, {"right", "inline-end"}, {"bottom", "block-end"}, {"left", "inline-start"}} {
		for _, s := range side[:2] {
			m["margin-"+s], m["padding-"+s], m["border-"+s+"-width"] = propMargin+longhand(i), propPadding+longhand(i), propBorder+longhand(i)
			m["border-"+s], m["inset-"+s] = propBorder+longhand(i), propInset+longhand(i)
		}
		m[side[0]] = propInset + longhand(i)
	}
	return m
}()

// listShorthands set their longhands by one value each; where there are fewer, a
// longhand takes the value of the one two before it, or the first.
var listShorthands = func() map[string][]longhand {
	m := map[string][]longhand{
		"gap": {propRowGap, propColumnGap}, "grid-gap": {propRowGap, propColumnGap}, "border-width": sides(propBorder),
		"place-items": {propAlignItems, propJustifyItems}, "place-content": {propAlignContent, propJustifyContent}, "place-self": {propAlignSelf},
	}
	for name, top := range map[string]longhand{"margin": propMargin, "padding": propPadding, "inset": propInset} {
		m[name], m[name+"-block"], m[name+"-inline"] = sides(top), []longhand{top, top + 2}, []longhand{top + 3, top + 1}
	}
	return m
}()

// sides are the longhands of the four sides.
func sides(top longhand) []longhand { return []longhand{top, top + 1, top + 2, top + 3} }

// shorthands are the others.
var shorthands = syntax.Keywords("flex flex-flow columns border font grid-template grid")

// setting is one longhand of a declaration.
type setting struct {
	id    longhand
	value []syntax.Value
}

// declaration is a declaration of a property that layout depends on.
type declaration struct {
	syntax.Declaration
	hasVariables bool      // var() is to be substituted
	constant     []setting // what it sets otherwise
}

// parseDeclarations reads the declarations that layout depends on.
func parseDeclarations(text string) []declaration {
	var list []declaration
	for _, d := range syntax.Declarations(text) {
		_, long := longhands[d.Name]
		if !long && listShorthands[d.Name] == nil && !shorthands[d.Name] {
			continue
		}
		if ns, ok := syntax.Values(d.Value); ok && len(ns) > 0 {
			x := declaration{Declaration: d, hasVariables: syntax.Substitutes(ns)}
			if !x.hasVariables {
				x.constant = expand(d.Name, ns)
			}
			list = append(list, x)
		}
	}
	return list
}

// expand gives the longhands that name: ns sets, none where it is invalid.
func expand(name string, ns []syntax.Value) []setting {
	w := syntax.Fields(ns)
	if id, ok := longhands[name]; ok {
		switch {
		case id >= propBorder && id < propBorder+4:
			return []setting{{id, borderWidth(w)}}
		case id == propDisplay:
			if _, ok := property.ParseDisplay(ns, markup.Base{}); !ok {
				return nil
			}
		case !plausible(w):
			return nil
		}
		return []setting{{id, w}}
	}
	ids := listShorthands[name]
	if ids == nil {
		return expandOther(name, w)
	}
	if len(w) > len(ids) || !plausible(w) {
		return nil
	}
	var set []setting
	for i, id := range ids {
		for i >= len(w) {
			i -= 2
		}
		set = append(set, setting{id, w[max(i, 0) : max(i, 0)+1]})
	}
	return set
}

// borderWidths are the widths that the words of a border shorthand stand for: a
// style alone draws a line of three pixels.
var borderWidths = map[string]float64{"none": 0, "hidden": 0, "thin": 1, "thick": 5, "medium": 3, "solid": 3, "dashed": 3, "dotted": 3, "double": 3}

// borderWidth finds the width in a border shorthand; without a style nothing is
// drawn.
func borderWidth(w []syntax.Value) []syntax.Value {
	width := 0.
	for i, n := range w {
		if n.Kind == syntax.Dimension || n.Kind == syntax.Number {
			return w[i : i+1]
		}
		switch v, ok := borderWidths[strings.ToLower(n.Text)]; {
		case ok && v == 0:
			return pixels(0)
		case ok && (width == 0 || v != 3):
			width = v
		}
	}
	return pixels(width)
}

func pixels(v float64) []syntax.Value {
	return []syntax.Value{{Token: syntax.Token{Kind: syntax.Dimension, Num: v, Text: "px"}}}
}

func expandOther(name string, w []syntax.Value) []setting {
	slash := slices.IndexFunc(w, syntax.IsSlash)
	switch name {
	case "border":
		b := borderWidth(w)
		return []setting{{propBorder, b}, {propBorder + 1, b}, {propBorder + 2, b}, {propBorder + 3, b}}
	case "grid", "grid-template":
		if slash >= 0 {
			return []setting{{propGridColumns, w[slash+1:]}}
		}
		return nil
	case "font":
		for i, n := range w {
			if n.Kind == syntax.Dimension || n.Kind == syntax.Percentage {
				s := []setting{{propFontSize, w[i : i+1]}, {propLineHeight, nil}}
				if i+2 < len(w) && i+1 == slash {
					s[1].value = w[i+2 : i+3]
				}
				return s
			}
		}
		return nil
	}
	return expandFlex(name, w)
}

// expandFlex reads flex, flex-flow and columns.
func expandFlex(name string, w []syntax.Value) []setting {
	one := func(v float64) []syntax.Value {
		return []syntax.Value{{Token: syntax.Token{Kind: syntax.Number, Num: v}}}
	}
	var set []setting
	if name == "flex" {
		set = []setting{{propGrow, one(1)}, {propShrink, one(1)}, {propBasis, one(0)}}
	}
	numbers := 0
	for i, n := range w {
		this := w[i : i+1]
		switch {
		case name == "flex" && n.IsIdent("none"):
			return []setting{{propGrow, one(0)}, {propShrink, one(0)}, {propBasis, nil}}
		case name == "flex" && n.IsIdent("auto"):
			set[2].value = this
		case name == "flex" && n.IsIdent("initial"):
			return []setting{{propGrow, one(0)}, {propShrink, one(1)}, {propBasis, nil}}
		case name == "flex" && n.Kind == syntax.Number && numbers < 2:
			set[numbers].value = this
			numbers++
		case name == "flex":
			set[2].value = this
		case name == "flex-flow" && (n.IsIdent("wrap") || n.IsIdent("nowrap") || n.IsIdent("wrap-reverse")):
			set = append(set, setting{propWrap, this})
		case name == "flex-flow":
			set = append(set, setting{propDirection, this})
		case n.Kind == syntax.Number:
			set = append(set, setting{propColumnCount, this})
		case n.Kind == syntax.Dimension:
			set = append(set, setting{propColumnWidth, this})
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

// style is the computed style of one element, as far as layout depends on it.
type style struct {
	inherited
	values   [longhandCount]*setting // nil is the initial value
	clearfix bool                    // ::after clears floats
}

// inherited are the properties that children take over.
type inherited struct {
	variables        *cascade.Variables
	viewport         media.Viewport
	fontSize         float64 // in pixels
	rootFontSize     float64 // of the root element
	lineHeight       float64 // in pixels
	lineHeightFactor float64 // line-height as a number, 0 for normal, -1 for a length
	wraps            bool    // lines break at soft wrap opportunities
	preservesBreaks  bool    // segment breaks of the source are kept
}

// value is the value of a property.
func (s *style) value(id longhand) []syntax.Value {
	if x := s.values[id]; x != nil {
		return x.value
	}
	return nil
}

// keyword is a property's only keyword.
func (s *style) keyword(id longhand, initial string) string {
	if ns := s.value(id); len(ns) == 1 && ns[0].Kind == syntax.Ident {
		return strings.ToLower(ns[0].Text)
	}
	return initial
}

// number is a property's only number.
func (s *style) number(id longhand, initial float64) float64 {
	if ns := s.value(id); len(ns) == 1 && ns[0].Kind == syntax.Number {
		return ns[0].Num
	}
	return initial
}

// px is a length in pixels, where base is 100 % and negative if unknown; ok is
// false for auto and for what depends on what is unknown.
func (s *style) px(id longhand, base float64) (v float64, ok bool) {
	if ns := s.value(id); len(ns) == 1 {
		return s.length(ns[0], base)
	}
	return 0, false
}

// pxOr is px with a value for auto.
func (s *style) pxOr(id longhand, base, initial float64) float64 {
	if v, ok := s.px(id, base); ok {
		return v
	}
	return initial
}

func (s *style) length(n syntax.Value, base float64) (float64, bool) {
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
			return n.Num * s.fontSize, true
		case "rem":
			return n.Num * s.rootFontSize, true
		}
		return media.Length(n, s.viewport)
	case syntax.Function, syntax.OpenParen:
		return media.Calc(n, func(n syntax.Value) (float64, bool) { return s.length(n, base) })
	}
	return 0, false
}
