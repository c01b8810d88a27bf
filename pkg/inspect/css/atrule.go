package css

import (
	"strings"

	"libra/pkg/inspect/markup"
)

// groupKinds are the rules that hold style rules and may stand in one.
var groupKinds = map[string]ruleKind{
	"media": mediaRule, "supports": supportsRule, "layer": layerBlock, "container": containerRule,
	"scope": scopeRule, "starting-style": startingStyle,
}

// descriptorKinds are the rules that hold descriptors.
var descriptorKinds = map[string]ruleKind{
	"font-face": fontFaceRule, "page": pageRule, "property": propertyRule, "counter-style": counterStyleRule,
	"position-try": otherRule, "view-transition": otherRule, "font-palette-values": otherRule,
	"font-feature-values": otherRule,
}

// atRule reads the rule whose name has just been read; nil when browsers
// ignore it.
func (p *parser) atRule(name string, b block) *rule {
	p.count++
	prelude, end := p.prelude(b.depth > 0, true)
	if end != openBrace {
		if name == "layer" && prelude != "" && b.parent == nil {
			return &rule{kind: layerStatement, prelude: prelude}
		}
		return nil
	}
	r := &rule{prelude: prelude}
	b.depth++
	if b.depth > maxDepth {
		p.skipBlock()
		return nil
	}
	if kind, ok := groupKinds[name]; ok && !b.raw && !b.frames {
		r.kind = kind
		if kind == scopeRule && !p.scope(r, &b) {
			p.skipBlock()
			return nil
		}
		p.contents(r, b)
		return r
	}
	if b.parent != nil {
		p.skipBlock()
		return nil
	}
	if kind, ok := descriptorKinds[name]; ok {
		r.kind, b.raw = kind, true
		p.contents(r, b)
		return r
	}
	if name == "keyframes" || name == "-webkit-keyframes" {
		r.kind, b.frames = keyframesRule, true
		r.prelude = keyframesName(prelude)
		p.contents(r, b)
		return r
	}
	p.skipBlock()
	return nil
}

// scope reads the prelude of @scope: (roots) to (limits). Limits are taken
// into account when matching; a scope without roots is the sheet's owner's
// parent, here the document.
func (p *parser) scope(r *rule, b *block) bool {
	ns, ok := values(r.prelude)
	if !ok {
		return false
	}
	var roots, limits []*selector
	w := words(ns)
	if len(w) > 0 && w[0].kind == openParen {
		if roots, ok = p.parseSelectors(inner(r.prelude, w[0]), b.parent, b.scope); !ok {
			return false
		}
		w = w[1:]
	}
	if len(w) == 0 && roots == nil {
		roots, _ = p.parseSelectors(":root", nil, nil)
	}
	if len(w) == 2 && w[0].isIdent("to") && w[1].kind == openParen {
		if limits, ok = p.parseSelectors(inner(r.prelude, w[1]), nil, []*selector{scopeSelector(roots, nil)}); !ok {
			return false
		}
	} else if len(w) > 0 {
		return false
	}
	if roots == nil {
		roots, _ = p.parseSelectors(":root", nil, nil)
	}
	b.scope = []*selector{scopeSelector(roots, limits)}
	b.parent = nil
	return true
}

func keyframesName(prelude string) string {
	if ns, ok := values(prelude); ok && len(ns) == 1 && (ns[0].kind == ident || ns[0].kind == str) {
		return ns[0].value
	}
	return ""
}

// importRule reads what follows @import.
func (p *parser) importRule(late bool) {
	p.count++
	text, end := p.prelude(false, true)
	if end == openBrace {
		p.skipBlock()
		return
	}
	ns, ok := values(text)
	if !ok || len(ns) == 0 {
		return
	}
	var ref string
	if ns[0].kind == str {
		ref = ns[0].value
	} else if ref, ok = ns[0].urlOf(); !ok {
		return
	}
	rest := trim(ns[1:])
	i := importRule{late: late}
	if i.url, ok = resolve(p.sheet.base, ref); !ok {
		if _, _, ok = markup.DataURI(ref); !ok {
			return
		}
		i.url = ref
	}
	if len(rest) > 0 && (rest[0].isIdent("layer") || rest[0].isFunc("layer")) {
		i.layered = true
		if rest[0].kind == function {
			i.layer = strings.TrimSpace(inner(text, rest[0]))
		}
		rest = trim(rest[1:])
	}
	if len(rest) > 0 && rest[0].isFunc("supports") {
		i.supports = inner(text, rest[0])
		i.hasSupports = true
		rest = trim(rest[1:])
	}
	if len(rest) > 0 {
		i.media = strings.TrimSpace(text[rest[0].start:])
	}
	p.sheet.imports = append(p.sheet.imports, i)
}

// namespaceRule reads what follows @namespace; false when it is malformed.
func (p *parser) namespaceRule() bool {
	p.count++
	text, end := p.prelude(false, true)
	if end == openBrace {
		p.skipBlock()
		return false
	}
	ns, ok := values(text)
	w := words(ns)
	prefix := ""
	if ok && len(w) == 2 && w[0].kind == ident {
		prefix, w = w[0].value, w[1:]
	}
	if !ok || len(w) != 1 {
		return false
	}
	uri := w[0].value
	if w[0].kind != str {
		if uri, ok = w[0].urlOf(); !ok {
			return false
		}
	}
	name, ok := map[string]string{
		"http://www.w3.org/1999/xhtml": "html", "http://www.w3.org/2000/svg": "svg",
		"http://www.w3.org/1998/Math/MathML": "math",
	}[uri]
	if !ok {
		name = "other"
	}
	if p.sheet.namespaces == nil {
		p.sheet.namespaces = map[string]string{}
	}
	p.sheet.namespaces[prefix] = name
	return true
}
