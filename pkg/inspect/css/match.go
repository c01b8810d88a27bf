package css

import "strings"

// matchBudget bounds the steps of matching one page. A page made with Bootstrap
// takes 14 an element, so this is seventy times a page of 20,000 elements.
const matchBudget = 20_000_000

// matcher matches selectors with elements.
type matcher struct {
	quirks bool
	steps  int
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

func (m *matcher) equal(a, b string) bool {
	return a == b || m.quirks && strings.EqualFold(a, b)
}

// match says whether e is a subject of s; pseudo-elements are the caller's.
func (m *matcher) match(s *selector, e *element) bool {
	return m.from(s, 0, e, nil) == succeeds
}

// matches says whether e is a subject of x.
func (m *matcher) matches(x *entry, e *element) bool {
	if m.tried++; m.tried%16 == 0 {
		m.steps++ // the filter is that much cheaper
	}
	return x.possible(e) && m.match(x.sel, e)
}

// exhausted says whether matching was given up.
func (m *matcher) exhausted() bool { return m.steps > matchBudget }

// from matches s.parts[i:] with e as the subject of parts[i]. anchor is the
// element of :has() that the leftmost compound is tied to.
func (m *matcher) from(s *selector, i int, e, anchor *element) result {
	if m.steps++; m.steps > matchBudget {
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
func (m *matcher) compound(c *compound, e *element) bool {
	if c.tag != "" && c.tag != e.tag || c.ns != "" && c.ns != e.ns {
		return false
	}
	for _, id := range c.ids {
		if !m.equal(id, e.id) {
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

func (a *attrTest) match(e *element) bool {
	have, ok := e.attr(a.name)
	if !ok || a.op == 0 {
		return ok
	}
	want := a.value
	if a.fold {
		have, want = strings.ToLower(have), strings.ToLower(want)
	}
	switch a.op {
	case '~':
		for _, f := range strings.Fields(have) {
			if f == want {
				return true
			}
		}
		return false
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
func (m *matcher) any(sels []*selector, e *element) bool {
	for _, s := range sels {
		if s.pseudo == "" && m.match(s, e) {
			return true
		}
	}
	return false
}

// hasAny says whether one of the relative selectors sels matches from e.
func (m *matcher) hasAny(sels []*selector, e *element) bool {
	for _, s := range sels {
		comb := s.parts[len(s.parts)-1].comb
		if comb == '+' || comb == '~' {
			for n := e.next; n != nil; n = n.next {
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
func (m *matcher) below(s *selector, e, anchor *element) bool {
	for c := e.first; c != nil && m.steps <= matchBudget; c = c.next {
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
func (m *matcher) nthOf(t *pseudoTest, e *element) bool {
	if !m.any(t.sels, e) {
		return false
	}
	n := 1
	if t.name == "nth-child" {
		for s := e.prev; s != nil; s = s.prev {
			if m.any(t.sels, s) {
				n++
			}
		}
	} else {
		for s := e.next; s != nil; s = s.next {
			if m.any(t.sels, s) {
				n++
			}
		}
	}
	return nth(t.a, t.b, n)
}
