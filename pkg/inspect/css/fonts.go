package css

import (
	"maps"
	"math"
	"slices"
	"strings"

	"libra/pkg/inspect/css/syntax"
	"libra/pkg/libra"
)

// fonts decides which faces the text loads.
func (p *pass) fonts() {
	families := map[string][]*face{}
	for _, f := range p.cascade.faces {
		name := strings.ToLower(f.family)
		families[name] = append(families[name], f)
	}
	used := map[*face]bool{}
	for _, k := range p.order {
		p.load(k, p.texts[k], families, used)
	}
	for _, f := range p.cascade.faces {
		p.faceUses(f, used[f])
	}
}

// load walks k's families until every character has a font, as Chromium does
// while none of them has arrived.
func (p *pass) load(k fontKey, t *text, families map[string][]*face, used map[*face]bool) {
	left := slices.Collect(maps.Keys(t.runes))
	strut := true // wants the first font with a space
	for _, name := range k.families.words {
		if len(left) == 0 && !strut {
			return
		}
		generic := strings.HasPrefix(name, genericMark)
		name = strings.ToLower(strings.TrimPrefix(name, genericMark))
		faces := families[name]
		if generic || len(faces) == 0 {
			if p.installed(name) {
				left = slices.DeleteFunc(left, systemHas)
				strut = false
			}
			continue
		}
		set := bestFaces(faces, k)
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
func covering(set []*face, r rune) *face {
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

var linuxFamilies = syntax.Keywords("serif sans-serif monospace system-ui -webkit-body -webkit-standard arial helvetica times courier")

func (p *pass) installed(name string) bool {
	if p.page.SystemFamily != nil {
		return p.page.SystemFamily(name)
	}
	switch name {
	case "times new roman", "courier new", "dejavu sans", "dejavu serif", "dejavu sans mono",
		"liberation sans", "liberation serif", "liberation mono":
		return true
	}
	return linuxFamilies[name]
}

// bestFaces picks the faces nearest to k by stretch, style and weight, as CSS
// Fonts Level 4 section 5.2 orders them; several when they differ only in
// unicode-range.
func bestFaces(faces []*face, k fontKey) []*face {
	var best []*face
	bestScore := [3]float64{math.Inf(1)}
	for _, f := range faces {
		score := [3]float64{stretchGap(f.stretch, k.stretch), styleGap(f.style, k.style), weightGap(f.weight, k.weight)}
		switch c := slices.Compare(score[:], bestScore[:]); {
		case c < 0:
			best, bestScore = []*face{f}, score
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

// faceUses lists the sources of a face: the first that is supported and no
// local() hit, when the face is used.
func (p *pass) faceUses(f *face, used bool) {
	local := -1
	for i, s := range f.sources {
		if s.local != "" && p.page.LocalFont != nil && p.page.LocalFont(s.local) && (f.first < 0 || i < f.first) {
			local = i
			break
		}
	}
	for i, s := range f.sources {
		if s.url == "" {
			continue
		}
		use := Use{URL: s.url, Type: libra.Font, Fetch: libra.Unused, Sheet: f.sheet}
		switch {
		case used && local < 0 && i == f.first:
			if p.add(s.url, libra.Font, "font "+f.family+" of shown text"+f.unless(i), f.sheet) {
				p.uses[len(p.uses)-1].Fallback = f.after(i)
			}
			continue
		case i != f.first:
			use.Reason = s.why(f, i)
		case local >= 0:
			use.Reason = "local font " + f.sources[local].local + " is installed"
		default:
			use.Reason = "no shown text uses this face of font " + f.family
		}
		p.pending = append(p.pending, use)
	}
}
