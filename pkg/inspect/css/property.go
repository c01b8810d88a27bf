package css

import (
	"strings"

	"libra/pkg/inspect/css/syntax"
)

// prop names a longhand that decides what is requested.
type prop uint8

const (
	custom prop = iota // a custom property; the declaration has its name
	display
	contentVisibility
	visibility
	content
	floating
	position
	backgroundImage
	borderImageSource
	listStyleImage
	listStyleType
	cursor
	maskImage
	maskBoxImage
	clipPath
	filter
	backdropFilter
	shapeOutside
	offsetPath
	fill
	stroke
	markerStart
	markerMid
	markerEnd
	boxReflect
	fontFamily
	fontWeight
	fontStyle
	fontStretch
	animationName
	animationDuration
	animationDelay
	animationState
	containerType
	containerName
	propCount
)

// imageProps are the longhands that name addresses, in the order uses are
// listed.
var imageProps = []prop{
	content, backgroundImage, borderImageSource, listStyleImage, cursor, maskImage, maskBoxImage, clipPath,
	filter, backdropFilter, shapeOutside, offsetPath, fill, stroke, markerStart, markerMid, markerEnd, boxReflect,
}

// propNames are how a person calls them.
var propNames = [propCount]string{
	content: "content", backgroundImage: "background", borderImageSource: "border image",
	listStyleImage: "list marker", cursor: "cursor", maskImage: "mask", maskBoxImage: "mask box",
	clipPath: "clip path", filter: "filter", backdropFilter: "backdrop filter", shapeOutside: "shape",
	offsetPath: "offset path", fill: "fill", stroke: "stroke", markerStart: "marker", markerMid: "marker",
	markerEnd: "marker", boxReflect: "reflection mask",
}

var inherited = [propCount]bool{
	visibility: true, listStyleImage: true, listStyleType: true, cursor: true, fill: true, stroke: true,
	markerStart: true, markerMid: true, markerEnd: true,
	fontFamily: true, fontWeight: true, fontStyle: true, fontStretch: true,
}

// wide is a keyword every property takes.
type wide uint8

const (
	wideNone wide = iota
	wideInherit
	wideInitial
	wideUnset
	wideRevert
	wideRevertLayer
)

var wideWords = map[string]wide{
	"inherit": wideInherit, "initial": wideInitial, "unset": wideUnset, "revert": wideRevert,
	"revert-layer": wideRevertLayer,
}

// value is what a longhand was set to.
type value struct {
	wide   wide
	images []image
	words  []string  // keywords in lower case; family and animation names as written
	attrs  []string  // attributes whose text content shows
	num    float64   // font-weight; 0 is bolder, -1 lighter; font-stretch in per cent
	times  []float64 // seconds
}

// setting is one longhand of a parsed declaration.
type setting struct {
	id  prop
	val *value
}

// grammar parses the value of a property; ok is false where Chromium drops
// the declaration.
type grammar func(ns []syntax.Value, base string) (set []setting, ok bool)

// property is a shorthand or longhand.
type property struct {
	longhands []prop
	parse     grammar
}

// decl is one longhand declaration of a rule.
type decl struct {
	id        prop
	important bool
	name      string   // of the property as written
	val       *value   // nil while var() is to be filled in
	pending   *pending // nil without var()
}

// pending is a value that holds var(), or the text of a custom property.
type pending struct {
	text string
	base string
	prop *property
}

// parse gives the value of longhand id when the substitution functions of p
// make text; ok is false where that is invalid.
func (p *pending) parse(text string, id prop) (v *value, ok bool) {
	ns, ok := syntax.Values(text)
	if !ok || len(ns) == 0 || syntax.Substitutes(ns) {
		return nil, false
	}
	set, ok := p.prop.settings(ns, p.base)
	for _, x := range set {
		if x.id == id {
			return x.val, ok
		}
	}
	return nil, ok
}

