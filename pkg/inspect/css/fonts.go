package css

import (
	"libra/pkg/inspect/css/syntax"
	"libra/pkg/libra"
)

// fonts lists the sources of all faces, and those that the text loads.
func (p *pass) fonts() {
	used := usedFaces(p.cascade.faces, p.order, p.installed)
	for _, f := range p.cascade.faces {
		p.faceUses(f, used[f])
	}
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
