package css

import (
	"maps"
	"slices"
	"strings"

	"libra/pkg/inspect/css/cascade"
	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/css/syntax"
	"libra/pkg/libra"
)

// overridden records which rule overrides declarations with images.
func (p *pass) overridden(cands []cascade.Candidate, s *cascade.Style) {
	for i := range cands {
		c := &cands[i]
		if c.Rule.LostTo != "" || c.Rule.Origin == cascade.UserAgent || c.Declaration.ID == property.Custom {
			continue
		}
		if c.Declaration.Value != nil && len(c.Declaration.Value.Images) == 0 {
			continue
		}
		if w := s.From[c.Declaration.ID]; w != nil && w.Rule != c.Rule {
			c.Rule.LostTo = w.Rule.Source.Prelude
		}
	}
}

// attributeURLs lists what style attributes name; label lists the sheets'.
func (p *pass) attributeURLs(matched []*cascade.Rule) {
	for _, a := range matched {
		if a.Origin == cascade.Inline {
			p.addPending(a)
		}
	}
}

// addPending lists the URLs of a, with the label they get unless one is fetched.
func (p *pass) addPending(a *cascade.Rule) {
	why := p.why(a)
	l := lister{v: p.page.Viewport, base: a.Sheet}
	for _, d := range a.Source.Declarations {
		if d.Value == nil || len(d.Value.Images) > 0 {
			l.decl(d, stylesheet.Barrier{}, "")
		}
	}
	for _, u := range l.uses {
		if u.Fetch == libra.Fetched {
			u.Fetch, u.Reason = why.Fetch, why.Reason
		}
		p.pending = append(p.pending, u)
	}
}

// why says why the images of a rule that is in force are not requested.
func (p *pass) why(a *cascade.Rule) stylesheet.Barrier {
	name := syntax.Brief(a.Source.Prelude)
	switch {
	case !a.Matched:
		if state := dynamicState(a.Source.Selectors); state != "" {
			return stylesheet.Conditional("only in state " + state + " of " + name)
		}
		if len(a.Containers) > 0 {
			return stylesheet.Conditional("no container matches @container " + syntax.Brief(a.Containers[0].Prelude))
		}
		return stylesheet.Unused("no element matches " + name)
	case a.NoContent && !a.Shown:
		return stylesheet.Unused(name + " generates no content")
	case !a.Shown:
		return stylesheet.Conditional(name + " is not displayed")
	case a.LostTo != "" && a.LostTo != a.Source.Prelude:
		return stylesheet.Unused("overridden by " + syntax.Brief(a.LostTo))
	}
	return stylesheet.Unused("not needed by what " + name + " shows")
}

// label lists every URL that is named and not fetched, with the reason.
func (p *pass) label() {
	for _, a := range p.cascade.Rules {
		if a.Origin != cascade.UserAgent && property.MayRequest(a.Source.Declarations, false) {
			p.addPending(a)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.cascade.Keyframes)) {
		k := p.cascade.Keyframes[name]
		name, _, _ = strings.Cut(name, "\x00") // of a shadow tree
		why := stylesheet.Unused("animation " + name + " does not run")
		if k.Used {
			why.Reason = "animation " + name + " is overridden"
		}
		l := lister{v: p.page.Viewport, base: k.Sheet}
		l.rules(k.Rule.Rules, why)
		p.pending = append(p.pending, l.uses...)
	}
	for _, i := range p.cascade.Idle {
		l := lister{v: p.page.Viewport, base: i.Sheet}
		l.rules(i.Rules, i.Why)
		p.pending = append(p.pending, l.uses...)
	}
	best := map[useKey]int{}
	for _, u := range p.pending {
		k := useKey{u.URL, u.Type}
		if p.seen[k] {
			continue
		}
		if i, ok := best[k]; ok {
			if p.uses[i].Fetch == libra.Unused && u.Fetch == libra.Conditional {
				p.uses[i] = u
			}
			continue
		}
		best[k] = len(p.uses)
		p.uses = append(p.uses, u)
	}
}
