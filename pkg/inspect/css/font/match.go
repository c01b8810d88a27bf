package font

import (
	"maps"
	"math"
	"slices"
	"strings"

	"libra/pkg/inspect/css/property"
)

// Style is a way text is set.
type Style struct {
	Families *property.Value
	Weight   float64
	Stretch  float64
	Slant    string
}

// Text is what is written in one such way. A line without text of its own
// still loads the font its height comes from.
type Text struct {
	Style
	Runes map[rune]bool
}

// Used are the faces that texts load. installed says which families are
// installed, by their names in lower case.
func Used(faces []*Face, texts []*Text, installed func(string) bool) map[*Face]bool {
	families := map[string][]*Face{}
	for _, f := range faces {
		name := strings.ToLower(f.Family)
		families[name] = append(families[name], f)
	}
	used := map[*Face]bool{}
	for _, t := range texts {
		t.load(families, installed, used)
	}
	return used
}

// load walks t's families until every character has a font, as Chromium does
// while none of them has arrived.
func (t *Text) load(families map[string][]*Face, installed func(string) bool, used map[*Face]bool) {
	left := slices.Collect(maps.Keys(t.Runes))
	strut := true // wants the first font with a space
	for _, name := range t.Families.Keywords {
		if len(left) == 0 && !strut {
			return
		}
		generic := strings.HasPrefix(name, property.GenericMark)
		name = strings.ToLower(strings.TrimPrefix(name, property.GenericMark))
		faces := families[name]
		if generic || len(faces) == 0 {
			if installed(name) {
				left = slices.DeleteFunc(left, systemHas)
				strut = false
			}
			continue
		}
		set := bestFaces(faces, t.Style)
		loads := false
		left = slices.DeleteFunc(left, func(r rune) bool {
			f := covering(set, r)
			if f != nil {
				used[f], loads = true, true
			}
			return f != nil
		})
		if f := covering(set, ' '); f != nil && strut {
			// Measured: a family that loads a face for its text loads none
			// for the strut.
			strut = false
			used[f] = used[f] || !loads
		}
	}
}

// covering is the last declared face of set that has r, nil for none.
func covering(set []*Face, r rune) *Face {
	for i := len(set) - 1; i >= 0; i-- {
		if set[i].covers(r) {
			return set[i]
		}
	}
	return nil
}

// systemHas says whether installed fonts are taken to have a character: all
// but private use, emoji, and the scripts of East Asia.
func systemHas(r rune) bool {
	return r < 0x2e80 || r >= 0xfb00 && r < 0x1f000
}

// bestFaces picks the faces nearest to k by stretch, style and weight, as CSS
// Fonts Level 4 section 5.2 orders them; several when they differ only in
// unicode-range.
func bestFaces(faces []*Face, k Style) []*Face {
	var best []*Face
	bestScore := [3]float64{math.Inf(1)}
	for _, f := range faces {
		score := [3]float64{stretchGap(f.stretch, k.Stretch), styleGap(f.style, k.Slant), weightGap(f.weight, k.Weight)}
		switch c := slices.Compare(score[:], bestScore[:]); {
		case c < 0:
			best, bestScore = []*Face{f}, score
		case c == 0:
			best = append(best, f)
		}
	}
	return best
}

const far = 10000

func stretchGap(have [2]float64, want float64) float64 {
	switch {
	case have[0] <= want && want <= have[1]:
		return 0
	case want <= 100 && have[1] < want:
		return want - have[1]
	case want <= 100:
		return far + have[0] - want
	case have[0] > want:
		return have[0] - want
	}
	return far + want - have[1]
}

func styleGap(have, want string) float64 {
	order := map[string]string{
		"normal": "normal oblique italic", "italic": "italic oblique normal", "oblique": "oblique italic normal",
	}[want]
	return float64(slices.Index(strings.Fields(order), have))
}

func weightGap(have [2]float64, want float64) float64 {
	below, above := want-have[1], have[0]-want
	switch {
	case below <= 0 && above <= 0:
		return 0
	case want >= 400 && want <= 500:
		switch {
		case above > 0 && have[0] <= 500:
			return above
		case below > 0:
			return far + below
		}
		return 2*far + above
	case want < 400:
		if below > 0 {
			return below
		}
		return far + above
	case above > 0:
		return above
	}
	return far + below
}
