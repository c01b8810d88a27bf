package css

import "strings"

// familyValue reads a list of family names. Quoted names are kept as they
// are, unquoted ones joined by single spaces; generic names stay lower case
// words without quotes, marked by a leading NUL so that "serif" in quotes
// is told apart.
func familyValue(ns []node, _ string) (*value, bool) {
	v := &value{}
	for _, part := range split(ns, atComma) {
		w := words(part)
		switch {
		case len(w) == 0:
			return nil, false
		case w[0].kind == str:
			if len(w) != 1 {
				return nil, false
			}
			v.words = append(v.words, w[0].value)
		case len(w) == 1 && genericFamilies[strings.ToLower(w[0].value)] && w[0].kind == ident:
			v.words = append(v.words, genericMark+strings.ToLower(w[0].value))
		default:
			var names []string
			for _, n := range w {
				if n.kind != ident {
					return nil, false
				}
				names = append(names, n.value)
			}
			v.words = append(v.words, strings.Join(names, " "))
		}
	}
	return v, true
}

const genericMark = "\x00"

var genericFamilies = set(`serif sans-serif monospace cursive fantasy system-ui math ui-serif ui-sans-serif
	ui-monospace ui-rounded -webkit-body -webkit-standard`)

func weightValue(ns []node, _ string) (*value, bool) {
	if len(ns) != 1 {
		return nil, false
	}
	n := ns[0]
	if n.kind == number {
		return &value{num: n.num}, n.num >= 1 && n.num <= 1000
	}
	f, ok := map[string]float64{"normal": 400, "bold": 700, "bolder": 0, "lighter": -1}[strings.ToLower(n.value)]
	return &value{num: f}, ok && n.kind == ident || isMath(n)
}

func styleValue(ns []node, _ string) (*value, bool) {
	word := strings.ToLower(ns[0].value)
	ok := ns[0].kind == ident && (word == "normal" || word == "italic" || word == "oblique")
	return &value{words: []string{word}}, ok && (len(ns) == 1 || word == "oblique")
}

var stretchWords = map[string]float64{
	"ultra-condensed": 50, "extra-condensed": 62.5, "condensed": 75, "semi-condensed": 87.5, "normal": 100,
	"semi-expanded": 112.5, "expanded": 125, "extra-expanded": 150, "ultra-expanded": 200,
}

func stretchValue(ns []node, _ string) (*value, bool) {
	if len(ns) != 1 {
		return nil, false
	}
	if ns[0].kind == percentage {
		return &value{num: ns[0].num}, ns[0].num >= 0
	}
	f, ok := stretchWords[strings.ToLower(ns[0].value)]
	return &value{num: f}, ok
}

// nameList reads animation names.
func nameList(ns []node, _ string) (*value, bool) {
	v := &value{}
	for _, part := range split(ns, atComma) {
		if len(part) != 1 || part[0].kind != ident && part[0].kind != str {
			return nil, false
		}
		if part[0].isIdent("none") {
			continue
		}
		v.words = append(v.words, part[0].value)
	}
	return v, true
}

var systemFonts = set(`caption icon menu message-box small-caption status-bar`)

// fontShorthand reads [style] [variant] [weight] [stretch] size[/height]
// family.
func fontShorthand(ns []node, base string) ([]setting, bool) {
	family, weight := &value{}, &value{num: 400}
	style, stretch := &value{words: []string{"normal"}}, &value{num: 100}
	all := []setting{{fontFamily, family}, {fontWeight, weight}, {fontStyle, style}, {fontStretch, stretch}}
	if len(ns) == 1 && ns[0].kind == ident && systemFonts[strings.ToLower(ns[0].value)] {
		family.words = []string{genericMark + "system-ui"}
		return all, true
	}
	for i, n := range ns {
		switch {
		case n.kind == space:
			continue
		case n.isIdent("normal") || n.isIdent("small-caps"):
			continue
		case n.isIdent("italic") || n.isIdent("oblique"):
			style.words[0] = strings.ToLower(n.value)
			continue
		case n.kind == dimension && strings.EqualFold(n.value, "deg"):
			continue
		}
		if w, ok := weightValue([]node{n}, base); ok && !isMath(n) {
			*weight = *w
			continue
		}
		if s, ok := stretchWords[strings.ToLower(n.value)]; ok && n.kind == ident {
			stretch.num = s
			continue
		}
		if !isFontSize(n) {
			return nil, false
		}
		rest := trim(ns[i+1:])
		if len(rest) > 0 && rest[0].isDelim('/') {
			if rest = trim(rest[1:]); len(rest) == 0 {
				return nil, false
			}
			rest = trim(rest[1:])
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

var sizeWords = set(`xx-small x-small small medium large x-large xx-large xxx-large larger smaller math`)

func isFontSize(n node) bool {
	switch n.kind {
	case dimension, percentage:
		return true
	case number:
		return n.num == 0
	case ident:
		return sizeWords[strings.ToLower(n.value)]
	}
	return isMath(n)
}
