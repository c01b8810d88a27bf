package css

import (
	_ "embed"
	"strings"
)

//go:embed properties.txt
var propertyList string

// knownProperties are the properties, descriptors left out, that Chromium 156
// takes.
var knownProperties = set(propertyList)

// MatchSupports says whether the condition of @supports holds in Chromium. A
// declaration holds when its property is known and its value passes where
// this package knows the property's grammar.
func MatchSupports(cond string) bool {
	ns, ok := values(cond)
	return ok && condition(words(ns), supportsLeaf(cond)) == yes
}

// matchSupports takes a bare declaration too, as @import's supports() does.
func matchSupports(cond string) bool {
	if name, value, ok := strings.Cut(cond, ":"); ok && !strings.ContainsAny(name, "( ") {
		return supportsDecl(strings.TrimSpace(name), value)
	}
	return MatchSupports(cond)
}

func supportsLeaf(src string) func(node) truth {
	return func(n node) truth {
		if n.kind == openParen {
			text := inner(src, n)
			name, value, ok := strings.Cut(text, ":")
			return truthOf(ok && supportsDecl(strings.TrimSpace(name), value))
		}
		text := inner(src, n)
		switch strings.ToLower(n.value) {
		case "selector":
			sels, ok := parseSelectors(text, nil, nil, nil)
			return truthOf(ok && len(sels) == 1 &&
				(!strings.HasPrefix(sels[0].pseudo, "-webkit-") || webkitPseudos[sels[0].pseudo]))
		case "font-tech":
			return truthOf(fontTechs[strings.ToLower(strings.TrimSpace(text))])
		case "font-format":
			return truthOf(fontFormats[strings.ToLower(strings.TrimSpace(text))])
		case "at-rule":
			name := strings.ToLower(strings.TrimPrefix(strings.TrimSpace(text), "@"))
			_, group := groupKinds[name]
			_, desc := descriptorKinds[name]
			return truthOf(group || desc || name == "keyframes" || name == "import" || name == "namespace")
		}
		return no
	}
}

// rejected are values of known properties that Chromium does not take, seen
// in feature tests of real sheets.
var rejected = map[string]map[string]bool{
	"text-align":                 set("-moz-center"),
	"width":                      set("-moz-available -moz-fit-content"),
	"height":                     set("-moz-available"),
	"-webkit-appearance":         set("-apple-pay-button"),
	"appearance":                 set("-apple-pay-button"),
	"font":                       set("-apple-system-body"),
	"grid-template-rows":         set("masonry"),
	"grid-template-columns":      set("masonry"),
	"image-rendering":            set("-moz-crisp-edges"),
	"-webkit-overflow-scrolling": set("touch auto"),
}

func supportsDecl(name, text string) bool {
	if strings.HasPrefix(name, "--") {
		return true
	}
	name = strings.ToLower(name)
	if !knownProperties[name] {
		return false
	}
	text = strings.TrimSpace(text)
	if head, ok := strings.CutSuffix(text, "important"); ok {
		text = strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(head), "!"))
	}
	ns, ok := values(text)
	if !ok || len(ns) == 0 {
		return false
	}
	if substitutes(ns) {
		return true
	}
	if p := properties[name]; p != nil {
		_, ok := p.settings(ns, "https://base.invalid/")
		return ok
	}
	if len(ns) == 1 && ns[0].kind == ident {
		word := strings.ToLower(ns[0].value)
		if strings.HasSuffix(name, "color") && wideWords[word] == wideNone && word != "auto" && !isColour(ns[0]) {
			return false
		}
		return !rejected[name][word] && !strings.HasPrefix(word, "-moz-") && !strings.HasPrefix(word, "-ms-")
	}
	valid := true
	walk(ns, func(n node) {
		if n.isDelim('!') || n.kind == dimension && !units[strings.ToLower(n.value)] ||
			n.isFunc("constant") || n.kind == function && (strings.HasPrefix(n.value, "-moz-") || strings.HasPrefix(n.value, "-ms-")) {
			valid = false
		}
	})
	return valid
}

var units = set(`px em rem ex ch rex rch ic ric cap rcap lh rlh in cm mm q pt pc vw vh vi vb vmin vmax svw svh svi svb
	svmin svmax lvw lvh lvi lvb lvmin lvmax dvw dvh dvi dvb dvmin dvmax cqw cqh cqi cqb cqmin cqmax deg grad rad turn
	s ms hz khz dppx dpi dpcm x fr`)

var (
	fontTechs = set(`features-opentype features-aat color-colrv0 color-colrv1 color-sbix color-cbdt variations
		palettes`)
	fontFormats = set(`woff woff2 truetype opentype collection woff-variations woff2-variations truetype-variations
		opentype-variations`)
)
