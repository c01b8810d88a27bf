package cascade

import (
	"strings"

	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/selector"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/css/syntax"
)

// maxSubstituted bounds what var() may make of one value, in bytes, so that
// doubling references stay cheap. Chromium's own bound is 2 MiB.
const maxSubstituted = 64 << 10

// Variables holds an element's custom properties; those it inherits are its
// parent's.
type Variables struct {
	parent     *Variables
	own        map[string]*Candidate
	registered map[string]registration
	viewport   media.Viewport
	memo       map[string]resolved
}

// NewVariables returns the custom properties of an element that declares own and
// inherits from parent.
func (c *Cascade) NewVariables(parent *Variables, own map[string]*Candidate) *Variables {
	return &Variables{parent: parent, own: own, registered: c.registered, viewport: c.viewport}
}

// registration is an @property rule.
type registration struct {
	inherits   bool
	image      bool // its syntax allows nothing but images
	initial    string
	hasInitial bool
}

type resolved struct {
	text string
	ok   bool
	busy bool // being resolved: a cycle when it is met again
}

// lookup gives the computed value of a custom property.
func (v *Variables) lookup(name string) (string, bool) {
	for s := v; s != nil; s = s.parent {
		if c, ok := s.own[name]; ok {
			return s.resolve(name, c)
		}
		if r, ok := v.registered[name]; ok && !r.inherits {
			break
		}
	}
	if v != nil {
		if r, ok := v.registered[name]; ok && r.hasInitial {
			return r.initial, true
		}
	}
	return "", false
}

func (v *Variables) resolve(name string, c *Candidate) (string, bool) {
	if r, ok := v.memo[name]; ok {
		return r.text, r.ok && !r.busy
	}
	if v.memo == nil {
		v.memo = map[string]resolved{}
	}
	v.memo[name] = resolved{busy: true}
	text := c.Declaration.Pending.Text
	var r resolved
	switch property.WideKeywords[strings.ToLower(text)] {
	case property.Inherit, property.Unset, property.Revert, property.RevertLayer:
		r.text, r.ok = v.parent.lookup(name)
	case property.Initial:
	default:
		r.text, r.ok = v.Substitute(text)
	}
	reg, ok := v.registered[name]
	if ok && reg.image && r.ok {
		r.ok = property.IsImage(r.text)
	}
	if ok && !r.ok && reg.hasInitial {
		r = resolved{text: reg.initial, ok: true}
	}
	v.memo[name] = r
	return r.text, r.ok
}

// Substitute replaces var(), env() and if() in text.
func (v *Variables) Substitute(text string) (string, bool) {
	if !strings.Contains(text, "(") {
		return text, true
	}
	ns, ok := syntax.Values(text)
	if !ok {
		return "", false
	}
	var b strings.Builder
	at := 0
	if !v.splice(&b, text, ns, &at) {
		return "", false
	}
	b.WriteString(text[at:])
	return b.String(), b.Len() <= maxSubstituted
}

// splice writes text up to the end of ns with its functions replaced; at is
// how far it has come.
func (v *Variables) splice(b *strings.Builder, text string, ns []syntax.Value, at *int) bool {
	for _, n := range ns {
		name := ""
		if n.Kind == syntax.Function {
			name = strings.ToLower(n.Text)
		}
		var with string
		ok := true
		switch name {
		case "var":
			with, ok = v.reference(text, n)
		case "env":
			with, ok = v.fallback(text, n, "0px")
		case "if":
			with, ok = v.choose(text, n)
		default:
			if len(n.Args) > 0 && !v.splice(b, text, n.Args, at) {
				return false
			}
			continue
		}
		if !ok || b.Len()+len(with) > maxSubstituted {
			return false
		}
		b.WriteString(text[*at:n.Start])
		b.WriteString("/**/")
		b.WriteString(with)
		b.WriteString("/**/")
		*at = n.End
	}
	return true
}

// reference replaces one var().
func (v *Variables) reference(text string, n syntax.Value) (string, bool) {
	args := syntax.Trim(n.Args)
	if len(args) == 0 || args[0].Kind != syntax.Ident || !strings.HasPrefix(args[0].Text, "--") {
		return "", false
	}
	if val, ok := v.lookup(args[0].Text); ok {
		return val, true
	}
	return v.fallback(text, n, "")
}

// fallback is what stands after the first comma of n, or otherwise.
func (v *Variables) fallback(text string, n syntax.Value, otherwise string) (string, bool) {
	for _, a := range n.Args {
		if a.Kind == syntax.Comma {
			return v.Substitute(strings.TrimSuffix(text[a.End:n.End], ")"))
		}
	}
	return otherwise, otherwise != ""
}

// choose takes the first branch of if() whose condition holds. Conditions on
// style are not evaluated and never hold.
func (v *Variables) choose(text string, n syntax.Value) (string, bool) {
	for _, branch := range syntax.Split(n.Args, func(n syntax.Value) bool { return n.Kind == syntax.Semicolon }) {
		for i, x := range branch {
			if x.Kind != syntax.Colon {
				continue
			}
			if v.holds(text, syntax.Trim(branch[:i])) && i+1 < len(branch) {
				return v.Substitute(text[x.End:branch[len(branch)-1].End])
			}
			break
		}
	}
	return "", false
}

func (v *Variables) holds(text string, cond []syntax.Value) bool {
	if len(cond) == 1 && cond[0].IsIdent("else") {
		return true
	}
	return media.Condition(syntax.Fields(cond), func(n syntax.Value) media.Truth {
		switch {
		case n.IsFunction("media"):
			return media.TruthOf(media.Match(mediaText(syntax.Inner(text, n)), v.viewport))
		case n.IsFunction("supports"):
			return media.TruthOf(stylesheet.SupportsDeclaration(syntax.Inner(text, n)))
		}
		return media.No
	}) == media.Yes
}

// mediaText puts a bare feature into the parentheses that a query needs.
func mediaText(s string) string {
	if strings.Contains(s, ":") && !strings.Contains(s, "(") {
		return "(" + s + ")"
	}
	return s
}

// CustomProperties adds those that a sets, where a selector with spec matched, to
// own, which may be nil.
func (a *Rule) CustomProperties(own map[string]*Candidate, spec selector.Specificity) map[string]*Candidate {
	for i := range a.Source.Declarations {
		if d := &a.Source.Declarations[i]; d.ID == property.Custom {
			c := a.Candidate(d, spec)
			own = stronger(own, &c)
		}
	}
	return own
}

// stronger puts c into own, which may be nil, unless a stronger one of its name is there.
func stronger(own map[string]*Candidate, c *Candidate) map[string]*Candidate {
	if own == nil {
		own = map[string]*Candidate{}
	}
	if w := own[c.Declaration.Name]; w == nil || w.Key.Less(c.Key) {
		own[c.Declaration.Name] = c
	}
	return own
}
