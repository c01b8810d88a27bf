// Package selector says which elements of a document a selector matches, as
// Selectors Level 4 does and Chromium implements it, in the state of a page
// that has just loaded: nothing is hovered, focused, visited or scrolled.
//
// [Elements] makes a document ready, [Parse] reads a rule's selectors, an
// [Index] finds the rules that may match an element and a [Matcher] decides.
// Matching stops after a fixed number of steps for one page ([Matcher.Exhausted]).
// Of shadow trees :host, ::slotted() and ::part() are not known.
package selector

import (
	"slices"
	"strings"

	"libra/pkg/inspect/css/syntax"
)

// Specificity packs (ids, classes, types), ten bits each.
type Specificity uint32

const (
	oneID    Specificity = 1 << 20
	oneClass Specificity = 1 << 10
	oneType  Specificity = 1
)

// Selector is one complex selector.
type Selector struct {
	parts         []compound // the subject first, then leftwards
	PseudoElement string     // the pseudo-element it styles, without colons, "" for none
	Specificity   Specificity
	State         string // a state no page has while it loads (":hover"), "" for none
}

// compound is a run of simple selectors without combinators.
type compound struct {
	comb    byte   // to the compound on its left: ' ', '>', '+', '~'; 0 for the leftmost
	tag     string // lower case; "" for any
	ns      string // "" for any, else html, svg or math
	ids     []string
	classes []string
	attrs   []attrTest
	pseudos []pseudoTest
}

// attrTest is an attribute selector.
type attrTest struct {
	name  string
	op    byte // 0 for presence, '=' or the character before it
	value string
	fold  bool // ignore case
}

// pseudoTest is a pseudo-class with its arguments.
type pseudoTest struct {
	name   string
	sels   []*Selector // of is, where, not, has, nth-child's "of", in-scope's roots
	limits []*Selector // of in-scope
	a, b   int         // of An+B
	args   []string    // of lang, dir
}

// selectorParser knows what "&", ":scope" and prefixes stand for.
type selectorParser struct {
	parent     []*Selector
	scope      []*Selector
	namespaces map[string]string
	src        string
	inNot      bool
}

// InScope is a selector that matches inside an @scope.
func InScope(roots, limits []*Selector) *Selector {
	return &Selector{parts: []compound{{pseudos: []pseudoTest{{name: "-in-scope", sels: roots, limits: limits}}}}}
}

// list parses a selector list. It is all or nothing, as in browsers, unless
// forgiving.
func (p *selectorParser) list(ns []syntax.Value, relative, forgiving bool) ([]*Selector, bool) {
	var sels []*Selector
	for _, part := range syntax.Split(ns, syntax.IsComma) {
		s, ok := p.complex(part, relative)
		switch {
		case ok:
			sels = append(sels, s)
		case !forgiving:
			return nil, false
		}
	}
	return sels, true
}

// Parse parses a rule's prelude. parent is what "&" represents, nil
// outside style rules; scope the innermost @scope.
func Parse(text string, parent, scope []*Selector, namespaces map[string]string) ([]*Selector, bool) {
	ns, ok := syntax.Values(text)
	if !ok || len(ns) == 0 {
		return nil, false
	}
	p := selectorParser{parent: parent, scope: scope, namespaces: namespaces, src: text}
	sels, ok := p.list(ns, parent != nil || scope != nil, false)
	if !ok {
		return nil, false
	}
	for _, s := range sels {
		if scope != nil && parent == nil {
			s.parts[0].pseudos = append(s.parts[0].pseudos, scope[0].parts[0].pseudos...)
		}
	}
	return sels, true
}

