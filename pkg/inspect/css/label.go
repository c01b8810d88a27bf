package css

import (
	"maps"
	"slices"
	"strings"

	"libra/pkg/inspect/css/property"
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
			c.by.lostTo = w.by.rule.prelude
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
	for _, d := range a.rule.decls {
		if d.Value == nil || len(d.Value.Images) > 0 {
			l.decl(d, context{}, "")
		}
	}
	for _, u := range l.uses {
		if u.Fetch == libra.Fetched {
			u.Fetch, u.Reason = why.fetch, why.reason
		}
		p.pending = append(p.pending, u)
	}
}

// why says what keeps the images of a rule that is in force from being
// requested.
func (p *pass) why(a *applied) context {
	name := syntax.Brief(a.rule.prelude)
	switch {
	case !a.matched:
		if state := dynamicState(a.rule.sels); state != "" {
			return context{"only in state " + state + " of " + name, libra.Conditional}
		}
		if len(a.containers) > 0 {
			return context{"no container matches @container " + syntax.Brief(a.containers[0].prelude), libra.Conditional}
		}
		return context{"no element matches " + name, libra.Unused}
	case a.noContent && !a.shown:
		return context{name + " generates no content", libra.Unused}
	case !a.shown:
		return context{name + " is not displayed", libra.Conditional}
	case a.lostTo != "" && a.lostTo != a.rule.prelude:
		return context{"overridden by " + syntax.Brief(a.lostTo), libra.Unused}
	}
	return context{"not needed by what " + name + " shows", libra.Unused}
}

// label lists every URL that is named and not fetched, with the reason.
func (p *pass) label() {
	for _, a := range p.cascade.rules {
		if a.origin != userAgent && a.hasURL() {
			p.later(a)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(p.cascade.keyframes)) {
		k := p.cascade.keyframes[name]
		name, _, _ = strings.Cut(name, "\x00") // of a shadow tree
		why := context{"animation " + name + " does not run", libra.Unused}
		if k.used {
			why.reason = "animation " + name + " is overridden"
		}
		l := lister{v: p.page.Viewport, base: k.sheet}
		l.rules(k.rule.rules, why)
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

// hasURL says whether a's rule may name a URL.
func (a *applied) hasURL() bool {
	for _, d := range a.rule.decls {
		if d.Value != nil && len(d.Value.Images) > 0 {
			return true
		}
		if d.Pending != nil && strings.Contains(d.Pending.Text, "(") {
			return true
		}
	}
	return false
}
