// Package font reads @font-face rules and says which faces the text of a page
// makes Chromium load: per way of setting text, the faces nearest in stretch,
// style and weight (CSS Fonts Level 4, section 5.2) whose unicode-range has the
// characters, family after family until each character has a font.
//
// Glyphs are unknown: a web font counts as having every character of its
// unicode-range, an installed one all but private use, emoji and the scripts of
// East Asia.
package font

import (
	"math"
	"strconv"
	"strings"

	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/syntax"
	"libra/pkg/inspect/markup"
)

// Face is one @font-face rule.
type Face struct {
	Family    string
	Sources   []Source
	Requested int // index of the source that is requested, -1 for none
	weight    [2]float64
	stretch   [2]float64
	style     string // normal, italic or oblique
	ranges    []runeRange
	Sheet     string
}

// Source is one entry of src.
type Source struct {
	URL     string // "" for local()
	Local   string
	unknown string // the format or technology Chromium lacks, "" when supported
}

type runeRange struct{ lo, hi rune }

// WhyNot says what stands in the way of source i.
func (s Source) WhyNot(f *Face, i int) string {
	switch {
	case s.unknown != "":
		return "font format " + s.unknown + " is not supported"
	case f.Requested >= 0 && i > f.Requested:
		return "an earlier source of font " + f.Family + " is supported"
	}
	return "font " + f.Family + " is not requested"
}

// covers says whether the face's unicode-range has r.
func (f *Face) covers(r rune) bool {
	if len(f.ranges) == 0 {
		return true
	}
	for _, x := range f.ranges {
		if r >= x.lo && r <= x.hi {
			return true
		}
	}
	return false
}

// Fallbacks lists the supported addresses after source i.
func (f *Face) Fallbacks(i int) []string {
	var urls []string
	for _, s := range f.Sources[i+1:] {
		if s.URL != "" && s.unknown == "" {
			urls = append(urls, s.URL)
		}
	}
	return urls
}

