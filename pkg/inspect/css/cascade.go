package css

import (
	"slices"
	"strconv"
	"strings"

	"libra/pkg/inspect/css/property"

	"libra/pkg/inspect/css/font"
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/selector"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/css/syntax"
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

// origin says who wrote a rule.
type origin uint8

const (
	userAgent origin = iota
	hint             // a presentation attribute
	author
	inline
)

// applied is a style rule that is in force, or an inline style.
type applied struct {
	rule       *stylesheet.Rule
	sheet      string
	origin     origin
	layer      *layer
	order      int
	containers []*stylesheet.Rule // the @container rules around it
	starting   bool               // inside @starting-style
	scope      int                // the shadow tree it is for, 0 for none

	matched   bool   // some element matched
	shown     bool   // some rendered element matched
	lostTo    string // what overrode its images
	noContent bool   // a pseudo-element matched that has no content
}

// key orders declarations: the larger wins.
type key struct{ hi, lo uint64 }

func (k key) less(o key) bool { return k.hi < o.hi || k.hi == o.hi && k.lo < o.lo }

func (a *applied) key(spec selector.Specificity, important bool) key {
	const layers = 1 << 24
	rank, lay := uint64(a.origin), uint64(0)
	if a.layer != nil {
		lay = uint64(a.layer.rank)
	}
	if important {
		// importance turns the order of origins and layers round, but style
		// attributes stay above the sheets
		switch a.origin {
		case inline:
			rank = 6
		case userAgent:
			rank = 7
		default:
			rank = 5
		}
		lay = layers - 1 - lay
	}
	return key{rank<<32 | lay, uint64(spec)<<32 | uint64(a.order)}
}

// cascade is every rule of a page that is in force.
type cascade struct {
	viewport   media.Viewport
	imported   map[string]*stylesheet.Sheet // by Import.URL
	root       layer
	rules      []*applied
	faces      []*font.Face
	keyframes  map[string]*keyframes
	registered map[string]registration
	idle       []idleRules // what is not in force
	depth      []string
	sized      bool // rules that only set sizes count too
	free       []*style
}

// idleRules are rules that are not in force.
type idleRules struct {
	sheet string
	rules []*stylesheet.Rule
	why   stylesheet.Barrier // zero where the rules say it themselves
}

// keyframes is an animation and where it stands.
type keyframes struct {
	rule  *stylesheet.Rule
	sheet string
	layer *layer
	used  bool
}

// frame is the context of a rule on the way down.
type frame struct {
	sheet      string
	layer      *layer
	containers []*stylesheet.Rule
	starting   bool
	origin     origin
	scope      int
}

func newCascade(v media.Viewport, imported map[string]*stylesheet.Sheet, sized bool) *cascade {
	return &cascade{viewport: v, imported: imported, sized: sized, keyframes: map[string]*keyframes{}, registered: map[string]registration{}}
}

// author adds a sheet of the page, with the media attribute and the shadow tree
// that it is for.
func (c *cascade) author(s *stylesheet.Sheet, query string, scope int) {
	if !media.Match(query, c.viewport) {
		c.idleSheet(s, stylesheet.Conditional("only for media "+syntax.Brief(query)))
		return
	}
	c.sheet(s, frame{layer: &c.root, origin: author, scope: scope})
}

// agent adds a sheet of the browser's own.
func (c *cascade) agent(s *stylesheet.Sheet) { c.sheet(s, frame{layer: &c.root, origin: userAgent}) }

// rank orders the layers of the sheets that were added.
func (c *cascade) rank() { c.root.number(1) }

// sheet adds a sheet, what it imports first.
func (c *cascade) sheet(s *stylesheet.Sheet, f frame) {
	const deepest = 32 // import chains, cycles included
	if len(c.depth) == deepest {
		return
	}
	imports := s.Imports(c.viewport)
	if len(imports) > 0 && slices.Contains(c.depth, s.Base) {
		return
	}
	c.depth = append(c.depth, s.Base)
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

func (c *cascade) add(rules []*stylesheet.Rule, f frame, s *stylesheet.Sheet) {
	for _, r := range rules {
		if bar := (stylesheet.Barrier{}).Enter(r, c.viewport); bar.Reason != "" && r.Kind != stylesheet.StartingStyleRule && r.Kind != stylesheet.PropertyRule {
			c.idle = append(c.idle, idleRules{s.Base, []*stylesheet.Rule{r}, stylesheet.Barrier{}})
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
				c.idle = append(c.idle, idleRules{s.Base, []*stylesheet.Rule{r}, stylesheet.Unused("a font of a shadow tree, which Chromium does not load")})
				continue
			}
			if face, ok := font.ParseFace(r.Descriptors, f.sheet); ok {
				c.faces = append(c.faces, face)
			}
			continue
		case stylesheet.KeyframesRule:
			name := scoped(r.Prelude, f.scope)
			if old := c.keyframes[name]; old == nil || old.layer == f.layer || old.layer.parent != nil {
				c.keyframes[name] = &keyframes{rule: r, sheet: f.sheet, layer: f.layer}
			}
			continue
		case stylesheet.PropertyRule:
			c.register(r)
			continue
		case stylesheet.StyleRule:
			if len(r.Declarations) > 0 || c.sized && r.Body != "" {
				c.rules = append(c.rules, &applied{
					rule: r, sheet: f.sheet, origin: f.origin, layer: f.layer, order: len(c.rules),
					containers: f.containers, starting: f.starting, scope: f.scope,
				})
			}
		}
		c.add(r.Rules, in, s)
	}
}

// idleSheet notes a sheet that does not apply.
func (c *cascade) idleSheet(s *stylesheet.Sheet, why stylesheet.Barrier) {
	c.idle = append(c.idle, idleRules{s.Base, s.Rules, why})
}

// register reads @property.
func (c *cascade) register(r *stylesheet.Rule) {
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

// scoped is the key of a name that belongs to a shadow tree.
func scoped(name string, scope int) string {
	if scope == 0 {
		return name
	}
	return name + "\x00" + strconv.Itoa(scope)
}

// index is an index of the rules in force, by their places.
func (c *cascade) index(quirks bool) *selector.Index {
	x := selector.NewIndex(quirks)
	for i, a := range c.rules {
		x.Add(a.rule.Selectors, i)
	}
	return x
}

// animates says whether an animation of the page names an address.
func (c *cascade) animates() bool {
	for _, k := range c.keyframes {
		for _, f := range k.rule.Rules {
			if property.MayRequest(f.Declarations, false) {
				return true
			}
		}
	}
	return false
}

// candidate is d as it applies to what a selector with spec matched.
func (a *applied) candidate(d *property.Declaration, spec selector.Specificity) cand {
	return cand{d, a, a.key(spec, d.Important)}
}
