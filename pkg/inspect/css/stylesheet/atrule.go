package stylesheet

import (
	"strings"

	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/selector"
	"libra/pkg/inspect/css/syntax"
	"libra/pkg/inspect/markup"
)

// groupKinds are the rules that contain style rules and may be nested in one.
var groupKinds = map[string]Kind{
	"media": MediaRule, "supports": SupportsRule, "layer": LayerBlock, "container": ContainerRule,
	"scope": ScopeRule, "starting-style": StartingStyleRule,
}

// descriptorKinds are the rules that contain descriptors.
var descriptorKinds = map[string]Kind{
	"font-face": FontFaceRule, "page": PageRule, "property": PropertyRule, "counter-style": CounterStyleRule,
	"position-try": OtherRule, "view-transition": OtherRule, "font-palette-values": OtherRule,
	"font-feature-values": OtherRule,
}

// atRule reads the rule whose name has just been read; nil when browsers
// ignore it.
func (p *parser) atRule(name string, b block) *Rule {
	p.count++
	prelude, end := p.Prelude(b.depth > 0, true)
	if end != syntax.OpenBrace {
		if name == "layer" && prelude != "" && b.parent == nil {
			return &Rule{Kind: LayerStatement, Prelude: prelude}
		}
		return nil
	}
	r := &Rule{Prelude: prelude}
	b.depth++
	if b.depth > syntax.MaxDepth {
		p.SkipBlock()
		return nil
	}
	if kind, ok := groupKinds[name]; ok && !b.raw && !b.frames {
		r.Kind = kind
		if kind == ScopeRule && !p.scope(r, &b) {
			p.SkipBlock()
			return nil
		}
		p.contents(r, b)
		return r
	}
	if b.parent != nil {
		p.SkipBlock()
		return nil
	}
	if kind, ok := descriptorKinds[name]; ok {
		r.Kind, b.raw = kind, true
		p.contents(r, b)
		return r
	}
	if name == "keyframes" || name == "-webkit-keyframes" {
		r.Kind, b.frames = KeyframesRule, true
		r.Prelude = keyframesName(prelude)
		p.contents(r, b)
		return r
	}
	p.SkipBlock()
	return nil
}

// scope reads the prelude of @scope: (roots) to (limits). Limits are taken
// into account when matching; a scope without roots is the sheet's owner's
// parent, here the document.
func (p *parser) scope(r *Rule, b *block) bool {
	ns, ok := syntax.Values(r.Prelude)
	if !ok {
		return false
	}
	var roots, limits []*selector.Selector
	w := syntax.Fields(ns)
	if len(w) > 0 && w[0].Kind == syntax.OpenParen {
		if roots, ok = p.parseSelectors(syntax.Inner(r.Prelude, w[0]), b.parent, b.scope); !ok {
			return false
		}
		w = w[1:]
	}
	if len(w) == 2 && w[0].IsIdent("to") && w[1].Kind == syntax.OpenParen {
		if limits, ok = p.parseSelectors(syntax.Inner(r.Prelude, w[1]), nil, []*selector.Selector{selector.InScope(roots, nil)}); !ok {
			return false
		}
	} else if len(w) > 0 {
		return false
	}
	if roots == nil {
		roots, _ = p.parseSelectors(":root", nil, nil)
	}
	b.scope = []*selector.Selector{selector.InScope(roots, limits)}
	b.parent = nil
	return true
}

func keyframesName(prelude string) string {
	if ns, ok := syntax.Values(prelude); ok && len(ns) == 1 && (ns[0].Kind == syntax.Ident || ns[0].Kind == syntax.String) {
		return ns[0].Text
	}
	return ""
}

// importRule reads what follows @import.
func (p *parser) importRule(late bool) {
	p.count++
	text, end := p.Prelude(false, true)
	if end == syntax.OpenBrace {
		p.SkipBlock()
		return
	}
	ns, ok := syntax.Values(text)
	if !ok || len(ns) == 0 {
		return
	}
	var ref string
	if ns[0].Kind == syntax.String {
		ref = ns[0].Text
	} else if ref, ok = ns[0].URL(); !ok {
		return
	}
	rest := syntax.Trim(ns[1:])
	i := importRule{late: late}
	if i.url, ok = property.ResolveURL(p.sheet.Base, ref); !ok {
		if _, _, ok = markup.DataURI(ref); !ok {
			return
		}
		i.url = ref
	}
	if len(rest) > 0 && (rest[0].IsIdent("layer") || rest[0].IsFunction("layer")) {
		i.layered = true
		if rest[0].Kind == syntax.Function {
			i.layer = strings.TrimSpace(syntax.Inner(text, rest[0]))
		}
		rest = syntax.Trim(rest[1:])
	}
	if len(rest) > 0 && rest[0].IsFunction("supports") {
		i.supports = syntax.Inner(text, rest[0])
		i.hasSupports = true
		rest = syntax.Trim(rest[1:])
	}
	if len(rest) > 0 {
		i.media = strings.TrimSpace(text[rest[0].Start:])
	}
	p.sheet.imports = append(p.sheet.imports, i)
}

// namespaceRule reads what follows @namespace; false when it is malformed.
func (p *parser) namespaceRule() bool {
	p.count++
	text, end := p.Prelude(false, true)
	if end == syntax.OpenBrace {
		p.SkipBlock()
		return false
	}
	ns, ok := syntax.Values(text)
	w := syntax.Fields(ns)
	prefix := ""
	if ok && len(w) == 2 && w[0].Kind == syntax.Ident {
		prefix, w = w[0].Text, w[1:]
	}
	if !ok || len(w) != 1 {
		return false
	}
	uri := w[0].Text
	if w[0].Kind != syntax.String {
		if uri, ok = w[0].URL(); !ok {
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
