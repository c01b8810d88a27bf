package css

import (
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/syntax"
	"libra/pkg/libra"
)

// context is what the rules around a declaration ask for. Reason is "" while
// it holds.
type context struct {
	reason string
	fetch  libra.Fetch
}

// enter is c inside r, a rule that holds others.
func (c context) enter(r *rule, v media.Viewport) context {
	if c.reason != "" {
		return c
	}
	switch r.kind {
	case mediaRule:
		if !media.Match(r.prelude, v) {
			return context{"only for @media " + syntax.Brief(r.prelude), libra.Conditional}
		}
	case supportsRule:
		if !MatchSupports(r.prelude) {
			return context{"only where @supports " + syntax.Brief(r.prelude) + " holds", libra.Conditional}
		}
	case startingStyle:
		return context{"only while a transition starts", libra.Conditional}
	case pageRule:
		return context{"only when printing", libra.Unused}
	case propertyRule, counterStyleRule, otherRule:
		return context{"no page asks for it", libra.Unused}
	}
	return c
}
