package cascade

import (
	"slices"

	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/stylesheet"
)

// Candidate is a declaration that applies to an element.
type Candidate struct {
	Declaration *property.Declaration
	Rule        *Rule
	Key         Key
}

// Style is the computed style of an element or pseudo-element, as far as it
// decides what is requested.
type Style struct {
	Parent   *Style
	Values   [property.Count]*property.Value // nil is the initial value
	From     [property.Count]*Candidate      // who set it, here or on the ancestor it is from
	vars     *Variables
	Declared [property.Count]bool // some declaration was made here
}

// StyleOf computes a style from the declarations in cands.
func (c *Cascade) StyleOf(cands []Candidate, parent *Style) *Style {
	s := c.newStyle(parent)
	var win [property.Count]*Candidate
	var own map[string]*Candidate
	for i := range cands {
		d := &cands[i]
		if d.Declaration.ID == property.Custom {
			own = stronger(own, d)
			continue
		}
		if w := win[d.Declaration.ID]; w == nil || !d.Key.Less(w.Key) {
			win[d.Declaration.ID] = d
		}
	}
	if parent != nil {
		s.vars = parent.vars
	}
	if own != nil || s.vars == nil || len(c.registered) > 0 {
		s.vars = c.NewVariables(s.vars, own)
	}
	for id := property.Display; id < property.Count; id++ {
		if win[id] != nil {
			s.Declared[id] = true
		}
		s.set(id, win[id], cands, 0)
	}
	s.resolveWeight()
	return s
}

// set computes one property from its winning declaration.
func (s *Style) set(id property.ID, c *Candidate, cands []Candidate, depth int) {
	v := s.Compute(id, c)
	w := property.NotWide
	if v != nil {
		w = v.Wide
	}
	if c == nil {
		w = property.Unset
	}
	switch w {
	case property.NotWide:
		s.Values[id], s.From[id] = v, c
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
	if s.Parent != nil {
		s.Values[id], s.From[id] = s.Parent.Values[id], s.Parent.From[id]
	}
}

// next is the strongest declaration below the layer or origin of c.
func next(id property.ID, c *Candidate, cands []Candidate, w property.Wide) *Candidate {
	var best *Candidate
	for i := range cands {
		o := &cands[i]
		if o.Declaration.ID != id || o.Key.hi >= c.Key.hi {
			continue
		}
		if w == property.Revert && o.Rule.Origin >= Hint {
			continue
		}
		if best == nil || !o.Key.Less(best.Key) {
			best = o
		}
	}
	return best
}

var unset = &property.Value{Wide: property.Unset}

// Compute gives the value of c with var() filled in; a value that then turns
// out to be invalid is "unset".
func (s *Style) Compute(id property.ID, c *Candidate) *property.Value {
	switch {
	case c == nil:
		return nil
	case c.Declaration.Value != nil:
		return c.Declaration.Value
	}
	if text, ok := s.vars.Substitute(c.Declaration.Pending.Text); ok {
		if v, ok := c.Declaration.Pending.Parse(text, id); ok {
			return v
		}
	}
	return unset
}

// resolveWeight makes bolder and lighter numbers.
func (s *Style) resolveWeight() {
	v := s.Values[property.FontWeight]
	if v == nil || v.Number >= 1 {
		return
	}
	was := s.Parent.Weight()
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
	s.Values[property.FontWeight] = &property.Value{Number: now}
}

// Weight is the font weight as a number.
func (s *Style) Weight() float64 {
	if s == nil || s.Values[property.FontWeight] == nil || s.Values[property.FontWeight].Number < 1 {
		return 400
	}
	return s.Values[property.FontWeight].Number
}

// Keyword is the first keyword of a property, initial where it is not set.
func (s *Style) Keyword(id property.ID, initial string) string {
	if v := s.Values[id]; v != nil && len(v.Keywords) > 0 {
		return v.Keywords[0]
	}
	return initial
}

// Satisfies says whether the nearest query container of what s is the parent's
// style of satisfies r. The container is taken to be as wide and high as the
// viewport.
func (s *Style) Satisfies(r *stylesheet.Rule, v media.Viewport) bool {
	name, query := r.ContainerQuery()
	for ; s != nil; s = s.Parent {
		if v := s.Values[property.ContainerName]; name != "" && (v == nil || !slices.Contains(v.Keywords, name)) {
			continue
		}
		if kind := s.Keyword(property.ContainerType, "normal"); kind != "normal" || query == "" {
			return media.Match(query, v)
		}
	}
	return false
}

// newStyle is a style of parent's child, unset.
func (c *Cascade) newStyle(parent *Style) *Style {
	if k := len(c.free) - 1; k >= 0 {
		s := c.free[k]
		c.free = c.free[:k]
		s.Parent = parent
		return s
	}
	return &Style{Parent: parent}
}

// Recycle takes back a style that nothing uses any more, if s is not nil.
func (c *Cascade) Recycle(s *Style) {
	if s != nil {
		*s = Style{}
		c.free = append(c.free, s)
	}
}
