package css

import (
	"strings"

	"libra/pkg/inspect/css/cascade"
	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/selector"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/css/syntax"
)

// partOf are the elements that have a pseudo-element of the browser's own: their
// types, and those of input.
var partOf = map[string][2]string{
	"placeholder":                        {"input textarea", "text search url tel email password number"},
	"-webkit-input-placeholder":          {"input textarea", "text search url tel email password number"},
	"file-selector-button":               {"input", "file"},
	"-webkit-file-upload-button":         {"input", "file"},
	"-webkit-search-cancel-button":       {"input", "search"},
	"-webkit-slider-thumb":               {"input", "range"},
	"-webkit-slider-runnable-track":      {"input", "range"},
	"-webkit-calendar-picker-indicator":  {"input", "date month week time datetime-local"},
	"-webkit-inner-spin-button":          {"input", "number"},
	"-webkit-color-swatch":               {"input", "color"},
	"-webkit-progress-bar":               {"progress", ""},
	"-webkit-progress-value":             {"progress", ""},
	"-webkit-progress-inner-element":     {"progress", ""},
	"-webkit-meter-bar":                  {"meter", ""},
	"-webkit-meter-inner-element":        {"meter", ""},
	"-webkit-meter-optimum-value":        {"meter", ""},
	"-webkit-details-marker":             {"-", ""},
	"-webkit-meter-suboptimum-value":     {"-", ""},
	"-webkit-meter-even-less-good-value": {"-", ""},
	"-webkit-media-controls-panel":       {"-", ""},
	"-webkit-scrollbar":                  {"-", ""},
}

func isPart(name string, e *selector.Element) bool {
	part, ok := partOf[name]
	if !ok || e.Namespace != "html" {
		return false
	}
	if strings.Contains(name, "placeholder") && !e.Has("placeholder") {
		return false
	}
	return syntax.Keywords(part[0])[e.Tag] && (e.Tag != "input" || syntax.Keywords(part[1])[e.InputType()])
}

// pseudoElement computes the style of a pseudo-element of e and lists its images
// and text.
func (p *pass) pseudoElement(e *styled, q *pseudoCands) {
	for _, a := range q.by {
		a.Matched = true
	}
	s := p.cascade.StyleOf(q.cands, e.style)
	exists := false
	switch q.name {
	case "before", "after":
		// Chromium loads images as soon as content is declared at all, even
		// as "none".
		exists = s.Declared[property.Content]
	case "marker":
		exists = e.style.Keyword(property.Display, "inline") == "list-item"
		if exists && s.Values[property.Content] != nil {
			p.valueImages(property.Content, s.Values[property.Content], "marker of "+syntax.Brief(s.From[property.Content].Rule.Source.Prelude), s.From[property.Content].Rule.Sheet.URL)
		}
		if exists {
			p.markerText(e, s)
		}
		return
	case "first-line", "first-letter":
		exists = blockContainer(e.style)
	default:
		exists = isPart(q.name, e.Element)
	}
	if !exists || s.Keyword(property.Display, "inline") == "none" {
		for _, a := range q.by {
			a.NoContent = a.NoContent || !exists
		}
		return
	}
	for _, a := range q.by {
		a.Shown = true
	}
	p.images(s, q.name)
	p.overridden(q.cands, s)
	p.animations(s)
	p.pseudoText(e, s, q.name)
}

func blockContainer(s *cascade.Style) bool {
	switch s.Keyword(property.Display, "inline") {
	case "block", "list-item", "inline-block", "table-cell", "table-caption", "flow-root":
		return true
	}
	return false
}

// animations lists the images of the keyframes that s runs. An animation
// that is paused, or far from its start, shows its first frame at most.
func (p *pass) animations(s *cascade.Style) {
	names := s.Values[property.AnimationName]
	if names == nil || !s.Declared[property.AnimationName] {
		return
	}
	for i, name := range names.Keywords {
		k := p.cascade.Keyframes[cascade.ScopedName(name, p.scope)]
		if k == nil || pick(s.Values[property.AnimationDuration], i) <= 0 {
			continue
		}
		const patience = 10 // seconds
		if pick(s.Values[property.AnimationDelay], i) > patience {
			continue
		}
		paused := false
		if st := s.Values[property.AnimationPlayState]; st != nil && len(st.Keywords) > 0 {
			paused = st.Keywords[i%len(st.Keywords)] == "paused"
		}
		k.Used = k.Used || !paused
		for _, f := range k.Rule.Rules {
			start := f.Prelude == "from" || f.Prelude == "0%"
			if !paused || start {
				p.keyframe(f, s, "animation "+name, k.Sheet.URL)
			}
		}
	}
}

// pick is the time for the i-th animation; lists repeat.
func pick(v *property.Value, i int) float64 {
	if v == nil || len(v.Times) == 0 {
		return 0
	}
	return v.Times[i%len(v.Times)]
}

// animated are the properties whose images keyframes load.
var animated = func() [property.Count]bool {
	var a [property.Count]bool
	for _, id := range property.Images {
		a[id] = id != property.OffsetPath
	}
	return a
}()

func (p *pass) keyframe(f *stylesheet.Rule, s *cascade.Style, reason, sheet string) {
	for i := range f.Declarations {
		d := &f.Declarations[i]
		if !animated[d.ID] {
			continue
		}
		if from := s.From[d.ID]; from != nil && from.Declaration.Important && s.Declared[d.ID] {
			continue // importance beats animations
		}
		if v := s.Compute(d.ID, &cascade.Candidate{Declaration: d}); v != nil {
			p.valueImages(d.ID, v, reason, sheet)
		}
	}
}
