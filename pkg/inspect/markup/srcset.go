package markup

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/syntax"
)

// Candidate is one entry of a srcset.
type Candidate struct {
	URL string
	// Density in device pixels per CSS pixel: as given, or the width over the
	// source size; 1 where the entry has no descriptor.
	Density float64
	// Width is the w descriptor, 0 without one.
	Width float64
}

const space = " \t\n\r\f"

// ParseSrcset splits a srcset attribute as the HTML standard says. Entries
// with invalid descriptors are left out. size is the source size in CSS
// pixels, which turns widths into densities.
func ParseSrcset(s string, size float64) []Candidate {
	var out []Candidate
	for {
		s = strings.TrimLeft(s, space+",")
		if s == "" {
			return out
		}
		end := strings.IndexAny(s, space)
		if end < 0 {
			end = len(s)
		}
		url := s[:end]
		s = s[end:]
		var descriptors string
		if trimmed := strings.TrimRight(url, ","); trimmed != url {
			url = trimmed
		} else {
			descriptors, s = cutComma(s)
		}
		if c, ok := candidate(url, descriptors, size); ok {
			out = append(out, c)
		}
	}
}

// cutComma splits s at the first comma outside parentheses.
func cutComma(s string) (before, after string) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			depth = max(depth-1, 0)
		case ',':
			if depth == 0 {
				return s[:i], s[i+1:]
			}
		}
	}
	return s, ""
}

// candidate reads the descriptors of one entry.
func candidate(url, descriptors string, size float64) (Candidate, bool) {
	c := Candidate{URL: url, Density: 1}
	var hasX, hasH bool
	for _, d := range strings.Fields(descriptors) {
		number, unit := d[:len(d)-1], d[len(d)-1]
		v, err := strconv.ParseFloat(number, 64)
		if err != nil || strings.ContainsAny(number, "+xX_iInN") || v < 0 {
			return c, false
		}
		whole := strings.Trim(number, "0123456789") == "" && v > 0
		switch {
		case unit == 'x' && !hasX && c.Width == 0 && !hasH:
			hasX, c.Density = true, v
		case unit == 'w' && whole && !hasX && c.Width == 0:
			c.Width = v
		case unit == 'h' && whole && !hasX && !hasH:
			hasH = true
		default:
			return c, false
		}
	}
	if hasH && c.Width == 0 {
		return c, false
	}
	if c.Width > 0 {
		// A source size of 0 makes every density infinite: the largest wins
		// nothing over the smallest, and browsers take the first.
		c.Density = c.Width / max(size, 1e-9)
	}
	return c, url != ""
}

// Pick returns the candidate that Chromium requests at the given device pixel
// ratio among those of a srcset and, "" for none, the src attribute beside it.
// src counts as 1x, and not at all beside a width descriptor. Of equal
// densities the first counts. Chromium takes the first candidate that is dense
// enough, but the one below it where the ratio is under their geometric mean.
func Pick(candidates []Candidate, src string, dpr float64) (Candidate, bool) {
	widths := slices.ContainsFunc(candidates, func(c Candidate) bool { return c.Width > 0 })
	all := slices.Clone(candidates)
	if src != "" && !widths {
		all = append(all, Candidate{URL: src, Density: 1})
	}
	if len(all) == 0 {
		return Candidate{}, false
	}
	slices.SortStableFunc(all, func(a, b Candidate) int { return cmp.Compare(a.Density, b.Density) })
	all = slices.CompactFunc(all, func(a, b Candidate) bool { return a.Density == b.Density })
	i := 0
	for ; i < len(all)-1; i++ {
		current, next := all[i].Density, all[i+1].Density
		if next < dpr {
			continue
		}
		if dpr <= 1 && dpr > current || dpr >= math.Sqrt(current*next) {
			i++
		}
		break
	}
	return all[i], true
}

// PickWidth is Pick for candidates with width descriptors, at a size of width CSS
// pixels.
func PickWidth(candidates []Candidate, width, dpr float64) (Candidate, bool) {
	all := slices.Clone(candidates)
	for i := range all {
		all[i].Density = all[i].Width / width
	}
	return Pick(all, "", dpr)
}

// SourceSize evaluates a sizes attribute to CSS pixels: the length of the
// first entry whose media condition holds, else 100vw. Relative font units count
// 16px, the initial font size, whatever the page sets.
func (e Env) SourceSize(sizes string) float64 {
	for sizes != "" {
		var entry string
		entry, sizes = cutComma(sizes)
		ns, ok := syntax.Values(entry)
		if !ok || len(ns) == 0 {
			continue
		}
		last := len(ns) - 1
		v, ok := media.Length(ns[last], e.Viewport())
		if ok && v >= 0 && (last == 0 || media.MatchCondition(ns[:last], e.Viewport())) {
			return v
		}
	}
	return e.Width
}
