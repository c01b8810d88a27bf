package css

import (
	"math"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"libra/pkg/libra"
)

// fontKey is a way text is set.
type fontKey struct {
	families *value
	weight   float64
	stretch  float64
	style    string
}

// text is what is written in one such way. The space stands for the strut
// every line has, which loads the first font too.
type text struct {
	runes map[rune]bool
}

// write notes that s renders text.
func (p *pass) write(s *style, words string) {
	families := s.val[fontFamily]
	if families == nil || len(p.cascade.faces) == 0 {
		return
	}
	k := fontKey{families, s.weight(), 100, s.word(fontStyle, "normal")}
	if v := s.val[fontStretch]; v != nil {
		k.stretch = v.num
	}
	t := p.texts[k]
	if t == nil {
		t = &text{runes: map[rune]bool{}}
		p.texts[k] = t
		p.order = append(p.order, k)
	}
	for _, r := range words {
		t.runes[r] = true
	}
	t.runes[' '] = true
}

// elementText notes the text of e itself.
func (p *pass) elementText(e *element) {
	s := e.style
	switch {
	case e.is("br"):
		p.write(s, " ")
	case e.is("select"):
		p.write(s, chosen(e))
		return
	case e.is("textarea"):
		placeholder, _ := e.attr("placeholder")
		p.write(s, "x"+textOf(e.node)+placeholder)
		return
	case e.is("input"):
		switch e.inputType() {
		case "checkbox", "radio", "range", "color", "image", "hidden":
			return
		}
		value, _ := e.attr("value")
		placeholder, _ := e.attr("placeholder")
		p.write(s, value+placeholder+" ")
		return
	}
	if !showsText(e) || s.word(contentVisibility, "visible") == "hidden" {
		return
	}
	if e.is("details") && !e.has("open") {
		return
	}
	for c := e.node.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.TextNode && strings.Trim(c.Data, " \t\n\r\f") != "" {
			p.write(s, c.Data)
		}
	}
	if s.word(display, "inline") == "list-item" && s.val[listStyleImage] == nil && numbered(s) {
		p.write(s, "0123456789.")
	}
}

// numbered says whether list items of style s have text for a marker.
func numbered(s *style) bool {
	switch s.word(listStyleType, "disc") {
	case "none", "disc", "circle", "square", "disclosure-open", "disclosure-closed":
		return false
	}
	return true
}

// markerText notes the text of a ::marker that has a style of its own.
func (p *pass) markerText(e *element, s *style) {
	if v := s.val[content]; v != nil && len(v.words) > 0 {
		p.write(s, strings.Join(v.words, ""))
	} else if numbered(e.style) {
		p.write(s, "0123456789.")
	}
}

// pseudoText notes the text that a pseudo-element shows.
func (p *pass) pseudoText(e *element, s *style, name string) {
	switch name {
	case "before", "after":
		v := s.val[content]
		if v == nil || len(v.words)+len(v.attrs) == 0 {
			return
		}
		words := strings.Join(v.words, "")
		for _, a := range v.attrs {
			t, _ := e.attr(a)
			words += t
		}
		p.write(s, words)
	case "first-line", "first-letter":
		if t := textOf(e.node); strings.TrimSpace(t) != "" {
			p.write(s, t)
		}
	case "placeholder", "-webkit-input-placeholder":
		t, _ := e.attr("placeholder")
		p.write(s, t)
	case "file-selector-button", "-webkit-file-upload-button":
		p.write(s, "Choose File")
	}
}

// showsText says whether text directly in e is laid out.
func showsText(e *element) bool {
	for a := e; a != nil; a = a.parent {
		if a.is("canvas", "select", "video", "audio", "iframe", "noscript") && (a != e || !a.is("noscript")) {
			return false
		}
		if a.ns == "svg" {
			switch a.tag {
			case "defs", "symbol", "clippath", "mask", "marker", "pattern", "title", "desc":
				return false
			}
		}
	}
	if e.ns == "svg" {
		return e.tag == "text" || e.tag == "tspan" || e.tag == "textpath" || e.tag == "a"
	}
	return true
}

// textOf is all text below n.
func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// chosen is the text a drop-down shows: its selected option, or all of a list.
func chosen(list *element) string {
	var b strings.Builder
	b.WriteByte(' ')
	var visit func(*element)
	visit = func(e *element) {
		for c := e.first; c != nil; c = c.next {
			if c.is("option") && (selected(c) || list.has("multiple")) {
				b.WriteString(textOf(c.node))
			}
			visit(c)
		}
	}
	visit(list)
	return b.String()
}

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
	left := make([]rune, 0, len(t.runes))
	for r := range t.runes {
		left = append(left, r)
	}
	for _, name := range k.families.words {
		if len(left) == 0 {
			return
		}
		generic := strings.HasPrefix(name, genericMark)
		name = strings.ToLower(strings.TrimPrefix(name, genericMark))
		faces := families[name]
		if generic || len(faces) == 0 {
			if p.installed(name) {
				left = slices.DeleteFunc(left, systemHas)
			}
			continue
		}
		set := bestFaces(faces, k)
		left = slices.DeleteFunc(left, func(r rune) bool {
			for i := len(set) - 1; i >= 0; i-- {
				if set[i].covers(r) {
					used[set[i]] = true
					return true
				}
			}
			return false
		})
	}
}

// systemHas says whether installed fonts are taken to have a character: all
// but private use, emoji, and the scripts of East Asia.
func systemHas(r rune) bool {
	return r < 0x2e80 || r >= 0xfb00 && r < 0x1f000
}

var linuxFamilies = set("serif sans-serif monospace system-ui -webkit-body -webkit-standard arial helvetica times courier")

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
			p.add(s.url, libra.Font, "font "+f.family+" of shown text", f.sheet)
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
