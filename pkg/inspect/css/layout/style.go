package layout

import (
	"slices"
	"strings"

	"libra/pkg/inspect/css/cascade"
	"libra/pkg/inspect/css/selector"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/css/syntax"
)

// computeStyle computes the layout properties of e.
func (l *layout) computeStyle(e *selector.Element, parent *style) *style {
	l.index.SetAncestors(e)
	g := &style{inherited: parent.inherited}
	matched, own := l.matchRules(e, g)
	if own != nil {
		g.variables = l.Cascade.NewVariables(parent.variables, own)
	}
	if text := presentationalHints(e); text != "" {
		matched = append(matched, matchedRule{parseDeclarations(text), &cascade.Rule{Origin: cascade.Hint}, 0})
	}
	if text, ok := e.Attr("style"); ok {
		matched = append(matched, matchedRule{parseDeclarations(text), &cascade.Rule{Origin: cascade.Inline}, 0})
	}
	var won [longhandCount]cascade.Key
	for _, h := range matched {
		for i := range h.declarations {
			d := &h.declarations[i]
			k := h.by.Key(h.spec, d.Important)
			set := d.settings(g.variables)
			for i := range set {
				if x := &set[i]; !k.Less(won[x.id]) {
					won[x.id], g.values[x.id] = k, x
				}
			}
		}
	}
	g.computeInherited(e, parent)
	return g
}

// matchedRule is a rule that matches an element.
type matchedRule struct {
	declarations []declaration
	by           *cascade.Rule
	spec         selector.Specificity
}

// matchRules gathers the rules that match e and the custom properties they set.
func (l *layout) matchRules(e *selector.Element, g *style) (matched []matchedRule, own map[string]*cascade.Candidate) {
	l.index.Find(e, func(list []selector.Entry) {
		for i := range list {
			x := &list[i]
			by := l.Cascade.Rules[x.Rule]
			if by.Scope != e.Scope && by.Origin != cascade.UserAgent {
				continue
			}
			if by.Starting || x.Selector.PseudoElement != "" && x.Selector.PseudoElement != "after" || !l.Matcher.Matches(x, e) || !by.ContainersHold(l.Viewport) {
				continue
			}
			decls := l.declarationsOf(by.Source)
			if x.Selector.PseudoElement == "after" {
				g.clearfix = g.clearfix || slices.ContainsFunc(decls, func(d declaration) bool { return d.Name == "clear" })
				continue
			}
			if len(decls) > 0 {
				matched = append(matched, matchedRule{decls, by, x.Selector.Specificity})
			}
			own = by.CustomProperties(own, x.Selector.Specificity)
		}
	})
	return matched, own
}

func (l *layout) declarationsOf(r *stylesheet.Rule) []declaration {
	d, ok := l.declarations[r]
	if !ok {
		d = parseDeclarations(r.Body)
		l.declarations[r] = d
	}
	return d
}

// settings are the longhands that d sets, with var() substituted.
func (d *declaration) settings(vars *cascade.Variables) []setting {
	if !d.hasVariables {
		return d.constant
	}
	text, ok := vars.Substitute(d.Value)
	if !ok {
		return nil
	}
	ns, ok := syntax.Values(text)
	if !ok || len(ns) == 0 || syntax.Substitutes(ns) {
		return nil
	}
	return expand(d.Name, ns)
}

// computeInherited computes the inherited properties, which lengths depend on.
func (s *style) computeInherited(e *selector.Element, parent *style) {
	if ns := s.value(propFontSize); len(ns) == 1 {
		base := style{inherited: parent.inherited}
		if v, ok := base.length(ns[0], parent.fontSize); ok {
			s.fontSize = v
		} else if f := fontSizes[strings.ToLower(ns[0].Text)]; f > 0 {
			s.fontSize = f
		}
	}
	if e.Parent == nil {
		s.rootFontSize = s.fontSize
	}
	switch ns := s.value(propLineHeight); {
	case len(ns) == 1 && ns[0].Kind == syntax.Number:
		s.lineHeightFactor = ns[0].Num
	case len(ns) == 1 && ns[0].IsIdent("normal"):
		s.lineHeightFactor = 0
	case len(ns) == 1:
		if v, ok := s.length(ns[0], s.fontSize); ok {
			s.lineHeight, s.lineHeightFactor = v, -1
		}
	}
	switch {
	case s.lineHeightFactor > 0:
		s.lineHeight = s.lineHeightFactor * s.fontSize
	case s.lineHeightFactor == 0:
		s.lineHeight = 1.15 * s.fontSize
	}
	if ns := s.value(propWhiteSpace); len(ns) == 1 {
		word := strings.ToLower(ns[0].Text)
		s.wraps, s.preservesBreaks = word != "nowrap" && word != "pre", strings.HasPrefix(word, "pre")
	}
}

// fontSizes are the absolute size keywords.
var fontSizes = map[string]float64{"xx-small": 9, "x-small": 10, "small": 13, "medium": 16, "large": 18, "x-large": 24, "xx-large": 32}
