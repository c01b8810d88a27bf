package cascade

import (
	"strings"

	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/selector"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/css/syntax"
	"libra/pkg/inspect/markup"
)

// HintProperties are the presentation attributes of SVG that matter here.
var HintProperties = syntax.Keywords(`fill stroke filter mask clip-path cursor marker-start marker-mid marker-end display visibility
	font-family font-weight font-style font-stretch`)

// Hints are the declarations that e's attributes stand for; base is the
// document's.
func (c *Cascade) Hints(e *selector.Element, base markup.Base) []Candidate {
	var decls []property.Declaration
	for _, a := range e.Node.Attr {
		switch name := strings.ToLower(a.Key); {
		case e.Namespace == "svg" && HintProperties[name]:
			decls = property.Append(decls, syntax.Declaration{Name: name, Value: a.Val}, base)
		case name == "face" && e.Is("font"):
			decls = property.Append(decls, syntax.Declaration{Name: "font-family", Value: a.Val}, base)
		case name == "background" && e.Is("body", "table", "thead", "tbody", "tfoot", "tr", "th", "td", "col", "colgroup"):
			v := &property.Value{Images: property.URLImages(strings.TrimSpace(a.Val), base)}
			decls = append(decls, property.Declaration{ID: property.BackgroundImage, Name: name, Value: v})
		}
	}
	if len(decls) == 0 {
		return nil
	}
	a := &Rule{Source: &stylesheet.Rule{Prelude: "an attribute of <" + e.Tag + ">", Declarations: decls}, Sheet: base, Origin: Hint}
	var cands []Candidate
	for i := range decls {
		cands = append(cands, a.Candidate(&decls[i], 0))
	}
	return cands
}
