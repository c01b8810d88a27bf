package selector

import (
	"slices"
	"strings"
)

// matchBudget bounds the steps of matching one page. A page made with Bootstrap
// takes 14 an element, so this is seventy times a page of 20,000 elements.
const matchBudget = 20_000_000

// Matcher matches selectors with elements.
type Matcher struct {
	Quirks bool
	Steps  int
	tried  int // entries of the index that were looked at
}

// result says how far a failure reaches, which keeps matching polynomial.
type result uint8

const (
	succeeds result = iota
	failsLocally
	failsSiblings   // no earlier sibling can match either
	failsCompletely // no ancestor can match either
)

func (m *Matcher) equal(a, b string) bool {
	return a == b || m.Quirks && strings.EqualFold(a, b)
}

// match says whether e is a subject of s; pseudo-elements are the caller's.
func (m *Matcher) match(s *Selector, e *Element) bool {
	return m.from(s, 0, e, nil) == succeeds
}

// Matches says whether e is a subject of x.
func (m *Matcher) Matches(x *Entry, e *Element) bool {
	if m.tried++; m.tried%16 == 0 {
		m.Steps++ // the filter is that much cheaper
	}
	return x.possible(e) && m.match(x.Selector, e)
}

// Exhausted says whether matching was given up.
func (m *Matcher) Exhausted() bool { return m.Steps > matchBudget }

// from matches s.parts[i:] with e as the subject of parts[i]. anchor is the
// element of :has() that the leftmost compound is tied to.
func (m *Matcher) from(s *Selector, i int, e, anchor *Element) result {
	if m.Steps++; m.Steps > matchBudget {
		return failsCompletely
	}
	c := &s.parts[i]
	if !m.compound(c, e) {
		return failsLocally
	}
	last := i == len(s.parts)-1
	if last && anchor == nil {
		return succeeds
	}
	switch c.comb {
	case '>':
		switch {
		case last:
			return tied(e.up() == anchor)
		case e.up() == nil:
			return failsCompletely
		}
		return m.from(s, i+1, e.up(), anchor)
	case '+':
		switch {
		case last:
			return tied(e.prev == anchor)
		case e.prev == nil:
			return failsSiblings
		}
		return m.from(s, i+1, e.prev, anchor)
	case '~':
		for p := e.prev; p != nil; p = p.prev {
			if last {
				if p == anchor {
					return succeeds
				}
				continue
			}
			if r := m.from(s, i+1, p, anchor); r != failsLocally {
				return r
			}
		}
		return failsSiblings
	}
	for p := e.up(); p != nil; p = p.up() {
		if last {
			if p == anchor {
				return succeeds
			}
			continue
		}
		if r := m.from(s, i+1, p, anchor); r == succeeds || r == failsCompletely {
			return r
		}
	}
	return failsCompletely
}

func tied(ok bool) result {
	if ok {
		return succeeds
	}
	return failsLocally
}

// compound matches the simple selectors of c with e.
func (m *Matcher) compound(c *compound, e *Element) bool {
	if c.tag != "" && c.tag != e.Tag || c.ns != "" && c.ns != e.Namespace {
		return false
	}
	for _, id := range c.ids {
		if !m.equal(id, e.ID) {
			return false
		}
	}
next:
	for _, class := range c.classes {
		for _, have := range e.classes {
			if m.equal(class, have) {
				continue next
			}
		}
		return false
	}
	for i := range c.attrs {
		if !c.attrs[i].match(e) {
			return false
		}
	}
	for i := range c.pseudos {
		if !m.pseudo(&c.pseudos[i], e) {
			return false
		}
	}
	return true
}

func (a *attrTest) match(e *Element) bool {
	have, ok := e.Attr(a.name)
	if !ok || a.op == 0 {
		return ok
	}
	want := a.value
	if a.fold {
		have, want = strings.ToLower(have), strings.ToLower(want)
	}
	switch a.op {
	case '~':
		return slices.Contains(strings.Fields(have), want)
	case '|':
		return have == want || strings.HasPrefix(have, want+"-")
	case '^':
		return want != "" && strings.HasPrefix(have, want)
	case '$':
		return want != "" && strings.HasSuffix(have, want)
	case '*':
		return want != "" && strings.Contains(have, want)
	}
	return have == want
}

// any says whether one of sels matches e.
func (m *Matcher) any(sels []*Selector, e *Element) bool {
	for _, s := range sels {
		if s.PseudoElement == "" && m.match(s, e) {
			return true
		}
	}
	return false
}

// hasAny says whether one of the relative selectors sels matches from e.
func (m *Matcher) hasAny(sels []*Selector, e *Element) bool {
	for _, s := range sels {
		comb := s.parts[len(s.parts)-1].comb
		if comb == '+' || comb == '~' {
			for n := e.Next; n != nil; n = n.Next {
				if m.from(s, 0, n, e) == succeeds || len(s.parts) > 1 && m.below(s, n, e) {
					return true
				}
			}
		} else if m.below(s, e, e) {
			return true
		}
	}
	return false
}

// below says whether s matches a descendant of e from anchor.
func (m *Matcher) below(s *Selector, e, anchor *Element) bool {
	for c := e.First; c != nil && m.Steps <= matchBudget; c = c.Next {
		if m.from(s, 0, c, anchor) == succeeds || m.below(s, c, anchor) {
			return true
		}
	}
	return false
}

// nth says whether index is one of a·n+b for n ≥ 0.
func nth(a, b, index int) bool {
	if a == 0 {
		return index == b
	}
	return (index-b)%a == 0 && (index-b)/a >= 0
}

// nthOf counts e among the siblings that match sels.
func (m *Matcher) nthOf(t *pseudoTest, e *Element) bool {
	if !m.any(t.sels, e) {
		return false
	}
	n := 1
	for s := e; s != nil; {
		if t.name == "nth-child" {
			s = s.prev
		} else {
			s = s.Next
		}
		if s != nil && m.any(t.sels, s) {
			n++
		}
	}
	return nth(t.a, t.b, n)
}