// complex parses compounds and combinators. With relative it may begin with
// a combinator, and is tied to "&" or :scope.
func (p *selectorParser) complex(ns []syntax.Value, relative bool) (*Selector, bool) {
	if len(ns) == 0 {
		return nil, false
	}
	s := &Selector{}
	var left []compound // in reading order; comb is to the one before
	comb := byte(0)
	hasAmp := false
	if c := combinator(ns[0]); c != 0 {
		if !relative {
			return nil, false
		}
		comb, ns = c, syntax.Trim(ns[1:])
	}
	leading := comb
	for i := 0; i < len(ns); {
		end := i
		for end < len(ns) && ns[end].Kind != syntax.Whitespace && combinator(ns[end]) == 0 {
			end++
		}
		if end == i || s.PseudoElement != "" {
			return nil, false
		}
		c := compound{comb: comb}
		amp, ok := p.compound(ns[i:end], &c, s)
		if !ok {
			return nil, false
		}
		hasAmp = hasAmp || amp
		left = append(left, c)
		comb = 0
		for i = end; i < len(ns); i++ {
			if ns[i].Kind == syntax.Whitespace {
				if comb == 0 {
					comb = ' '
				}
				continue
			}
			k := combinator(ns[i])
			if k == 0 {
				break
			}
			if comb != 0 && comb != ' ' {
				return nil, false
			}
			comb = k
		}
	}
	if len(left) == 0 || comb != 0 {
		return nil, false
	}
	p.tie(s, &left, leading, hasAmp, relative)
	slices.Reverse(left)
	s.parts = left
	return s, true
}

// tie puts what a nested selector is relative to in front of it.
func (p *selectorParser) tie(s *Selector, left *[]compound, leading byte, hasAmp, relative bool) {
	if !relative || hasAmp && leading == 0 {
		return
	}
	switch {
	case p.parent != nil:
		s.Specificity += maxSpec(p.parent)
		if leading == 0 {
			leading = ' '
		}
		(*left)[0].comb = leading
		*left = slices.Insert(*left, 0, compound{pseudos: []pseudoTest{{name: "is", sels: p.parent}}})
	case leading != 0 && p.scope != nil:
		(*left)[0].comb = leading
		*left = slices.Insert(*left, 0, compound{pseudos: []pseudoTest{p.scopeRoot()}})
	default: // of :has(): relative to the element that is asked
		if leading == 0 {
			leading = ' '
		}
		(*left)[0].comb = leading
	}
}

func (p *selectorParser) scopeRoot() pseudoTest {
	if p.scope == nil {
		return pseudoTest{name: "root"}
	}
	return pseudoTest{name: "is", sels: p.scope[0].parts[0].pseudos[0].sels}
}

func combinator(n syntax.Value) byte {
	if n.IsDelim('>') || n.IsDelim('+') || n.IsDelim('~') {
		return n.Text[0]
	}
	return 0
}

func maxSpec(sels []*Selector) Specificity {
	var m Specificity
	for _, s := range sels {
		m = max(m, s.Specificity)
	}
	return m
}

// compound parses simple selectors that stand together.
func (p *selectorParser) compound(ns []syntax.Value, c *compound, s *Selector) (amp, ok bool) {
	for i := 0; i < len(ns); i++ {
		n := ns[i]
		if s.PseudoElement != "" && n.Kind != syntax.Colon {
			return amp, false
		}
		switch {
		case n.Kind == syntax.Ident || n.IsDelim('*') || n.IsDelim('|'):
			used, ok := p.typeSelector(ns[i:], i == 0, c, s)
			if !ok {
				return amp, false
			}
			i += used - 1
		case n.IsDelim('&'):
			amp = true
			if p.parent != nil {
				c.pseudos = append(c.pseudos, pseudoTest{name: "is", sels: p.parent})
				s.Specificity += maxSpec(p.parent)
			} else {
				c.pseudos = append(c.pseudos, p.scopeRoot())
			}
		case n.Kind == syntax.Hash:
			if n.Num == 0 {
				return amp, false // "#1" is a colour at best
			}
			c.ids = append(c.ids, n.Text)
			s.Specificity += oneID
		case n.IsDelim('.') && i+1 < len(ns) && ns[i+1].Kind == syntax.Ident:
			i++
			c.classes = append(c.classes, ns[i].Text)
			s.Specificity += oneClass
		case n.Kind == syntax.OpenBracket:
			a, ok := attribute(n)
			if !ok {
				return amp, false
			}
			c.attrs = append(c.attrs, a)
			s.Specificity += oneClass
		case n.Kind == syntax.Colon:
			used, ok := p.pseudo(ns[i:], c, s)
			if !ok {
				return amp, false
			}
			i += used - 1
		default:
			return amp, false
		}
	}
	return amp, true
}

