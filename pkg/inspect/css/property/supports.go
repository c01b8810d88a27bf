package property

import (
	_ "embed"
	"strings"

	"libra/pkg/inspect/css/syntax"
	"libra/pkg/inspect/markup"
)

//go:embed properties.txt
var propertyList string

// knownProperties are the properties, descriptors left out, that Chromium 156
// takes.
var knownProperties = syntax.Keywords(propertyList)

// rejected are values of known properties that Chromium does not take, seen
// in feature tests of real sheets.
var rejected = map[string]map[string]bool{
	"text-align":                 syntax.Keywords("-moz-center"),
	"width":                      syntax.Keywords("-moz-available -moz-fit-content"),
	"height":                     syntax.Keywords("-moz-available"),
	"-webkit-appearance":         syntax.Keywords("-apple-pay-button"),
	"appearance":                 syntax.Keywords("-apple-pay-button"),
	"font":                       syntax.Keywords("-apple-system-body"),
	"grid-template-rows":         syntax.Keywords("masonry"),
	"grid-template-columns":      syntax.Keywords("masonry"),
	"image-rendering":            syntax.Keywords("-moz-crisp-edges"),
	"-webkit-overflow-scrolling": syntax.Keywords("touch auto"),
}

// Supports says whether Chromium takes the declaration name: text.
func Supports(name, text string) bool {
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
	ns, ok := syntax.Values(text)
	if !ok || len(ns) == 0 {
		return false
	}
	if syntax.Substitutes(ns) {
		return true
	}
	if p := properties[name]; p != nil {
		_, ok := p.settings(ns, markup.Base{URL: "https://base.invalid/"})
		return ok
	}
	if len(ns) == 1 && ns[0].Kind == syntax.Ident {
		word := strings.ToLower(ns[0].Text)
		if strings.HasSuffix(name, "color") && WideKeywords[word] == NotWide && word != "auto" && !isColour(ns[0]) {
			return false
		}
		return !rejected[name][word] && !strings.HasPrefix(word, "-moz-") && !strings.HasPrefix(word, "-ms-")
	}
	valid := true
	syntax.Walk(ns, func(n syntax.Value) {
		if n.IsDelim('!') || n.Kind == syntax.Dimension && !units[strings.ToLower(n.Text)] ||
			n.IsFunction("constant") || n.Kind == syntax.Function && (strings.HasPrefix(n.Text, "-moz-") || strings.HasPrefix(n.Text, "-ms-")) {
			valid = false
		}
	})
	return valid
}

var units = syntax.Keywords(`px em rem ex ch rex rch ic ric cap rcap lh rlh in cm mm q pt pc vw vh vi vb vmin vmax svw svh svi svb
	svmin svmax lvw lvh lvi lvb lvmin lvmax dvw dvh dvi dvb dvmin dvmax cqw cqh cqi cqb cqmin cqmax deg grad rad turn
	s ms hz khz dppx dpi dpcm x fr`)
