package selector

import (
	"strconv"
	"strings"

	"libra/pkg/inspect/css/syntax"
)

var (
	// dynamicStates are pseudo-classes that match only after a user acted.
	dynamicStates = syntax.Keywords(`hover active focus focus-visible focus-within visited target target-current target-before
		target-after fullscreen -webkit-full-screen modal popover-open picture-in-picture autofill
		-webkit-autofill user-valid user-invalid -webkit-drag
		interest-source interest-target current past future active-view-transition
		-internal-media-controls-overlay-cast-button xr-overlay full-screen-ancestor -webkit-full-page-media
		-webkit-full-screen-ancestor -webkit-full-screen-document window-inactive corner-present
		decrement increment horizontal vertical double-button single-button no-button start end`)
	// staticStates are pseudo-classes that markup decides.
	staticStates = syntax.Keywords(`root empty first-child last-child only-child first-of-type last-of-type only-of-type scope
		any-link link -webkit-any-link enabled disabled checked required optional read-only read-write
		placeholder-shown default indeterminate open defined in-range out-of-range valid invalid host`)
	// elementPseudos are the pseudo-elements Chromium knows; any other that
	// begins with -webkit- is valid too and matches nothing.
	elementPseudos = syntax.Keywords(`before after marker first-line first-letter placeholder selection backdrop
		file-selector-button cue details-content target-text spelling-error grammar-error search-text
		view-transition scroll-marker scroll-marker-group column checkmark picker-icon interest-hint`)
	// webkitPseudos are those of -webkit- that selector() says are supported.
	webkitPseudos = syntax.Keywords(`-webkit-calendar-picker-indicator -webkit-clear-button -webkit-color-swatch
		-webkit-color-swatch-wrapper -webkit-date-and-time-value -webkit-datetime-edit -webkit-details-marker
		-webkit-file-upload-button -webkit-inner-spin-button -webkit-input-placeholder -webkit-media-controls
		-webkit-media-controls-panel -webkit-meter-bar -webkit-meter-inner-element -webkit-meter-optimum-value
		-webkit-outer-spin-button -webkit-progress-bar -webkit-progress-inner-element -webkit-progress-value
		-webkit-resizer -webkit-scrollbar -webkit-scrollbar-button -webkit-scrollbar-corner -webkit-scrollbar-thumb
		-webkit-scrollbar-track -webkit-scrollbar-track-piece -webkit-search-cancel-button
		-webkit-search-decoration -webkit-search-results-button -webkit-slider-container
		-webkit-slider-runnable-track -webkit-slider-thumb -webkit-textfield-decoration-container`)
	elementFuncs = syntax.Keywords(`part slotted highlight cue picker scroll-button view-transition-group
		view-transition-image-pair view-transition-old view-transition-new view-transition-group-children`)
)

// pseudo parses a pseudo-class or pseudo-element; used counts its tokens.
func (p *selectorParser) pseudo(ns []syntax.Value, c *compound, s *Selector) (used int, ok bool) {
	if len(ns) > 2 && ns[1].Kind == syntax.Colon {
		return 3, p.pseudoElement(ns[2], s)
	}
	if len(ns) < 2 {
		return 0, false
	}
	n := ns[1]
	name := strings.ToLower(n.Text)
	if n.Kind == syntax.Ident {
		switch name {
		case "before", "after", "first-line", "first-letter":
			return 2, p.pseudoElement(n, s)
		}
		switch {
		case dynamicStates[name]:
			if s.State == "" && !p.inNot {
				s.State = ":" + name
			}
		case !staticStates[name]:
			return 0, false
		}
		s.Specificity += oneClass
		t := pseudoTest{name: name}
		if name == "scope" {
			t = p.scopeRoot()
		}
		if s.PseudoElement == "" || !dynamicStates[name] { // ::-webkit-scrollbar-thumb:hover is never drawn hovered
			c.pseudos = append(c.pseudos, t)
		} else {
			c.pseudos = append(c.pseudos, pseudoTest{name: name})
		}
		return 2, true
	}
	if n.Kind != syntax.Function || s.PseudoElement != "" {
		return 0, false
	}
	t, spec, ok := p.functional(name, n, s)
	s.Specificity += spec
	c.pseudos = append(c.pseudos, t)
	return 2, ok
}

