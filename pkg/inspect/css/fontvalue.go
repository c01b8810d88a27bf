package css

import (
	"strings"

	"libra/pkg/inspect/css/syntax"
)

// familyValue reads a list of family names. Quoted names are kept as they
// are, unquoted ones joined by single spaces; generic names stay lower case
// words without quotes, marked by a leading NUL so that "serif" in quotes
// is told apart.
func familyValue(ns []syntax.Value, _ string) (*value, bool) {
	v := &value{}
	for _, part := range syntax.Split(ns, syntax.IsComma) {
		w := syntax.Fields(part)
		switch {
		case len(w) == 0:
			return nil, false
		case w[0].Kind == syntax.String:
			if len(w) != 1 {
				return nil, false
			}
			v.words = append(v.words, w[0].Text)
		case len(w) == 1 && genericFamilies[strings.ToLower(w[0].Text)] && w[0].Kind == syntax.Ident:
			v.words = append(v.words, genericMark+strings.ToLower(w[0].Text))
		default:
			var names []string
			for _, n := range w {
				if n.Kind != syntax.Ident {
					return nil, false
				}
				names = append(names, n.Text)
			}
			v.words = append(v.words, strings.Join(names, " "))
		}
	}
	return v, true
}

const genericMark = "\x00"

var genericFamilies = syntax.Keywords(`serif sans-serif monospace cursive fantasy system-ui math ui-serif ui-sans-serif
	ui-monospace ui-rounded -webkit-body -webkit-standard`)

func weightValue(ns []syntax.Value, _ string) (*value, bool) {
	if len(ns) != 1 {
		return nil, false
	}
	n := ns[0]
	if n.Kind == syntax.Number {
		return &value{num: n.Num}, n.Num >= 1 && n.Num <= 1000
	}
	f, ok := map[string]float64{"normal": 400, "bold": 700, "bolder": 0, "lighter": -1}[strings.ToLower(n.Text)]
	return &value{num: f}, ok && n.Kind == syntax.Ident || isMath(n)
}

func styleValue(ns []syntax.Value, _ string) (*value, bool) {
	word := strings.ToLower(ns[0].Text)
	ok := ns[0].Kind == syntax.Ident && (word == "normal" || word == "italic" || word == "oblique")
	return &value{words: []string{word}}, ok && (len(ns) == 1 || word == "oblique")
}

var stretchWords = map[string]float64{
	"ultra-condensed": 50, "extra-condensed": 62.5, "condensed": 75, "semi-condensed": 87.5, "normal": 100,
	"semi-expanded": 112.5, "expanded": 125, "extra-expanded": 150, "ultra-expanded": 200,
}

func stretchValue(ns []syntax.Value, _ string) (*value, bool) {
	if len(ns) != 1 {
		return nil, false
	}
	if ns[0].Kind == syntax.Percentage {
		return &value{num: ns[0].Num}, ns[0].Num >= 0
	}
	f, ok := stretchWords[strings.ToLower(ns[0].Text)]
	return &value{num: f}, ok
}

// nameList reads animation names.
func nameList(ns []syntax.Value, _ string) (*value, bool) {
	v := &value{}
	for _, part := range syntax.Split(ns, syntax.IsComma) {
		if len(part) != 1 || part[0].Kind != syntax.Ident && part[0].Kind != syntax.String {
			return nil, false
		}
		if part[0].IsIdent("none") {
			continue
		}
		v.words = append(v.words, part[0].Text)
	}
	return v, true
}

var systemFonts = syntax.Keywords(`caption icon menu message-box small-caption status-bar`)

// fontShorthand reads [style] [variant] [weight] [stretch] size[/height]
// family.
func fontShorthand(ns []syntax.Value, base string) ([]setting, bool) {
	family, weight := &value{}, &value{num: 400}
	style, stretch := &value{words: []string{"normal"}}, &value{num: 100}
	all := []setting{{fontFamily, family}, {fontWeight, weight}, {fontStyle, style}, {fontStretch, stretch}}
	if len(ns) == 1 && ns[0].Kind == syntax.Ident && systemFonts[strings.ToLower(ns[0].Text)] {
		family.words = []string{genericMark + "system-ui"}
		return all, true
	}
	for i, n := range ns {
		switch {
		case n.Kind == syntax.Whitespace:
			continue
		case n.IsIdent("normal") || n.IsIdent("small-caps"):
			continue
		case n.IsIdent("italic") || n.IsIdent("oblique"):
			style.words[0] = strings.ToLower(n.Text)
			continue
		case n.Kind == syntax.Dimension && strings.EqualFold(n.Text, "deg"):
			continue
		}
		if w, ok := weightValue([]syntax.Value{n}, base); ok && !isMath(n) {
			*weight = *w
			continue
		}
		if s, ok := stretchWords[strings.ToLower(n.Text)]; ok && n.Kind == syntax.Ident {
			stretch.num = s
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
		f, ok := familyValue(rest, base)
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
