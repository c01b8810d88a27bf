package css

import (
	"strings"

	"libra/pkg/inspect/css/font"
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/selector"
	"libra/pkg/inspect/css/syntax"
	"libra/pkg/libra"
)

// parseInline reads a style attribute.
func parseInline(style, base string) []property.Declaration {
	var decls []property.Declaration
	for _, d := range syntax.Declarations(style) {
		decls = property.Append(decls, d, base)
	}
	return decls
}

// lister collects the uses of one sheet.
type lister struct {
	v    media.Viewport
	base string // of the sheet
	uses []Use
}

func (l *lister) rules(rules []*rule, c context) {
	for _, r := range rules {
		in := c.enter(r, l.v)
		subject := syntax.Brief(r.prelude)
		switch r.kind {
		case fontFaceRule:
			l.face(r, in)
		case pageRule, propertyRule, counterStyleRule, otherRule:
			for _, d := range r.descs {
				l.text(d.Value, in)
			}
		case styleRule:
			if state := dynamicState(r.sels); state != "" && in.reason == "" {
				in = context{"only in state " + state, libra.Conditional}
			}
		case keyframesRule:
			subject = "animation " + r.prelude
		}
		for _, d := range r.decls {
			l.decl(d, in, subject)
		}
		l.rules(r.rules, in)
	}
}

// dynamicState is the state without which no selector matches, "" for none.
func dynamicState(sels []*selector.Selector) string {
	state := ""
	for _, s := range sels {
		if s.State == "" {
			return ""
		}
		state = s.State
	}
	return state
}

func (l *lister) decl(d property.Declaration, c context, subject string) {
	if d.Value == nil {
		l.text(d.Pending.Text, c)
		return
	}
	for _, img := range d.Value.Images {
		picked := syntax.Keywords(strings.Join(img.Requested(l.v.Ratio()), " "))
		for _, u := range img.URLs() {
			use := Use{URL: u, Type: libra.Image, Fetch: libra.Fetched, Reason: property.Names[d.ID] + " of " + subject}
			if !picked[u] {
				use.Fetch, use.Reason = libra.Unused, "image-set() has a better choice"
			}
			l.add(use, c)
		}
	}
}

// text lists every url() in a value that is not understood further.
func (l *lister) text(value string, c context) {
	for _, u := range property.URLs(value, l.base) {
		l.add(Use{URL: u, Type: libra.Image, Fetch: libra.Fetched, Reason: "in a value with var()"}, c)
	}
}

func (l *lister) face(r *rule, c context) {
	f, ok := font.ParseFace(r.descs, l.base)
	if !ok {
		return
	}
	for i, src := range f.Sources {
		use := Use{URL: src.URL, Type: libra.Font, Fetch: libra.Fetched, Reason: "font " + f.Family}
		if src.URL == "" {
			continue
		}
		if i != f.Requested {
			use.Fetch, use.Reason = libra.Unused, src.WhyNot(f, i)
		}
		l.add(use, c)
	}
}

func (l *lister) add(u Use, c context) {
	if c.reason != "" && u.Fetch == libra.Fetched {
		u.Fetch, u.Reason = c.fetch, c.reason
	}
	u.Sheet = l.base
	l.uses = append(l.uses, u)
}