func (p *selectorParser) pseudoElement(n syntax.Value, s *Selector) bool {
	name := strings.ToLower(n.Text)
	switch {
	case n.Kind == syntax.Ident && (elementPseudos[name] || strings.HasPrefix(name, "-webkit-")):
	case n.Kind == syntax.Function && elementFuncs[name]:
	default:
		return false
	}
	if s.PseudoElement != "" { // ::before::marker: valid, styles what has no URL of its own
		name = s.PseudoElement + "::" + name
	}
	s.PseudoElement = name
	s.Specificity += oneType
	return true
}

// functional parses :name(…).
func (p *selectorParser) functional(name string, n syntax.Value, s *Selector) (t pseudoTest, spec Specificity, ok bool) {
	t.name = name
	args := syntax.Trim(n.Args)
	switch name {
	case "is", "where", "-webkit-any":
		t.name = "is"
		t.sels, ok = p.nested(args, s, true)
		if name != "where" {
			spec = maxSpec(t.sels)
		}
		if name == "-webkit-any" {
			spec = oneClass
		}
		return t, spec, ok
	case "not":
		was := p.inNot
		p.inNot = true
		t.sels, ok = p.nested(args, s, false)
		p.inNot = was
		return t, maxSpec(t.sels), ok && len(t.sels) > 0
	case "has":
		q := *p
		q.parent, q.scope = nil, nil
		t.sels, ok = q.list(args, true, false)
		for _, h := range t.sels {
			ok = ok && h.PseudoElement == ""
			if s.State == "" && !p.inNot {
				s.State = h.State
			}
		}
		return t, maxSpec(t.sels), ok && len(t.sels) > 0
	case "nth-child", "nth-last-child", "nth-of-type", "nth-last-of-type":
		return p.nth(t, n)
	case "lang", "dir":
		for _, a := range syntax.Split(args, syntax.IsComma) {
			if len(a) != 1 || a[0].Kind != syntax.Ident && a[0].Kind != syntax.String {
				return t, 0, false
			}
			t.args = append(t.args, strings.ToLower(a[0].Text))
		}
		return t, oneClass, true
	case "host", "host-context", "state", "active-view-transition-type", "heading":
		return t, oneClass, true
	}
	return t, 0, false
}

// nested parses the list of :is() or :not(), in which "&" keeps its meaning.
func (p *selectorParser) nested(args []syntax.Value, s *Selector, forgiving bool) ([]*Selector, bool) {
	sels, ok := p.list(args, false, forgiving)
	for _, q := range sels {
		if q.PseudoElement != "" && !forgiving {
			return nil, false
		}
		if s.State == "" && !p.inNot && len(sels) == 1 {
			s.State = q.State
		}
	}
	return sels, ok
}

// nth parses An+B [of S].
func (p *selectorParser) nth(t pseudoTest, n syntax.Value) (pseudoTest, Specificity, bool) {
	spec := oneClass
	args := syntax.Trim(n.Args)
	for i, a := range args {
		if !a.IsIdent("of") || !strings.HasSuffix(t.name, "child") {
			continue
		}
		var ok bool
		if t.sels, ok = p.list(syntax.Trim(args[i+1:]), false, false); !ok || len(t.sels) == 0 {
			return t, 0, false
		}
		spec += maxSpec(t.sels)
		args = syntax.Trim(args[:i])
		break
	}
	if len(args) == 0 {
		return t, 0, false
	}
	text := strings.ToLower(p.src[args[0].Start:args[len(args)-1].End])
	var ok bool
	t.a, t.b, ok = anPlusB(text)
	return t, spec, ok
}

// anPlusB reads "odd", "even", "3", "2n+1", "-n + 3".
func anPlusB(s string) (a, b int, ok bool) {
	switch s {
	case "odd":
		return 2, 1, true
	case "even":
		return 2, 0, true
	}
	before, after, hasN := strings.Cut(s, "n")
	if !hasN {
		b, err := strconv.Atoi(s)
		return 0, b, err == nil
	}
	switch before {
	case "", "+":
		a = 1
	case "-":
		a = -1
	default:
		var err error
		if a, err = strconv.Atoi(before); err != nil {
			return 0, 0, false
		}
	}
	after = strings.Join(strings.Fields(after), "")
	if after == "" {
		return a, 0, true
	}
	if after[0] != '+' && after[0] != '-' {
		return 0, 0, false
	}
	b, err := strconv.Atoi(after)
	return a, b, err == nil
}
