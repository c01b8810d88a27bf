package css

import "strings"

// maxSubstituted bounds what var() may make of one value, in bytes, so that
// doubling references stay cheap. Chromium's own bound is 2 MiB.
const maxSubstituted = 64 << 10

// variables holds an element's custom properties; those it inherits are its
// parent's.
type variables struct {
	parent     *variables
	own        map[string]*cand
	registered map[string]registration
	viewport   Viewport
	memo       map[string]resolved
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
func (v *variables) lookup(name string) (string, bool) {
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

func (v *variables) resolve(name string, c *cand) (string, bool) {
	if r, ok := v.memo[name]; ok {
		return r.text, r.ok && !r.busy
	}
	if v.memo == nil {
		v.memo = map[string]resolved{}
	}
	v.memo[name] = resolved{busy: true}
	text := c.d.pending.text
	var r resolved
	switch wideWords[strings.ToLower(text)] {
	case wideInherit, wideUnset, wideRevert, wideRevertLayer:
		r.text, r.ok = v.parent.lookup(name)
	case wideInitial:
	default:
		r.text, r.ok = v.substitute(text)
	}
	reg, ok := v.registered[name]
	if ok && reg.image && r.ok {
		ns, fine := values(r.text)
		_, r.ok = oneImage(ns, "")
		r.ok = r.ok && fine
	}
	if ok && !r.ok && reg.hasInitial {
		r = resolved{text: reg.initial, ok: true}
	}
	v.memo[name] = r
	return r.text, r.ok
}

// substitute replaces var(), env() and if() in text.
func (v *variables) substitute(text string) (string, bool) {
	if !strings.Contains(text, "(") {
		return text, true
	}
	ns, ok := values(text)
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
func (v *variables) splice(b *strings.Builder, text string, ns []node, at *int) bool {
	for _, n := range ns {
		name := ""
		if n.kind == function {
			name = strings.ToLower(n.value)
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
			if len(n.args) > 0 && !v.splice(b, text, n.args, at) {
				return false
			}
			continue
		}
		if !ok || b.Len()+len(with) > maxSubstituted {
			return false
		}
		b.WriteString(text[*at:n.start])
		b.WriteString("/**/")
		b.WriteString(with)
		b.WriteString("/**/")
		*at = n.end
	}
	return true
}

// reference replaces one var().
func (v *variables) reference(text string, n node) (string, bool) {
	args := trim(n.args)
	if len(args) == 0 || args[0].kind != ident || !strings.HasPrefix(args[0].value, "--") {
		return "", false
	}
	if val, ok := v.lookup(args[0].value); ok {
		return val, true
	}
	return v.fallback(text, n, "")
}

// fallback is what stands after the first comma of n, or otherwise.
func (v *variables) fallback(text string, n node, otherwise string) (string, bool) {
	for _, a := range n.args {
		if a.kind == comma {
			return v.substitute(strings.TrimSuffix(text[a.end:n.end], ")"))
		}
	}
	return otherwise, otherwise != ""
}

// choose takes the first branch of if() whose condition holds. Conditions on
// style are not evaluated and never hold.
func (v *variables) choose(text string, n node) (string, bool) {
	for _, branch := range split(n.args, func(n node) bool { return n.kind == semicolon }) {
		for i, x := range branch {
			if x.kind != colon {
				continue
			}
			if v.holds(text, trim(branch[:i])) && i+1 < len(branch) {
				return v.substitute(text[x.end:branch[len(branch)-1].end])
			}
			break
		}
	}
	return "", false
}

func (v *variables) holds(text string, cond []node) bool {
	if len(cond) == 1 && cond[0].isIdent("else") {
		return true
	}
	return condition(words(cond), func(n node) truth {
		switch {
		case n.isFunc("media"):
			return truthOf(MatchMedia(mediaText(inner(text, n)), v.viewport))
		case n.isFunc("supports"):
			return truthOf(matchSupports(inner(text, n)))
		}
		return no
	}) == yes
}

// mediaText puts a bare feature into the parentheses that a query needs.
func mediaText(s string) string {
	if strings.Contains(s, ":") && !strings.Contains(s, "(") {
		return "(" + s + ")"
	}
	return s
}
