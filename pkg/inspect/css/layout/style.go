package layout

import (
	"slices"
	"strings"

	"libra/pkg/inspect/css/cascade"
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/selector"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/css/syntax"
)

// style computes the layout properties of e.
func (l *layout) style(e *selector.Element, parent *sizes) *sizes {
	l.index.SetAncestors(e)
	g := &sizes{
		view: parent.view, font: parent.font, root: parent.root, line: parent.line, lines: parent.lines,
		wraps: parent.wraps, pre: parent.pre, vars: parent.vars,
	}
	hits, own := l.hits(e, g)
	if own != nil {
		g.vars = l.Cascade.NewVariables(parent.vars, own)
	}
	if text := attributeSizes(e); text != "" {
		hits = append(hits, hit{sizeDecls(text), &cascade.Rule{Origin: cascade.Hint}, 0})
	}
	if text, ok := e.Attr("style"); ok {
		hits = append(hits, hit{sizeDecls(text), &cascade.Rule{Origin: cascade.Inline}, 0})
	}
	var won [dimCount]cascade.Key
	for _, h := range hits {
		for i := range h.decls {
			d := &h.decls[i]
			k := h.by.Key(h.spec, d.Important)
			set := d.settings(g.vars)
			for i := range set {
				if x := &set[i]; !k.Less(won[x.id]) {
					won[x.id], g.val[x.id] = k, x
				}
			}
		}
	}
	g.inherit(e, parent)
	return g
}

// hit is a rule that is for an element.
type hit struct {
	decls []sizeDecl
	by    *cascade.Rule
	spec  selector.Specificity
}

// hits gathers the rules for e and the custom properties that they set.
func (l *layout) hits(e *selector.Element, g *sizes) (hits []hit, own map[string]*cascade.Candidate) {
	l.index.Find(e, func(list []selector.Entry) {
		for i := range list {
			x := &list[i]
			by := l.Cascade.Rules[x.Rule]
			if by.Scope != e.Scope && by.Origin != cascade.UserAgent {
				continue
			}
			if by.Starting || x.Selector.PseudoElement != "" && x.Selector.PseudoElement != "after" || !l.Matcher.Matches(x, e) || !l.contained(by) {
				continue
			}
			decls := l.declsOf(by.Source)
			if x.Selector.PseudoElement == "after" {
				g.clears = g.clears || slices.ContainsFunc(decls, func(d sizeDecl) bool { return d.Name == "clear" })
				continue
			}
			if len(decls) > 0 {
				hits = append(hits, hit{decls, by, x.Selector.Specificity})
			}
			own = l.custom(own, by, x.Selector.Specificity)
		}
	})
	return hits, own
}

// custom adds the custom properties of a rule to own.
func (l *layout) custom(own map[string]*cascade.Candidate, by *cascade.Rule, spec selector.Specificity) map[string]*cascade.Candidate {
	for i := range by.Source.Declarations {
		d := &by.Source.Declarations[i]
		if d.ID != property.Custom {
			continue
		}
		if own == nil {
			own = map[string]*cascade.Candidate{}
		}
		if c := by.Candidate(d, spec); own[d.Name] == nil || own[d.Name].Key.Less(c.Key) {
			own[d.Name] = &c
		}
	}
	return own
}

func (l *layout) declsOf(r *stylesheet.Rule) []sizeDecl {
	d, ok := l.decls[r]
	if !ok {
		d = sizeDecls(r.Body)
		l.decls[r] = d
	}
	return d
}

// contained says whether the queries of containers around a rule hold in one
// that is as large as the viewport.
func (l *layout) contained(by *cascade.Rule) bool {
	for _, r := range by.Containers {
		prelude := r.Prelude
		if ns, ok := syntax.Values(prelude); ok && len(ns) > 0 && ns[0].Kind == syntax.Ident && !ns[0].IsIdent("not") {
			prelude = strings.TrimSpace(prelude[ns[0].End:])
		}
		if !media.Match(prelude, l.Viewport) {
			return false
		}
	}
	return true
}

// settings are what d sets, with var() filled in.
func (d *sizeDecl) settings(vars *cascade.Variables) []sizeSetting {
	if !d.varies {
		return d.set
	}
	text, ok := vars.Substitute(d.Value)
	if !ok {
		return nil
	}
	ns, ok := syntax.Values(text)
	if !ok || len(ns) == 0 || syntax.Substitutes(ns) {
		return nil
	}
	return expandSizes(d.Name, ns)
}

// inherit computes what other lengths depend on, and what children inherit.
func (s *sizes) inherit(e *selector.Element, parent *sizes) {
	if ns := s.get(dFontSize); len(ns) == 1 {
		base := sizes{view: s.view, font: parent.font, root: s.root}
		if v, ok := base.length(ns[0], parent.font); ok {
			s.font = v
		} else if f := fontSizes[strings.ToLower(ns[0].Text)]; f > 0 {
			s.font = f
		}
	}
	if e.Parent == nil {
		s.root = s.font
	}
	switch ns := s.get(dLineHeight); {
	case len(ns) == 1 && ns[0].Kind == syntax.Number:
		s.lines = ns[0].Num
	case len(ns) == 1 && ns[0].IsIdent("normal"):
		s.lines = 0
	case len(ns) == 1:
		if v, ok := s.length(ns[0], s.font); ok {
			s.line, s.lines = v, -1
		}
	}
	switch {
	case s.lines > 0:
		s.line = s.lines * s.font
	case s.lines == 0:
		s.line = 1.15 * s.font
	}
	if ns := s.get(dWhiteSpace); len(ns) == 1 {
		word := strings.ToLower(ns[0].Text)
		s.wraps, s.pre = word != "nowrap" && word != "pre", strings.HasPrefix(word, "pre")
	}
}

// fontSizes are the sizes that have names.
var fontSizes = map[string]float64{"xx-small": 9, "x-small": 10, "small": 13, "medium": 16, "large": 18, "x-large": 24, "xx-large": 32}
