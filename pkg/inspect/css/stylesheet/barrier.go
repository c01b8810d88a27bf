package stylesheet

import (
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/syntax"
	"libra/pkg/libra"
)

// Barrier is what keeps rules from applying, for a person and as a label; the
// zero value keeps nothing.
type Barrier struct {
	Reason string
	Fetch  libra.Fetch
}

// Unused and Conditional are barriers with a reason.
func Unused(reason string) Barrier      { return Barrier{reason, libra.Unused} }
func Conditional(reason string) Barrier { return Barrier{reason, libra.Conditional} }

// Enter is b inside r, a rule that holds others.
func (b Barrier) Enter(r *Rule, v media.Viewport) Barrier {
	if b.Reason != "" {
		return b
	}
	switch r.Kind {
	case MediaRule:
		if !media.Match(r.Prelude, v) {
			return Conditional("only for @media " + syntax.Brief(r.Prelude))
		}
	case SupportsRule:
		if !Supports(r.Prelude) {
			return Conditional("only where @supports " + syntax.Brief(r.Prelude) + " holds")
		}
	case StartingStyleRule:
		return Conditional("only while a transition starts")
	case PageRule:
		return Unused("only when printing")
	case PropertyRule, CounterStyleRule, OtherRule:
		return Unused("no page asks for it")
	}
	return b
}