// appendDecls adds what d sets to decls, nothing when d is invalid or of no
// interest.
func appendDecls(decls []decl, d syntax.Declaration, base string) []decl {
	if strings.HasPrefix(d.Name, "--") {
		return append(decls, decl{
			id: custom, name: d.Name, important: d.Important,
			pending: &pending{text: d.Value, base: base},
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
		pend := &pending{text: d.Value, base: base, prop: p}
		for _, id := range p.longhands {
			decls = append(decls, decl{id: id, name: d.Name, important: d.Important, pending: pend})
		}
		return decls
	}
	set, ok := p.settings(ns, base)
	if !ok {
		return decls
	}
	for _, s := range set {
		decls = append(decls, decl{id: s.id, name: d.Name, important: d.Important, val: s.val})
	}
	return decls
}

// settings parses ns as p's value, the words every property takes included.
func (p *property) settings(ns []syntax.Value, base string) ([]setting, bool) {
	if len(ns) == 1 && ns[0].Kind == syntax.Ident {
		if w := wideWords[strings.ToLower(ns[0].Text)]; w != wideNone {
			set := make([]setting, len(p.longhands))
			for i, id := range p.longhands {
				set[i] = setting{id, &value{wide: w}}
			}
			return set, true
		}
	}
	return p.parse(ns, base)
}

var properties = func() map[string]*property {
	m := map[string]*property{}
	add := func(names string, parse grammar, longhands ...prop) {
		for _, n := range strings.Fields(names) {
			m[n] = &property{longhands, parse}
		}
	}
	one := func(names string, id prop, parse func([]syntax.Value, string) (*value, bool)) {
		add(names, func(ns []syntax.Value, base string) ([]setting, bool) {
			v, ok := parse(ns, base)
			return []setting{{id, v}}, ok
		}, id)
	}
	one("display", display, displayValue)
	one("visibility", visibility, keywords("visible hidden collapse"))
	one("content-visibility", contentVisibility, keywords("visible auto hidden"))
	one("float", floating, keywords("none left right inline-start inline-end"))
	one("position", position, keywords("static relative absolute fixed sticky"))
	one("content", content, contentValue)
	one("background-image", backgroundImage, imageList)
	one("mask-image -webkit-mask-image", maskImage, imageList)
	one("border-image-source", borderImageSource, oneImage)
	one("-webkit-mask-box-image-source", maskBoxImage, oneImage)
	one("list-style-image", listStyleImage, oneImage)
	one("list-style-type", listStyleType, anyWord)
	one("cursor", cursor, cursorValue)
	one("clip-path -webkit-clip-path", clipPath, urlOrShape)
	one("shape-outside -webkit-shape-outside", shapeOutside, urlOrShape)
	one("offset-path", offsetPath, urlOrShape)
	one("filter -webkit-filter", filter, filterValue)
	one("backdrop-filter", backdropFilter, filterValue)
	one("fill", fill, paintValue)
	one("stroke", stroke, paintValue)
	one("marker-start", markerStart, urlOrNone)
	one("marker-mid", markerMid, urlOrNone)
	one("marker-end", markerEnd, urlOrNone)
	one("-webkit-box-reflect", boxReflect, reflectValue)
	one("font-family", fontFamily, familyValue)
	one("font-weight", fontWeight, weightValue)
	one("font-style", fontStyle, styleValue)
	one("font-stretch font-width", fontStretch, stretchValue)
	one("animation-name -webkit-animation-name", animationName, nameList)
	add("background", layers(backgroundImage, backgroundWords), backgroundImage)
	add("mask -webkit-mask", layers(maskImage, maskWords), maskImage)
	add("border-image -webkit-border-image", borderImage(borderImageSource), borderImageSource)
	add("-webkit-mask-box-image", borderImage(maskBoxImage), maskBoxImage)
	add("border", borderValue, borderImageSource)
	add("list-style", listStyle, listStyleImage, listStyleType)
	add("marker", markerShorthand, markerStart, markerMid, markerEnd)
	add("offset", offsetShorthand, offsetPath)
	add("font", fontShorthand, fontFamily, fontWeight, fontStyle, fontStretch)
	add("animation -webkit-animation", animationShorthand, animationName, animationDuration, animationDelay, animationState)
	one("animation-duration -webkit-animation-duration", animationDuration, timeList)
	one("animation-delay -webkit-animation-delay", animationDelay, timeList)
	one("animation-play-state -webkit-animation-play-state", animationState, nameList)
	one("container-type", containerType, anyWord)
	one("container-name", containerName, wordList)
	add("container", containerShorthand, containerType, containerName)
	var all []prop
	for id := display; id < propCount; id++ {
		all = append(all, id)
	}
	add("all", func([]syntax.Value, string) ([]setting, bool) { return nil, false }, all...)
	return m
}()

// bears says whether decls may bring a request about. running says that
// animations may.
func bears(decls []decl, running bool) bool {
	for i := range decls {
		d := &decls[i]
		switch {
		case d.val != nil && len(d.val.images) > 0,
			d.pending != nil && strings.Contains(d.pending.text, "("),
			running && d.id == animationName:
			return true
		}
	}
	return false
}
