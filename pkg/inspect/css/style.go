package css

import (
	"strings"

	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/css/syntax"
)

// cand is a declaration that applies to an element.
type cand struct {
	d   *property.Declaration
	by  *applied
	key key
}

// style is the computed style of an element or pseudo-element, as far as it
// decides what is requested.
type style struct {
	parent *style
	val    [property.Count]*property.Value // nil is the initial value
	from   [property.Count]*cand           // who set it, here or on the ancestor it is from
	vars   *variables
	had    [property.Count]bool // some declaration was made here
}

// styleOf computes a style from the declarations in cands.
func (c *cascade) styleOf(cands []cand, parent *style) *style {
	s := c.newStyle(parent)
	var win [property.Count]*cand
	var own map[string]*cand
	for i := range cands {
		d := &cands[i]
		if d.d.ID == property.Custom {
			if own == nil {
				own = map[string]*cand{}
			}
			if w := own[d.d.Name]; w == nil || w.key.less(d.key) {
				own[d.d.Name] = d
			}
			continue
		}
		if w := win[d.d.ID]; w == nil || !d.key.less(w.key) {
			win[d.d.ID] = d
		}
	}
	if parent != nil {
		s.vars = parent.vars
	}
	if own != nil || s.vars == nil || len(c.registered) > 0 {
		s.vars = &variables{parent: s.vars, own: own, registered: c.registered, viewport: c.viewport}
	}
	for id := property.Display; id < property.Count; id++ {
		if win[id] != nil {
			s.had[id] = true
		}
		s.set(id, win[id], cands, 0)
	}
	s.weigh()
	return s
}

// set computes one property from its winning declaration.
func (s *style) set(id property.ID, c *cand, cands []cand, depth int) {
	v := s.compute(id, c)
	w := property.NotWide
	if v != nil {
		w = v.Wide
	}
	if c == nil {
		w = property.Unset
	}
	switch w {
	case property.NotWide:
		s.val[id], s.from[id] = v, c
		return
	case property.Revert, property.RevertLayer:
		s.set(id, next(id, c, cands, w), cands, depth+1)
		return
	case property.Initial:
		return
	case property.Unset:
		if !property.Inherited[id] {
			return
		}
	}
	if s.parent != nil {
		s.val[id], s.from[id] = s.parent.val[id], s.parent.from[id]
	}
}

// next is the strongest declaration below the layer or origin of c.
func next(id property.ID, c *cand, cands []cand, w property.Wide) *cand {
	var best *cand
	for i := range cands {
		o := &cands[i]
		if o.d.ID != id || o.key.hi >= c.key.hi {
			continue
		}
		if w == property.Revert && o.by.origin >= hint {
			continue
		}
		if best == nil || !o.key.less(best.key) {
			best = o
		}
	}
	return best
}

var unset = &property.Value{Wide: property.Unset}

// compute gives the value of c with var() filled in; a value that then turns
// out to be invalid is "unset".
func (s *style) compute(id property.ID, c *cand) *property.Value {
	if c == nil || c.d.Value != nil {
		if c == nil {
			return nil
		}
		return c.d.Value
	}
	text, ok := s.vars.substitute(c.d.Pending.Text)
	if !ok {
		return unset
	}
	v, ok := c.d.Pending.Parse(text, id)
	if !ok {
		return unset
	}
	return v
}

// weigh makes bolder and lighter numbers.
func (s *style) weigh() {
	v := s.val[property.FontWeight]
	if v == nil || v.Number >= 1 {
		return
	}
	was := s.parent.weight()
	var now float64
	if v.Number == 0 {
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
	s.val[property.FontWeight] = &property.Value{Number: now}
}

func (s *style) weight() float64 {
	if s == nil || s.val[property.FontWeight] == nil || s.val[property.FontWeight].Number < 1 {
		return 400
	}
	return s.val[property.FontWeight].Number
}

// word is the first keyword of a property, initial where it is not set.
func (s *style) word(id property.ID, initial string) string {
	if v := s.val[id]; v != nil && len(v.Keywords) > 0 {
		return v.Keywords[0]
	}
	return initial
}

// satisfies says whether the nearest query container of what s is the parent's
// style of satisfies r. The container is taken to be as wide and high as the
// viewport.
func (s *style) satisfies(r *stylesheet.Rule, v media.Viewport) bool {
	prelude := r.Prelude
	name := ""
	if ns, ok := syntax.Values(prelude); ok && len(ns) > 0 && ns[0].Kind == syntax.Ident && !ns[0].IsIdent("not") {
		name = ns[0].Text
		prelude = strings.TrimSpace(prelude[ns[0].End:])
	}
	for ; s != nil; s = s.parent {
		if name != "" && !contains(s.val[property.ContainerName], name) {
			continue
		}
		if kind := s.word(property.ContainerType, "normal"); kind != "normal" || prelude == "" {
			return media.Match(prelude, v)
		}
	}
	return false
}

func contains(v *property.Value, word string) bool {
	if v != nil {
		for _, w := range v.Keywords {
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
