// Package property reads the values of the properties that decide what a page
// requests (images, fonts, animations, and whether a box is shown at all), as
// far as they do; what Chromium drops as invalid is dropped. [Append] makes
// longhands of a declaration. A value with var() stays a [Pending] text until
// an element fills it in.
package property

import (
	"strings"

	"libra/pkg/inspect/css/syntax"
	"libra/pkg/inspect/markup"
)

// ID names a longhand that decides what is requested.
type ID uint8

// The longhands.
const (
	Custom ID = iota // a custom property; the declaration has its name
	Display
	ContentVisibility
	Visibility
	Content
	Float
	Position
	BackgroundImage
	BorderImageSource
	ListStyleImage
	ListStyleType
	Cursor
	MaskImage
	MaskBoxImage
	ClipPath
	Filter
	BackdropFilter
	ShapeOutside
	OffsetPath
	Fill
	Stroke
	MarkerStart
	MarkerMid
	MarkerEnd
	BoxReflect
	FontFamily
	FontWeight
	FontStyle
	FontStretch
	AnimationName
	AnimationDuration
	AnimationDelay
	AnimationPlayState
	ContainerType
	ContainerName
	Count
)

// Images are the longhands that name addresses, in the order uses are
// listed.
var Images = []ID{
	Content, BackgroundImage, BorderImageSource, ListStyleImage, Cursor, MaskImage, MaskBoxImage, ClipPath,
	Filter, BackdropFilter, ShapeOutside, OffsetPath, Fill, Stroke, MarkerStart, MarkerMid, MarkerEnd, BoxReflect,
}

// Names are how a person calls them.
var Names = [Count]string{
	Content: "content", BackgroundImage: "background", BorderImageSource: "border image",
	ListStyleImage: "list marker", Cursor: "cursor", MaskImage: "mask", MaskBoxImage: "mask box",
	ClipPath: "clip path", Filter: "filter", BackdropFilter: "backdrop filter", ShapeOutside: "shape",
	OffsetPath: "offset path", Fill: "fill", Stroke: "stroke", MarkerStart: "marker", MarkerMid: "marker",
	MarkerEnd: "marker", BoxReflect: "reflection mask",
}

// Inherited are the longhands that a child takes from its parent.
var Inherited = [Count]bool{
	Visibility: true, ListStyleImage: true, ListStyleType: true, Cursor: true, Fill: true, Stroke: true,
	MarkerStart: true, MarkerMid: true, MarkerEnd: true,
	FontFamily: true, FontWeight: true, FontStyle: true, FontStretch: true,
}

// Wide is a CSS-wide keyword, which every property takes.
type Wide uint8

// The CSS-wide keywords.
const (
	NotWide Wide = iota
	Inherit
	Initial
	Unset
	Revert
	RevertLayer
)

// WideKeywords are they as written.
var WideKeywords = map[string]Wide{
	"inherit": Inherit, "initial": Initial, "unset": Unset, "revert": Revert,
	"revert-layer": RevertLayer,
}

// Value is what a longhand was set to.
type Value struct {
	Wide     Wide
	Images   []Image
	Keywords []string  // keywords in lower case; family and animation names as written
	Attrs    []string  // attributes whose text content shows
	Number   float64   // font-weight; 0 is bolder, -1 lighter; font-stretch in per cent
	Times    []float64 // seconds
}

// setting is one longhand of a parsed declaration.
type setting struct {
	id  ID
	val *Value
}

// grammar parses the value of a property; ok is false where Chromium drops
// the declaration.
type grammar func(ns []syntax.Value, base markup.Base) (set []setting, ok bool)

// property is a shorthand or longhand.
type property struct {
	longhands []ID
	parse     grammar
}

// Declaration is one longhand declaration of a rule.
type Declaration struct {
	ID        ID
	Important bool
	Name      string   // of the property as written
	Value     *Value   // nil while var() is to be filled in
	Pending   *Pending // nil without var()
}

// Pending is a value with var(), or the text of a custom property.
type Pending struct {
	Text     string
	base     markup.Base
	property *property
}

// Parse gives the value of longhand id when the substitution functions of p
// make text; ok is false where that is invalid.
func (p *Pending) Parse(text string, id ID) (v *Value, ok bool) {
	ns, ok := syntax.Values(text)
	if !ok || len(ns) == 0 || syntax.Substitutes(ns) {
		return nil, false
	}
	set, ok := p.property.settings(ns, p.base)
	for _, x := range set {
		if x.id == id {
			return x.val, ok
		}
	}
	return nil, ok
}

// Append adds what d sets to decls, nothing when d is invalid or of no
// interest.
func Append(decls []Declaration, d syntax.Declaration, base markup.Base) []Declaration {
	if strings.HasPrefix(d.Name, "--") {
		return append(decls, Declaration{
			ID: Custom, Name: d.Name, Important: d.Important,
			Pending: &Pending{Text: d.Value, base: base},
		})
	}
	p := properties[d.Name]
	if p == nil {
		return decls
	}
	ns, ok := syntax.Values(d.Value)
	if !ok || len(ns) == 0 {
		return decls
	}
	if syntax.Substitutes(ns) {
		pend := &Pending{Text: d.Value, base: base, property: p}
		for _, id := range p.longhands {
			decls = append(decls, Declaration{ID: id, Name: d.Name, Important: d.Important, Pending: pend})
		}
		return decls
	}
	set, ok := p.settings(ns, base)
	if !ok {
		return decls
	}
	for _, s := range set {
		decls = append(decls, Declaration{ID: s.id, Name: d.Name, Important: d.Important, Value: s.val})
	}
	return decls
}

