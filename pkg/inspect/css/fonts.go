package css

import (
	"libra/pkg/inspect/css/font"
	"libra/pkg/inspect/css/syntax"
	"libra/pkg/libra"
)

// fonts lists the sources of all faces, and those that the text loads.
func (p *pass) fonts() {
	used := font.Used(p.cascade.Faces, p.order, installed)
	for _, f := range p.cascade.Faces {
		p.faceUses(f, used[f])
	}
}

var linuxFamilies = syntax.Keywords("serif sans-serif monospace system-ui -webkit-body -webkit-standard arial helvetica times courier")

// installed says whether Chromium finds a family on a Linux machine with the
// fonts DejaVu and Liberation; generic families are "serif" and so on.
func installed(name string) bool {
	switch name {
	case "times new roman", "courier new", "dejavu sans", "dejavu serif", "dejavu sans mono",
		"liberation sans", "liberation serif", "liberation mono":
		return true
	}
	return linuxFamilies[name]
}

// faceUses lists the sources of a face. The first one that is supported is
// fetched when the face is used, unless a local() before it is installed.
func (p *pass) faceUses(f *font.Face, used bool) {
	local := -1
	for i, s := range f.Sources {
		if s.Local != "" && p.page.LocalFont != nil && p.page.LocalFont(s.Local) && (f.Requested < 0 || i < f.Requested) {
			local = i
			break
		}
	}
	for i, s := range f.Sources {
		if s.URL == "" {
			continue
		}
		use := Use{URL: s.URL, Type: libra.Font, Fetch: libra.Unused, Sheet: f.Sheet}
		switch {
		case used && local < 0 && i == f.Requested:
			if p.add(s.URL, libra.Font, "font "+f.Family+" of shown text"+f.UnlessInstalled(i), f.Sheet) {
				p.uses[len(p.uses)-1].Fallback = f.Fallbacks(i)
			}
			continue
		case i != f.Requested:
			use.Reason = s.WhyNot(f, i)
		case local >= 0:
			use.Reason = "local font " + f.Sources[local].Local + " is installed"
		default:
			use.Reason = "no shown text uses this face of font " + f.Family
		}
		p.pending = append(p.pending, use)
	}
}
