package css

import (
	"maps"
	"slices"
	"strings"

	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/css/syntax"
	"libra/pkg/libra"
)

// overridden notes, for declarations with images that lost, what beat them.
func (p *pass) overridden(cands []cand, s *style) {
	for i := range cands {
		c := &cands[i]
		if c.by.lostTo != "" || c.by.origin == userAgent || c.d.ID == property.Custom {
			continue
		}
		if c.d.Value != nil && len(c.d.Value.Images) == 0 {
			continue
		}
		if w := s.from[c.d.ID]; w != nil && w.by != c.by {
			c.by.lostTo = w.by.rule.Prelude
		}
	}
}

// attributeURLs keeps what style attributes name; sheets are listed by label.
func (p *pass) attributeURLs(matched []*applied) {
	for _, a := range matched {
		if a.origin == inline {
			p.later(a)
		}
	}
}

// later lists the URLs of a, to be labelled unless they turn out fetched.
func (p *pass) later(a *applied) {
	why := p.why(a)
	l := lister{v: p.page.Viewport, base: a.sheet}
	for _, d := range a.rule.Declarations {
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

// why says what keeps the images of a rule that is in force from being
// requested.
func (p *pass) why(a *applied) stylesheet.Barrier {
	name := syntax.Brief(a.rule.Prelude)
	switch {
	case !a.matched:
		if state := dynamicState(a.rule.Selectors); state != "" {
			return stylesheet.Conditional("only in state " + state + " of " + name)
		}
		if len(a.containers) > 0 {
			return stylesheet.Conditional("no container matches @container " + syntax.Brief(a.containers[0].Prelude))
		}
		return stylesheet.Unused("no element matches " + name)
	case a.noContent && !a.shown:
		return stylesheet.Unused(name + " generates no content")
	case !a.shown:
		return stylesheet.Conditional(name + " is not displayed")
	case a.lostTo != "" && a.lostTo != a.rule.Prelude:
		return stylesheet.Unused("overridden by " + syntax.Brief(a.lostTo))
	}
	return stylesheet.Unused("not needed by what " + name + " shows")
}

// label lists every URL that is named and not fetched, with the reason.
func (p *pass) label() {
	for _, a := range p.cascade.rules {
		if a.origin != userAgent && property.MayRequest(a.rule.Declarations, false) {
			p.later(a)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.cascade.keyframes)) {
		k := p.cascade.keyframes[name]
		name, _, _ = strings.Cut(name, "\x00") // of a shadow tree
		why := stylesheet.Unused("animation " + name + " does not run")
		if k.used {
			why.Reason = "animation " + name + " is overridden"
		}
		l := lister{v: p.page.Viewport, base: k.sheet}
		l.rules(k.rule.Rules, why)
		p.pending = append(p.pending, l.uses...)
	}
	for _, i := range p.cascade.idle {
		l := lister{v: p.page.Viewport, base: i.sheet}
		l.rules(i.rules, i.why)
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