// settings parses ns as p's value, the words every property takes included.
func (p *property) settings(ns []syntax.Value, base markup.Base) ([]setting, bool) {
	if len(ns) == 1 && ns[0].Kind == syntax.Ident {
		if w := WideKeywords[strings.ToLower(ns[0].Text)]; w != NotWide {
			set := make([]setting, len(p.longhands))
			for i, id := range p.longhands {
				set[i] = setting{id, &Value{Wide: w}}
			}
			return set, true
		}
	}
	return p.parse(ns, base)
}

var properties = func() map[string]*property {
	m := map[string]*property{}
	add := func(names string, parse grammar, longhands ...ID) {
		for _, n := range strings.Fields(names) {
			m[n] = &property{longhands, parse}
		}
	}
	one := func(names string, id ID, parse func([]syntax.Value, markup.Base) (*Value, bool)) {
		add(names, func(ns []syntax.Value, base markup.Base) ([]setting, bool) {
			v, ok := parse(ns, base)
			return []setting{{id, v}}, ok
		}, id)
	}
	one("display", Display, ParseDisplay)
	one("visibility", Visibility, keywords("visible hidden collapse"))
	one("content-visibility", ContentVisibility, keywords("visible auto hidden"))
	one("float", Float, keywords("none left right inline-start inline-end"))
	one("position", Position, keywords("static relative absolute fixed sticky"))
	one("content", Content, contentValue)
	one("background-image", BackgroundImage, imageList)
	one("mask-image -webkit-mask-image", MaskImage, imageList)
	one("border-image-source", BorderImageSource, oneImage)
	one("-webkit-mask-box-image-source", MaskBoxImage, oneImage)
	one("list-style-image", ListStyleImage, oneImage)
	one("list-style-type", ListStyleType, anyWord)
	one("cursor", Cursor, cursorValue)
	one("clip-path -webkit-clip-path", ClipPath, urlOrShape)
	one("shape-outside -webkit-shape-outside", ShapeOutside, urlOrShape)
	one("offset-path", OffsetPath, urlOrShape)
	one("filter -webkit-filter", Filter, filterValue)
	one("backdrop-filter", BackdropFilter, filterValue)
	one("fill", Fill, paintValue)
	one("stroke", Stroke, paintValue)
	one("marker-start", MarkerStart, urlOrNone)
	one("marker-mid", MarkerMid, urlOrNone)
	one("marker-end", MarkerEnd, urlOrNone)
	one("-webkit-box-reflect", BoxReflect, reflectValue)
	one("font-family", FontFamily, ParseFamilies)
	one("font-weight", FontWeight, ParseWeight)
	one("font-style", FontStyle, ParseStyle)
	one("font-stretch font-width", FontStretch, ParseStretch)
	one("animation-name -webkit-animation-name", AnimationName, nameList)
	add("background", layers(BackgroundImage, backgroundWords), BackgroundImage)
	add("mask -webkit-mask", layers(MaskImage, maskWords), MaskImage)
	add("border-image -webkit-border-image", borderImage(BorderImageSource), BorderImageSource)
	add("-webkit-mask-box-image", borderImage(MaskBoxImage), MaskBoxImage)
	add("border", borderValue, BorderImageSource)
	add("list-style", listStyle, ListStyleImage, ListStyleType)
	add("marker", markerShorthand, MarkerStart, MarkerMid, MarkerEnd)
	add("offset", offsetShorthand, OffsetPath)
	add("font", fontShorthand, FontFamily, FontWeight, FontStyle, FontStretch)
	add("animation -webkit-animation", animationShorthand, AnimationName, AnimationDuration, AnimationDelay, AnimationPlayState)
	one("animation-duration -webkit-animation-duration", AnimationDuration, timeList)
	one("animation-delay -webkit-animation-delay", AnimationDelay, timeList)
	one("animation-play-state -webkit-animation-play-state", AnimationPlayState, nameList)
	one("container-type", ContainerType, anyWord)
	one("container-name", ContainerName, wordList)
	add("container", containerShorthand, ContainerType, ContainerName)
	var all []ID
	for id := Display; id < Count; id++ {
		all = append(all, id)
	}
	add("all", func([]syntax.Value, markup.Base) ([]setting, bool) { return nil, false }, all...)
	return m
}()

// MayRequest says whether decls may cause a request; with running, animations may.
func MayRequest(decls []Declaration, running bool) bool {
	for i := range decls {
		d := &decls[i]
		switch {
		case d.Value != nil && len(d.Value.Images) > 0,
			d.Pending != nil && strings.Contains(d.Pending.Text, "("),
			running && d.ID == AnimationName:
			return true
		}
	}
	return false
}
