// Package cascade says which declaration wins on an element (CSS Cascading and
// Inheritance Level 5) and computes the values that decide what is requested.
//
// A [Cascade] is filled with the sheets of a page, in order, and then lists the
// style rules that are in force, and what is not ([Cascade.Idle]) with the
// reason. The caller matches selectors; [Cascade.StyleOf] computes a [Style]
// from the declarations that apply, and [Variables] fills in var(), env() and
// if(). A query container counts as being as large as the viewport. A Cascade
// belongs to one goroutine.
package cascade

import (
	"slices"
	"strconv"
	"strings"

	"libra/pkg/inspect/css/font"
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/selector"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/css/syntax"
	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
)

// layer is a cascade layer; the root is what belongs to none.
type layer struct {
	parent   *layer
	children []*layer
	byName   map[string]*layer
	rank     int // later beats earlier for normal declarations
}

// sub gives the layer with a dotted name below l, "" for a new anonymous one.
func (l *layer) sub(name string) *layer {
	if name == "" {
		c := &layer{parent: l}
		l.children = append(l.children, c)
		return c
	}
	for part := range strings.SplitSeq(name, ".") {
		part = strings.TrimSpace(part)
		c := l.byName[part]
		if c == nil {
			c = l.sub("")
			if l.byName == nil {
				l.byName = map[string]*layer{}
			}
			l.byName[part] = c
		}
		l = c
	}
	return l
}

// number ranks l's children, then l itself: what is in no sublayer wins.
func (l *layer) number(next int) int {
	for _, c := range l.children {
		next = c.number(next)
	}
	l.rank = next
	return next + 1
}

// Origin says who wrote a rule.
type Origin uint8

// The origins, the weakest first.
const (
	UserAgent Origin = iota
	Hint             // a presentation attribute
	Author
	Inline
)

// Rule is a style rule that is in force, or an inline style.
type Rule struct {
	Source     *stylesheet.Rule
	Sheet      markup.Base // what its addresses resolve against
	Origin     Origin
	layer      *layer
	order      int
	Containers []*stylesheet.Rule // the @container rules around it
	Starting   bool               // inside @starting-style
	Scope      int                // the shadow tree it is for, 0 for none

	Matched   bool   // some element matched
	Shown     bool   // some rendered element matched
	LostTo    string // what overrode its images
	NoContent bool   // a pseudo-element matched that has no content
}

// Key orders declarations: the larger wins.
type Key struct{ hi, lo uint64 }

// Less says whether o beats k.
func (k Key) Less(o Key) bool { return k.hi < o.hi || k.hi == o.hi && k.lo < o.lo }

// Key is the order of a declaration of a that a selector with spec brings. It
// is never zero.
func (a *Rule) Key(spec selector.Specificity, important bool) Key {
	const layers = 1 << 24
	rank, lay := uint64(a.Origin), uint64(0)
	if a.layer != nil {
		lay = uint64(a.layer.rank)
	}
	if important {
		// importance turns the order of origins and layers round, but style
		// attributes stay above the sheets
		switch a.Origin {
		case Inline:
			rank = 6
		case UserAgent:
			rank = 7
		default:
			rank = 5
		}
		lay = layers - 1 - lay
	}
	return Key{(rank+1)<<32 | lay, uint64(spec)<<32 | uint64(a.order)}
}

// Cascade is every rule of a page that is in force.
type Cascade struct {
	Rules      []*Rule // style rules, in order
	Faces      []*font.Face
	Keyframes  map[string]*Keyframes // by ScopedName
	Idle       []Idle                // what is not in force
	viewport   media.Viewport
	imported   map[string]*stylesheet.Sheet // by Import.URL
	root       layer
	registered map[string]registration
	depth      []string
	sized      bool // rules that only set sizes count too
	free       []*Style
}

// Idle are rules that are not in force.
type Idle struct {
	Sheet markup.Base
	Rules []*stylesheet.Rule
	Why   stylesheet.Barrier // zero where the rules say it themselves
}

// Keyframes is an animation and where it stands.
type Keyframes struct {
	Rule  *stylesheet.Rule
	Sheet markup.Base
	layer *layer
	Used  bool
}

// frame is the context of a rule on the way down.
type frame struct {
	sheet      markup.Base
	layer      *layer
	containers []*stylesheet.Rule
	starting   bool
	origin     Origin
	scope      int
}

// New returns an empty Cascade. imported holds the sheets that @import loaded, by
// Import.URL; with sized, rules count too that say only where boxes stand.
func New(v media.Viewport, imported map[string]*stylesheet.Sheet, sized bool) *Cascade {
	return &Cascade{viewport: v, imported: imported, sized: sized, Keyframes: map[string]*Keyframes{}, registered: map[string]registration{}}
}

// AddAuthor adds a sheet of the page, with the media attribute and the shadow tree
// that it is for.
func (c *Cascade) AddAuthor(s *stylesheet.Sheet, query string, scope int) {
	if !media.Match(query, c.viewport) {
		c.idleSheet(s, stylesheet.Conditional("only for media "+syntax.Brief(query)))
		return
	}
	c.sheet(s, frame{layer: &c.root, origin: Author, scope: scope})
}

// AddUserAgent adds a sheet of the browser's own.
func (c *Cascade) AddUserAgent(s *stylesheet.Sheet) {
	c.sheet(s, frame{layer: &c.root, origin: UserAgent})
}