// typeSelector parses tag, *, ns|tag, *|* and |tag; used counts its tokens.
func (p *selectorParser) typeSelector(ns []syntax.Value, first bool, c *compound, s *Selector) (used int, ok bool) {
	if !first {
		return 0, false
	}
	prefix, hasPrefix := "", false
	i := 0
	if !ns[0].IsDelim('|') {
		prefix, i = ns[0].Text, 1
	}
	if i < len(ns) && ns[i].IsDelim('|') && (i+1 < len(ns) && (ns[i+1].Kind == syntax.Ident || ns[i+1].IsDelim('*'))) {
		hasPrefix = true
		i++
	} else {
		i = 0
	}
	switch {
	case !hasPrefix:
		c.ns = p.namespaces[""]
	case prefix == "*" || prefix == "":
	default:
		if c.ns, ok = p.namespaces[prefix]; !ok {
			return 0, false
		}
	}
	if ns[i].Kind == syntax.Ident {
		c.tag = strings.ToLower(ns[i].Text)
		s.Specificity += oneType
	} else if !ns[i].IsDelim('*') {
		return 0, false
	}
	return i + 1, true
}

// foldedAttrs are the attributes whose values HTML compares without case.
var foldedAttrs = syntax.Keywords(`accept accept-charset align alink axis bgcolor charset checked clear codetype
	color compact declare defer dir direction disabled enctype face frame hreflang http-equiv lang language
	link media method multiple nohref noresize noshade nowrap readonly rel rev rules scope scrolling selected
	shape target text type valign valuetype vlink`)

func attribute(n syntax.Value) (a attrTest, ok bool) {
	w := syntax.Fields(n.Args)
	if len(w) > 2 && w[1].IsDelim('|') && w[2].Kind == syntax.Ident {
		w = w[2:] // a namespace: HTML attributes have none
	} else if len(w) > 1 && w[0].IsDelim('|') {
		w = w[1:]
	}
	if len(w) == 0 || w[0].Kind != syntax.Ident {
		return a, false
	}
	a.name = strings.ToLower(w[0].Text)
	a.fold = foldedAttrs[a.name]
	if w = w[1:]; len(w) == 0 {
		return a, true
	}
	if w[0].Kind != syntax.Delim || !strings.Contains("=~|^$*", w[0].Text) {
		return a, false
	}
	a.op = w[0].Text[0]
	if a.op != '=' {
		if len(w) < 2 || !w[1].IsDelim('=') || w[1].Start != w[0].End {
			return a, false
		}
		w = w[1:]
	}
	if w = w[1:]; len(w) == 0 || w[0].Kind != syntax.Ident && w[0].Kind != syntax.String {
		return a, false
	}
	a.value = w[0].Text
	if len(w) == 2 && (w[1].IsIdent("i") || w[1].IsIdent("s")) {
		a.fold = w[1].IsIdent("i")
		w = w[:1]
	}
	return a, len(w) == 1
}

// Supports says whether Chromium's selector() holds for text.
func Supports(text string) bool {
	sels, ok := Parse(text, nil, nil, nil)
	return ok && len(sels) == 1 && (!strings.HasPrefix(sels[0].PseudoElement, "-webkit-") || webkitPseudos[sels[0].PseudoElement])
}
