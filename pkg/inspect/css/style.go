package css

import (
	"strings"

	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/syntax"
)

// cand is a declaration that applies to an element.
type cand struct {
	d   *decl
	by  *applied
	key key
}

// style is the computed style of an element or pseudo-element, as far as it
// decides what is requested.
type style struct {
	parent *style
	val    [propCount]*value // nil is the initial value
	from   [propCount]*cand  // who set it, here or on the ancestor it is from
	vars   *variables
	had    [propCount]bool // some declaration was made here
}

// styleOf computes a style from the declarations in cands.
func (c *cascade) styleOf(cands []cand, parent *style) *style {
	s := c.newStyle(parent)
	var win [propCount]*cand
	var own map[string]*cand
	for i := range cands {
		d := &cands[i]
		if d.d.id == custom {
			if own == nil {
				own = map[string]*cand{}
			}
			if w := own[d.d.name]; w == nil || w.key.less(d.key) {
				own[d.d.name] = d
			}
			continue
		}
		if w := win[d.d.id]; w == nil || !d.key.less(w.key) {
			win[d.d.id] = d
		}
	}
	if parent != nil {
		s.vars = parent.vars
	}
	if own != nil || s.vars == nil || len(c.registered) > 0 {
		s.vars = &variables{parent: s.vars, own: own, registered: c.registered, viewport: c.viewport}
	}
	for id := display; id < propCount; id++ {
		if win[id] != nil {
			s.had[id] = true
		}
		s.set(id, win[id], cands, 0)
	}
	s.weigh()
	return s
}

// set computes one property from its winning declaration.
func (s *style) set(id prop, c *cand, cands []cand, depth int) {
	v := s.compute(id, c)
	w := wideNone
	if v != nil {
		w = v.wide
	}
	if c == nil {
		w = wideUnset
	}
	switch w {
	case wideNone:
		s.val[id], s.from[id] = v, c
		return
	case wideRevert, wideRevertLayer:
		s.set(id, next(id, c, cands, w), cands, depth+1)
		return
	case wideInitial:
		return
	case wideUnset:
		if !inherited[id] {
			return
		}
	}
	if s.parent != nil {
		s.val[id], s.from[id] = s.parent.val[id], s.parent.from[id]
	}
}

// next is the strongest declaration below the layer or origin of c.
func next(id prop, c *cand, cands []cand, w wide) *cand {
	var best *cand
	for i := range cands {
		o := &cands[i]
		if o.d.id != id || o.key.hi >= c.key.hi {
			continue
		}
		if w == wideRevert && o.by.origin >= hint {
			continue
		}
		if best == nil || !o.key.less(best.key) {
			best = o
		}
	}
	return best
}

var unset = &value{wide: wideUnset}

// compute gives the value of c with var() filled in; a value that then turns
// out to be invalid is "unset".
func (s *style) compute(id prop, c *cand) *value {
	if c == nil || c.d.val != nil {
		if c == nil {
			return nil
		}
		return c.d.val
	}
	text, ok := s.vars.substitute(c.d.pending.text)
	if !ok {
		return unset
	}
	v, ok := c.d.pending.parse(text, id)
	if !ok {
		return unset
	}
	return v
}

// weigh makes bolder and lighter numbers.
func (s *style) weigh() {
	v := s.val[fontWeight]
	if v == nil || v.num >= 1 {
		return
	}
	was := s.parent.weight()
	var now float64
	if v.num == 0 {
		now = map[bool]float64{true: 400, false: 700}[was < 350]
		if was >= 550 {
			now = max(was, 900)
		}
	} else {
		switch {
		case was < 550:
			now = min(was, 100)
		case was < 750:
			now = 400
		default:
			now = 700
		}
	}
	s.val[fontWeight] = &value{num: now}
}

func (s *style) weight() float64 {
	if s == nil || s.val[fontWeight] == nil || s.val[fontWeight].num < 1 {
		return 400
	}
	return s.val[fontWeight].num
}

// word is the first keyword of a property, initial where it is not set.
func (s *style) word(id prop, initial string) string {
	if v := s.val[id]; v != nil && len(v.words) > 0 {
		return v.words[0]
	}
	return initial
}

// satisfies says whether the nearest query container of what s is the parent's
// style of satisfies r. The container is taken to be as wide and high as the
// viewport.
func (s *style) satisfies(r *rule, v media.Viewport) bool {
	prelude := r.prelude
	name := ""
	if ns, ok := syntax.Values(prelude); ok && len(ns) > 0 && ns[0].Kind == syntax.Ident && !ns[0].IsIdent("not") {
		name = ns[0].Text
		prelude = strings.TrimSpace(prelude[ns[0].End:])
	}
	for ; s != nil; s = s.parent {
		if name != "" && !contains(s.val[containerName], name) {
			continue
		}
		if kind := s.word(containerType, "normal"); kind != "normal" || prelude == "" {
			return media.Match(prelude, v)
		}
	}
	return false
}

func contains(v *value, word string) bool {
	if v != nil {
		for _, w := range v.words {
			if w == word {
				return true
			}
		}
	}
	return false
}

// newStyle is a style of parent's child, unset.
func (c *cascade) newStyle(parent *style) *style {
	if k := len(c.free) - 1; k >= 0 {
		s := c.free[k]
		c.free = c.free[:k]
		s.parent = parent
		return s
	}
	return &style{parent: parent}
}

// recycle takes back a style that nothing uses any more.
func (c *cascade) recycle(s *style) {
	*s = style{}
	c.free = append(c.free, s)
}