// UnlessInstalled names the installed fonts that a reader would be shown instead of
// source i.
func (f *Face) UnlessInstalled(i int) string {
	var names []string
	for _, s := range f.Sources[:i] {
		if s.Local != "" {
			names = append(names, s.Local)
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ", unless the reader has the font " + syntax.Brief(strings.Join(names, " or "))
}

// ParseFace reads the descriptors of a @font-face rule; ok is false without family or sources.
func ParseFace(descriptors []syntax.Declaration, base markup.Base) (*Face, bool) {
	f := &Face{weight: [2]float64{400, 400}, stretch: [2]float64{100, 100}, style: "normal", Requested: -1, Sheet: base.URL}
	for _, d := range descriptors {
		ns, ok := syntax.Values(d.Value)
		if !ok || len(ns) == 0 {
			continue
		}
		switch d.Name {
		case "font-family":
			if v, ok := property.ParseFamilies(ns, base); ok && len(v.Keywords) == 1 && !strings.HasPrefix(v.Keywords[0], property.GenericMark) {
				f.Family = v.Keywords[0]
			}
		case "src":
			if src, ok := sources(ns, base); ok {
				f.Sources = src
			}
		case "font-weight":
			f.weight = span(ns, f.weight, property.ParseWeight)
		case "font-stretch", "font-width":
			f.stretch = span(ns, f.stretch, property.ParseStretch)
		case "font-style":
			if v, ok := property.ParseStyle(ns, base); ok {
				f.style = v.Keywords[0]
			}
		case "unicode-range":
			if ranges, ok := unicodeRanges(d.Value); ok {
				f.ranges = ranges
			}
		}
	}
	for i, s := range f.Sources {
		if s.unknown == "" && s.Local == "" {
			f.Requested = i
			break
		}
	}
	return f, f.Family != "" && len(f.Sources) > 0
}

// span reads one or two numbers of a range descriptor.
func span(ns []syntax.Value, was [2]float64, parse func([]syntax.Value, markup.Base) (*property.Value, bool)) [2]float64 {
	w := syntax.Fields(ns)
	if len(w) == 1 && w[0].IsIdent("auto") {
		return [2]float64{1, 1000}
	}
	if len(w) == 0 || len(w) > 2 {
		return was
	}
	lo, ok := parse(w[:1], markup.Base{})
	hi, ok2 := parse(w[len(w)-1:], markup.Base{})
	if !ok || !ok2 || lo.Number <= 0 || hi.Number <= 0 {
		return was
	}
	return [2]float64{math.Min(lo.Number, hi.Number), math.Max(lo.Number, hi.Number)}
}

// sources reads src. An entry that cannot be understood is left out, and the
// others stand.
func sources(ns []syntax.Value, base markup.Base) ([]Source, bool) {
	var list []Source
	for _, part := range syntax.Split(ns, syntax.IsComma) {
		w := syntax.Fields(part)
		if len(w) == 0 {
			continue
		}
		var s Source
		if w[0].IsFunction("local") {
			if v, ok := property.ParseFamilies(syntax.Trim(w[0].Args), base); ok && len(v.Keywords) == 1 && len(w) == 1 {
				s.Local = strings.TrimPrefix(v.Keywords[0], property.GenericMark)
				list = append(list, s)
			}
			continue
		}
		ref, ok := w[0].URL()
		if !ok || !s.hints(w[1:]) {
			continue
		}
		if s.URL, ok = property.ResolveURL(base, ref); !ok && !strings.HasPrefix(strings.ToLower(strings.TrimSpace(ref)), "data:") {
			continue
		}
		path, _, _ := strings.Cut(s.URL, "?")
		if len(w) == 1 && strings.HasSuffix(strings.ToLower(path), ".eot") {
			s.unknown = "eot"
		}
		list = append(list, s)
	}
	return list, len(list) > 0
}

// hints reads format() and tech().
func (s *Source) hints(w []syntax.Value) bool {
	for _, n := range w {
		switch {
		case n.IsFunction("format"):
			args := syntax.Fields(n.Args)
			if len(args) != 1 || args[0].Kind != syntax.String && args[0].Kind != syntax.Ident {
				return false
			}
			if name := strings.ToLower(args[0].Text); !Formats[name] {
				if args[0].Kind == syntax.Ident {
					return false
				}
				s.unknown = args[0].Text
			}
		case n.IsFunction("tech"):
			for _, t := range syntax.Split(n.Args, syntax.IsComma) {
				if len(t) != 1 || t[0].Kind != syntax.Ident {
					return false
				}
				if !Techs[strings.ToLower(t[0].Text)] || t[0].IsIdent("color-sbix-none") {
					s.unknown = t[0].Text
				}
			}
		default:
			return false
		}
	}
	return true
}

// unicodeRanges reads "U+26, U+0-7F, U+4??".
func unicodeRanges(text string) ([]runeRange, bool) {
	var ranges []runeRange
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		if len(part) < 3 || part[0]|0x20 != 'u' || part[1] != '+' {
			return nil, false
		}
		lo, hi, two := strings.Cut(part[2:], "-")
		if !two {
			hi = strings.ReplaceAll(lo, "?", "f")
			lo = strings.ReplaceAll(lo, "?", "0")
		}
		a, err := strconv.ParseUint(lo, 16, 32)
		b, err2 := strconv.ParseUint(hi, 16, 32)
		if err != nil || err2 != nil || len(lo) > 6 || len(hi) > 6 || a > b || b > 0x10ffff {
			return nil, false
		}
		ranges = append(ranges, runeRange{rune(a), rune(b)})
	}
	return ranges, true
}

// Techs and Formats are what tech() and format() may name.
var (
	Techs = syntax.Keywords(`features-opentype features-aat color-colrv0 color-colrv1 color-sbix color-cbdt variations
		palettes`)
	Formats = syntax.Keywords(`woff woff2 truetype opentype collection woff-variations woff2-variations truetype-variations
		opentype-variations`)
)
