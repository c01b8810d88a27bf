package property

import (
	"strings"

	"libra/pkg/inspect/css/syntax"
	"libra/pkg/inspect/markup"
)

// ParseFamilies reads a list of family names. Quoted names are kept as they
// are, unquoted ones joined by single spaces; generic names stay lower case
// words without quotes, marked by a leading NUL so that "serif" in quotes
// differs.
func ParseFamilies(ns []syntax.Value, _ markup.Base) (*Value, bool) {
	v := &Value{}
	for _, part := range syntax.Split(ns, syntax.IsComma) {
		w := syntax.Fields(part)
		switch {
		case len(w) == 0:
			return nil, false
		case w[0].Kind == syntax.String:
			if len(w) != 1 {
				return nil, false
			}
			v.Keywords = append(v.Keywords, w[0].Text)
		case len(w) == 1 && genericFamilies[strings.ToLower(w[0].Text)] && w[0].Kind == syntax.Ident:
			v.Keywords = append(v.Keywords, GenericMark+strings.ToLower(w[0].Text))
		default:
			var names []string
			for _, n := range w {
				if n.Kind != syntax.Ident {
					return nil, false
				}
				names = append(names, n.Text)
			}
			v.Keywords = append(v.Keywords, strings.Join(names, " "))
		}
	}
	return v, true
}

// GenericMark leads the name of a generic family.
const GenericMark = "\x00"

var genericFamilies = syntax.Keywords(`serif sans-serif monospace cursive fantasy system-ui math ui-serif ui-sans-serif
	ui-monospace ui-rounded -webkit-body -webkit-standard`)

// ParseWeight reads font-weight.
func ParseWeight(ns []syntax.Value, _ markup.Base) (*Value, bool) {
	if len(ns) != 1 {
		return nil, false
	}
	n := ns[0]
	if n.Kind == syntax.Number {
		return &Value{Number: n.Num}, n.Num >= 1 && n.Num <= 1000
	}
	f, ok := map[string]float64{"normal": 400, "bold": 700, "bolder": 0, "lighter": -1}[strings.ToLower(n.Text)]
	return &Value{Number: f}, ok && n.Kind == syntax.Ident || isMath(n)
}

// ParseStyle reads font-style.
func ParseStyle(ns []syntax.Value, _ markup.Base) (*Value, bool) {
	word := strings.ToLower(ns[0].Text)
	ok := ns[0].Kind == syntax.Ident && (word == "normal" || word == "italic" || word == "oblique")
	return &Value{Keywords: []string{word}}, ok && (len(ns) == 1 || word == "oblique")
}

var stretchWords = map[string]float64{
	"ultra-condensed": 50, "extra-condensed": 62.5, "condensed": 75, "semi-condensed": 87.5, "normal": 100,
	"semi-expanded": 112.5, "expanded": 125, "extra-expanded": 150, "ultra-expanded": 200,
}

// ParseStretch reads font-stretch.
func ParseStretch(ns []syntax.Value, _ markup.Base) (*Value, bool) {
	if len(ns) != 1 {
		return nil, false
	}
	if ns[0].Kind == syntax.Percentage {
		return &Value{Number: ns[0].Num}, ns[0].Num >= 0
	}
	f, ok := stretchWords[strings.ToLower(ns[0].Text)]
	return &Value{Number: f}, ok
}

// nameList reads animation names.
func nameList(ns []syntax.Value, _ markup.Base) (*Value, bool) {
	v := &Value{}
	for _, part := range syntax.Split(ns, syntax.IsComma) {
		if len(part) != 1 || part[0].Kind != syntax.Ident && part[0].Kind != syntax.String {
			return nil, false
		}
		if part[0].IsIdent("none") {
			continue
		}
		v.Keywords = append(v.Keywords, part[0].Text)
	}
	return v, true
}

var systemFonts = syntax.Keywords(`caption icon menu message-box small-caption status-bar`)

// fontShorthand reads [style] [variant] [weight] [stretch] size[/height]
// family.
func fontShorthand(ns []syntax.Value, base markup.Base) ([]setting, bool) {
	family, weight := &Value{}, &Value{Number: 400}
	style, stretch := &Value{Keywords: []string{"normal"}}, &Value{Number: 100}
	all := []setting{{FontFamily, family}, {FontWeight, weight}, {FontStyle, style}, {FontStretch, stretch}}
	if len(ns) == 1 && ns[0].Kind == syntax.Ident && systemFonts[strings.ToLower(ns[0].Text)] {
		family.Keywords = []string{GenericMark + "system-ui"}
		return all, true
	}
	for i, n := range ns {
		switch {
		case n.Kind == syntax.Whitespace:
			continue
		case n.IsIdent("normal") || n.IsIdent("small-caps"):
			continue
		case n.IsIdent("italic") || n.IsIdent("oblique"):
			style.Keywords[0] = strings.ToLower(n.Text)
			continue
		case n.Kind == syntax.Dimension && strings.EqualFold(n.Text, "deg"):
			continue
		}
		if w, ok := ParseWeight([]syntax.Value{n}, base); ok && !isMath(n) {
			*weight = *w
			continue
		}
		if s, ok := stretchWords[strings.ToLower(n.Text)]; ok && n.Kind == syntax.Ident {
			stretch.Number = s
			continue
		}
		if !isFontSize(n) {
			return nil, false
		}
		rest := syntax.Trim(ns[i+1:])
		if len(rest) > 0 && rest[0].IsDelim('/') {
			if rest = syntax.Trim(rest[1:]); len(rest) == 0 {
				return nil, false
			}
			rest = syntax.Trim(rest[1:])
		}
		f, ok := ParseFamilies(rest, base)
		if !ok || len(rest) == 0 {
			return nil, false
		}
		*family = *f
		return all, true
	}
	return nil, false
}

var sizeWords = syntax.Keywords(`xx-small x-small small medium large x-large xx-large xxx-large larger smaller math`)

func isFontSize(n syntax.Value) bool {
	switch n.Kind {
	case syntax.Dimension, syntax.Percentage:
		return true
	case syntax.Number:
		return n.Num == 0
	case syntax.Ident:
		return sizeWords[strings.ToLower(n.Text)]
	}
	return isMath(n)
}
