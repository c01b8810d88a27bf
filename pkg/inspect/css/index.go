package css

import "strings"

// entry is one selector of a rule in the index.
type entry struct {
	sel *selector
	by  *applied
}

// index finds the rules that may match an element by what their subject must
// have: an id, a class or a type.
type index struct {
	quirks  bool
	ids     map[string][]entry
	classes map[string][]entry
	tags    map[string][]entry
	rest    []entry
}

func newIndex(rules []*applied, quirks bool) *index {
	x := &index{quirks: quirks, ids: map[string][]entry{}, classes: map[string][]entry{}, tags: map[string][]entry{}}
	for _, a := range rules {
		for _, s := range a.rule.sels {
			x.put(&s.parts[0], entry{s, a}, 0)
		}
	}
	return x
}

func (x *index) fold(s string) string {
	if x.quirks {
		return strings.ToLower(s)
	}
	return s
}

func (x *index) put(c *compound, e entry, depth int) {
	switch {
	case len(c.ids) > 0:
		x.ids[x.fold(c.ids[0])] = append(x.ids[x.fold(c.ids[0])], e)
	case len(c.classes) > 0:
		x.classes[x.fold(c.classes[0])] = append(x.classes[x.fold(c.classes[0])], e)
	case c.tag != "":
		x.tags[c.tag] = append(x.tags[c.tag], e)
	default:
		const most, deepest = 16, 4
		for i := range c.pseudos {
			if sels := c.pseudos[i].sels; c.pseudos[i].name == "is" && len(sels) <= most && depth < deepest {
				for _, s := range sels {
					x.put(&s.parts[0], e, depth+1)
				}
				return
			}
		}
		x.rest = append(x.rest, e)
	}
}

// find calls f for every rule that may match e.
func (x *index) find(e *element, f func([]entry)) {
	if e.id != "" {
		f(x.ids[x.fold(e.id)])
	}
	for i, c := range e.classes {
		repeated := false
		for _, d := range e.classes[:i] {
			repeated = repeated || c == d
		}
		if !repeated {
			f(x.classes[x.fold(c)])
		}
	}
	f(x.tags[e.tag])
	f(x.rest)
}
