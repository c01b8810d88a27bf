package css

import (
	"strings"

	"libra/pkg/inspect/css/font"
	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/selector"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/css/syntax"
	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
)

// parseInline reads a style attribute.
func parseInline(style string, base markup.Base) []property.Declaration {
	base.Encoding = "" // measured: their queries are in UTF-8
	var decls []property.Declaration
	for _, d := range syntax.Declarations(style) {
		decls = property.Append(decls, d, base)
	}
	return decls
}

// lister collects the uses of one sheet.
type lister struct {
	v    media.Viewport
	base markup.Base // of the sheet
	uses []Use
}

func (l *lister) rules(rules []*stylesheet.Rule, c stylesheet.Barrier) {
	for _, r := range rules {
		in := c.Enter(r, l.v)
		subject := syntax.Brief(r.Prelude)
		switch r.Kind {
		case stylesheet.FontFaceRule:
			l.face(r, in)
		case stylesheet.PageRule, stylesheet.PropertyRule, stylesheet.CounterStyleRule, stylesheet.OtherRule:
			for _, d := range r.Descriptors {
				l.text(d.Value, in)
			}
		case stylesheet.StyleRule:
			if state := dynamicState(r.Selectors); state != "" && in.Reason == "" {
				in = stylesheet.Conditional("only in state " + state)
			}
		case stylesheet.KeyframesRule:
			subject = "animation " + r.Prelude
		}
		for _, d := range r.Declarations {
			l.decl(d, in, subject)
		}
		l.rules(r.Rules, in)
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

func (l *lister) decl(d property.Declaration, c stylesheet.Barrier, subject string) {
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

// text lists every url() in a value that is not parsed further.
func (l *lister) text(value string, c stylesheet.Barrier) {
	for _, u := range property.URLs(value, l.base) {
		l.add(Use{URL: u, Type: libra.Image, Fetch: libra.Fetched, Reason: "in a value with var()"}, c)
	}
}

func (l *lister) face(r *stylesheet.Rule, c stylesheet.Barrier) {
	f, ok := font.ParseFace(r.Descriptors, l.base)
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

func (l *lister) add(u Use, c stylesheet.Barrier) {
	if c.Reason != "" && u.Fetch == libra.Fetched {
		u.Fetch, u.Reason = c.Fetch, c.Reason
	}
	u.Sheet = l.base.URL
	l.uses = append(l.uses, u)
}
