package selector

import (
	"strings"

	"golang.org/x/net/html"
)

// Entry is one selector of a rule in the index.
type Entry struct {
	Selector *Selector
	Rule     int // the number that the rule was added by
	// needs are what ancestors must have
	needs [3]uint8
	count uint8
}

// bloom is a set of hashes of ids, classes and types, which may claim to
// have what it has not.
type bloom [4]uint64

func (b *bloom) add(h uint8)      { b[h>>6] |= 1 << (h & 63) }
func (b *bloom) has(h uint8) bool { return b[h>>6]&(1<<(h&63)) != 0 }

// hash8 is FNV-1a of the kind and the name, folded to a byte.
func hash8(kind byte, name string) uint8 {
	h := uint32(2166136261) ^ uint32(kind)
	for i := range len(name) {
		h = h*16777619 ^ uint32(name[i])
	}
	h *= 16777619
	return uint8(h ^ h>>8 ^ h>>16 ^ h>>24)
}

// need notes what the ancestors of s's subject must have.
func (e *Entry) need(h uint8) {
	if int(e.count) < len(e.needs) {
		e.needs[e.count] = h
		e.count++
	}
}

func (x *Index) entry(s *Selector, rule int) Entry {
	e := Entry{Selector: s, Rule: rule}
	for i := 1; i < len(s.parts); i++ {
		if c := s.parts[i-1].comb; c != ' ' && c != '>' {
			continue // a sibling, not an ancestor
		}
		c := &s.parts[i]
		for _, id := range c.ids {
			e.need(hash8('#', x.fold(id)))
		}
		for _, class := range c.classes {
			e.need(hash8('.', x.fold(class)))
		}
		if c.tag != "" {
			e.need(hash8('t', c.tag))
		}
	}
	return e
}

// possible says whether e's ancestors may have what x needs.
func (x *Entry) possible(e *Element) bool {
	for _, h := range x.needs[:x.count] {
		if !e.above.has(h) {
			return false
		}
	}
	return true
}

// SetAncestors sets what is above e.
func (x *Index) SetAncestors(e *Element) {
	p := e.Parent
	if p == nil {
		return
	}
	e.above = p.above
	e.above.add(hash8('t', p.Tag))
	if p.ID != "" {
		e.above.add(hash8('#', x.fold(p.ID)))
	}
	for _, c := range p.classes {
		e.above.add(hash8('.', x.fold(c)))
	}
}

// Index finds the rules that may match an element by what their subject must
// have: an id, a class or a type.
type Index struct {
	quirks  bool
	ids     map[string][]Entry
	classes map[string][]Entry
	tags    map[string][]Entry
	rest    []Entry
}

// NewIndex returns an empty index; quirks is the mode of the document.
func NewIndex(quirks bool) *Index {
	return &Index{quirks: quirks, ids: map[string][]Entry{}, classes: map[string][]Entry{}, tags: map[string][]Entry{}}
}

// Add puts a rule with the selectors sels into the index.
func (x *Index) Add(sels []*Selector, rule int) {
	for _, s := range sels {
		x.put(&s.parts[0], x.entry(s, rule), 0)
	}
}

func (x *Index) fold(s string) string {
	if x.quirks {
		return strings.ToLower(s)
	}
	return s
}

func (x *Index) put(c *compound, e Entry, depth int) {
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

// Find calls f for every rule that may match e.
func (x *Index) Find(e *Element, f func([]Entry)) {
	if e.ID != "" {
		f(x.ids[x.fold(e.ID)])
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
	f(x.tags[e.Tag])
	f(x.rest)
}

// MayMatch says whether n has an id, class or type that some subject has.
func (x *Index) MayMatch(n *html.Node) bool {
	if len(x.rest) > 0 || len(x.tags) > 0 && x.tags[strings.ToLower(n.Data)] != nil {
		return true
	}
	for i := range n.Attr {
		switch a := &n.Attr[i]; a.Key {
		case "id":
			if len(x.ids) > 0 && x.ids[x.fold(a.Val)] != nil {
				return true
			}
		case "class":
			if len(x.classes) == 0 {
				continue
			}
			for c := range strings.FieldsSeq(a.Val) {
				if x.classes[x.fold(c)] != nil {
					return true
				}
			}
		}
	}
	return false
}