// RankLayers orders the layers of the sheets that were added.
func (c *Cascade) RankLayers() { c.root.number(1) }

// sheet adds a sheet, what it imports first.
func (c *Cascade) sheet(s *stylesheet.Sheet, f frame) {
	const deepest = 32 // import chains, cycles included
	if len(c.depth) == deepest {
		return
	}
	imports := s.Imports(c.viewport)
	if len(imports) > 0 && slices.Contains(c.depth, s.Base.URL) {
		return
	}
	c.depth = append(c.depth, s.Base.URL)
	defer func() { c.depth = c.depth[:len(c.depth)-1] }()
	f.sheet = s.Base
	for _, i := range imports {
		sub := c.imported[i.URL]
		if sub == nil || i.Fetch != libra.Fetched {
			continue
		}
		if !media.Match(i.Media, c.viewport) {
			c.idleSheet(sub, stylesheet.Conditional("only for @media "+syntax.Brief(i.Media)))
			continue
		}
		in := f
		if i.Layered {
			in.layer = f.layer.sub(i.Layer)
		}
		c.sheet(sub, in)
	}
	c.add(s.Rules, f, s)
}

func (c *Cascade) add(rules []*stylesheet.Rule, f frame, s *stylesheet.Sheet) {
	for _, r := range rules {
		if bar := (stylesheet.Barrier{}).Enter(r, c.viewport); bar.Reason != "" && r.Kind != stylesheet.StartingStyleRule && r.Kind != stylesheet.PropertyRule {
			c.Idle = append(c.Idle, Idle{s.Base, []*stylesheet.Rule{r}, stylesheet.Barrier{}})
			continue
		}
		in := f
		switch r.Kind {
		case stylesheet.LayerStatement:
			for name := range strings.SplitSeq(r.Prelude, ",") {
				f.layer.sub(strings.TrimSpace(name))
			}
			continue
		case stylesheet.LayerBlock:
			in.layer = f.layer.sub(r.Prelude)
		case stylesheet.ContainerRule:
			in.containers = append(in.containers[:len(in.containers):len(in.containers)], r)
		case stylesheet.StartingStyleRule:
			in.starting = true
		case stylesheet.FontFaceRule:
			if f.scope > 0 { // measured
				c.Idle = append(c.Idle, Idle{s.Base, []*stylesheet.Rule{r}, stylesheet.Unused("a font of a shadow tree, which Chromium does not load")})
				continue
			}
			if face, ok := font.ParseFace(r.Descriptors, s.Base); ok {
				c.Faces = append(c.Faces, face)
			}
			continue
		case stylesheet.KeyframesRule:
			name := ScopedName(r.Prelude, f.scope)
			if old := c.Keyframes[name]; old == nil || old.layer == f.layer || old.layer.parent != nil {
				c.Keyframes[name] = &Keyframes{Rule: r, Sheet: f.sheet, layer: f.layer}
			}
			continue
		case stylesheet.PropertyRule:
			c.register(r)
			continue
		case stylesheet.StyleRule:
			if len(r.Declarations) > 0 || c.sized && r.Body != "" {
				c.Rules = append(c.Rules, &Rule{
					Source: r, Sheet: f.sheet, Origin: f.origin, layer: f.layer, order: len(c.Rules),
					Containers: f.containers, Starting: f.starting, Scope: f.scope,
				})
			}
		}
		c.add(r.Rules, in, s)
	}
}

// idleSheet notes a sheet that does not apply.
func (c *Cascade) idleSheet(s *stylesheet.Sheet, why stylesheet.Barrier) {
	c.Idle = append(c.Idle, Idle{s.Base, s.Rules, why})
}

// register reads @property.
func (c *Cascade) register(r *stylesheet.Rule) {
	var reg registration
	for _, d := range r.Descriptors {
		switch d.Name {
		case "syntax":
			reg.image = strings.Trim(d.Value, `"'`) == "<image>" || strings.Trim(d.Value, `"'`) == "<url>"
		case "inherits":
			reg.inherits = strings.EqualFold(d.Value, "true")
		case "initial-value":
			reg.initial, reg.hasInitial = d.Value, true
		}
	}
	c.registered[r.Prelude] = reg
}

// ScopedName is the key of a name that belongs to a shadow tree.
func ScopedName(name string, scope int) string {
	if scope == 0 {
		return name
	}
	return name + "\x00" + strconv.Itoa(scope)
}

// NewIndex is an index of the rules in force, by their places.
func (c *Cascade) NewIndex(quirks bool) *selector.Index {
	x := selector.NewIndex(quirks)
	for i, a := range c.Rules {
		x.Add(a.Source.Selectors, i)
	}
	return x
}

// Animates says whether an animation of the page names an address.
func (c *Cascade) Animates() bool {
	for _, k := range c.Keyframes {
		for _, f := range k.Rule.Rules {
			if property.MayRequest(f.Declarations, false) {
				return true
			}
		}
	}
	return false
}

// Candidate is d as it applies to what a selector with spec matched.
func (a *Rule) Candidate(d *property.Declaration, spec selector.Specificity) Candidate {
	return Candidate{d, a, a.Key(spec, d.Important)}
}

// ContainersHold says whether the @container rules around a match a container that
// is as large as the viewport.
func (a *Rule) ContainersHold(v media.Viewport) bool {
	return !slices.ContainsFunc(a.Containers, func(r *stylesheet.Rule) bool {
		_, query := r.ContainerQuery()
		return !media.Match(query, v)
	})
}
