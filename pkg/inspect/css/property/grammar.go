package property

import (
	"slices"
	"strings"

	"libra/pkg/inspect/css/syntax"
	"libra/pkg/inspect/markup"
)

// oneImage reads "none" or an image.
func oneImage(ns []syntax.Value, base markup.Base) (*Value, bool) {
	if len(ns) != 1 {
		return nil, false
	}
	if ns[0].IsIdent("none") {
		return &Value{}, true
	}
	img, ok := parseImage(ns[0], base)
	return &Value{Images: []Image{img}}, ok
}

// imageList reads images separated by commas.
func imageList(ns []syntax.Value, base markup.Base) (*Value, bool) {
	v := &Value{}
	for _, part := range syntax.Split(ns, syntax.IsComma) {
		one, ok := oneImage(part, base)
		if !ok {
			return nil, false
		}
		v.Images = append(v.Images, one.Images...)
	}
	return v, true
}

// urlOrNone reads "none" or one url().
func urlOrNone(ns []syntax.Value, base markup.Base) (*Value, bool) {
	if len(ns) != 1 {
		return nil, false
	}
	if ns[0].IsIdent("none") {
		return &Value{}, true
	}
	ref, ok := ns[0].URL()
	return &Value{Images: URLImages(ref, base)}, ok
}

// URLImages is the image that ref names, if it is a request.
func URLImages(ref string, base markup.Base) []Image {
	if abs, ok := ResolveURL(base, ref); ok {
		return []Image{{options: []option{{url: abs, density: 1}}}}
	}
	return nil
}

// urlOrShape reads clip-path, shape-outside and offset-path.
func urlOrShape(ns []syntax.Value, base markup.Base) (*Value, bool) {
	v := &Value{}
	for _, w := range syntax.Fields(ns) {
		if img, ok := parseImage(w, base); ok {
			v.Images = append(v.Images, img)
		} else if w.Kind != syntax.Ident && w.Kind != syntax.Function {
			return nil, false
		}
	}
	return v, len(v.Images) <= 1
}

var filterFunctions = syntax.Keywords(`blur brightness contrast drop-shadow grayscale hue-rotate invert opacity saturate sepia`)

func filterValue(ns []syntax.Value, base markup.Base) (*Value, bool) {
	v := &Value{}
	if len(ns) == 1 && ns[0].IsIdent("none") {
		return v, true
	}
	for _, w := range syntax.Fields(ns) {
		if ref, ok := w.URL(); ok {
			v.Images = append(v.Images, URLImages(ref, base)...)
		} else if w.Kind != syntax.Function || !filterFunctions[strings.ToLower(w.Text)] {
			return nil, false
		}
	}
	return v, true
}

// paintValue reads fill and stroke: a colour, or url() with a fallback.
func paintValue(ns []syntax.Value, base markup.Base) (*Value, bool) {
	w := syntax.Fields(ns)
	if ref, ok := w[0].URL(); ok {
		return &Value{Images: URLImages(ref, base)}, len(w) <= 2
	}
	return &Value{}, len(w) == 1
}

// reflectValue reads -webkit-box-reflect: direction, offset, image.
func reflectValue(ns []syntax.Value, base markup.Base) (*Value, bool) {
	v := &Value{}
	for _, w := range syntax.Fields(ns) {
		if img, ok := parseImage(w, base); ok {
			v.Images = append(v.Images, img)
		}
	}
	return v, true
}

var cursors = syntax.Keywords(`auto default none context-menu help pointer progress wait cell crosshair text vertical-text alias
	copy move no-drop not-allowed grab grabbing e-resize n-resize ne-resize nw-resize s-resize se-resize sw-resize
	w-resize ew-resize ns-resize nesw-resize nwse-resize col-resize row-resize all-scroll zoom-in zoom-out hand
	-webkit-grab -webkit-grabbing -webkit-zoom-in -webkit-zoom-out -internal-media-control`)

// cursorValue reads images with hot spots, then the keyword that must follow.
func cursorValue(ns []syntax.Value, base markup.Base) (*Value, bool) {
	parts := syntax.Split(ns, syntax.IsComma)
	last := parts[len(parts)-1]
	if len(last) != 1 || last[0].Kind != syntax.Ident || !cursors[strings.ToLower(last[0].Text)] {
		return nil, false
	}
	v := &Value{}
	for _, part := range parts[:len(parts)-1] {
		w := syntax.Fields(part)
		if len(w) != 1 && len(w) != 3 {
			return nil, false
		}
		img, ok := parseImage(w[0], base)
		if !ok {
			return nil, false
		}
		v.Images = append(v.Images, img)
	}
	return v, true
}

var contentWords = syntax.Keywords(`normal none open-quote close-quote no-open-quote no-close-quote`)

// contentValue reads strings, images, counters and attr(), up to the "/"
// before alternative text.
func contentValue(ns []syntax.Value, base markup.Base) (*Value, bool) {
	v := &Value{}
	w := syntax.Fields(syntax.Split(ns, syntax.IsSlash)[0])
	for _, n := range w {
		if img, ok := parseImage(n, base); ok {
			v.Images = append(v.Images, img)
			continue
		}
		switch {
		case n.Kind == syntax.String:
			v.Keywords = append(v.Keywords, n.Text)
		case n.Kind == syntax.Ident && contentWords[strings.ToLower(n.Text)]:
			switch word := strings.ToLower(n.Text); word {
			case "normal", "none":
				return &Value{}, len(w) == 1
			case "open-quote", "close-quote":
				v.Keywords = append(v.Keywords, "“")
			default:
				v.Keywords = append(v.Keywords, "")
			}
		case n.IsFunction("attr") && len(n.Args) > 0:
			v.Attrs = append(v.Attrs, strings.ToLower(n.Args[0].Text))
		case n.IsFunction("counter") || n.IsFunction("counters"):
			v.Keywords = append(v.Keywords, "0")
		default:
			return nil, false
		}
	}
	return v, len(w) > 0
}

func keywords(allowed string) func([]syntax.Value, markup.Base) (*Value, bool) {
	ok := syntax.Keywords(allowed)
	return func(ns []syntax.Value, _ markup.Base) (*Value, bool) {
		if len(ns) != 1 || ns[0].Kind != syntax.Ident {
			return nil, false
		}
		word := strings.ToLower(ns[0].Text)
		return &Value{Keywords: []string{word}}, ok[word]
	}
}

func anyWord(ns []syntax.Value, _ markup.Base) (*Value, bool) {
	return &Value{Keywords: []string{strings.ToLower(ns[0].Text)}}, len(ns) == 1
}

var displays = syntax.Keywords(`none contents block inline flow flow-root inline-block list-item table inline-table
	table-row-group table-header-group table-footer-group table-row table-cell table-column-group table-column
	table-caption flex inline-flex grid inline-grid grid-lanes inline-grid-lanes ruby ruby-text math run-in
	-webkit-box -webkit-inline-box -webkit-flex -webkit-inline-flex block-ruby masonry inline-masonry`)

// ParseDisplay reads one keyword, or several as in "inline list-item".
func ParseDisplay(ns []syntax.Value, _ markup.Base) (*Value, bool) {
	v := &Value{}
	for _, w := range syntax.Fields(ns) {
		word := strings.ToLower(w.Text)
		if w.Kind != syntax.Ident || !displays[word] {
			return nil, false
		}
		v.Keywords = append(v.Keywords, word)
	}
	return v, len(v.Keywords) == 1 || !slices.Contains(v.Keywords, "none")
}

var (
	backgroundWords = syntax.Keywords(`none repeat repeat-x repeat-y no-repeat space round scroll fixed local left right top bottom
		center x-start x-end y-start y-end cover contain auto border-box padding-box content-box text border-area`)
	maskWords = syntax.Keywords(`none repeat repeat-x repeat-y no-repeat space round left right top bottom center cover contain auto
		border-box padding-box content-box margin-box fill-box stroke-box view-box no-clip add subtract intersect
		exclude alpha luminance match-source border padding content text`)
)

// layers reads the background and mask shorthands: per layer at most one
// image, beside words, sizes and, for a background, a colour.
func layers(id ID, allowed map[string]bool) grammar {
	return func(ns []syntax.Value, base markup.Base) ([]setting, bool) {
		v := &Value{}
		parts := syntax.Split(ns, syntax.IsComma)
		for i, part := range parts {
			w := syntax.Fields(part)
			images, colours := 0, 0
			for _, n := range w {
				if img, ok := parseImage(n, base); ok {
					v.Images = append(v.Images, img)
					images++
					continue
				}
				switch {
				case n.Kind == syntax.Ident && allowed[strings.ToLower(n.Text)], n.IsDelim('/'),
					n.Kind == syntax.Dimension, n.Kind == syntax.Percentage, n.Kind == syntax.Number && n.Num == 0, isMath(n):
				case id == BackgroundImage && isColour(n) && i == len(parts)-1:
					colours++
				default:
					return nil, false
				}
			}
			if len(w) == 0 || images > 1 || colours > 1 {
				return nil, false
			}
		}
		return []setting{{id, v}}, true
	}
}

var borderImageWords = syntax.Keywords(`none stretch repeat round space fill auto`)

// borderImage reads an image beside slices, widths and repeats.
func borderImage(id ID) grammar {
	return func(ns []syntax.Value, base markup.Base) ([]setting, bool) {
		v := &Value{}
		for _, n := range syntax.Fields(ns) {
			if img, ok := parseImage(n, base); ok {
				v.Images = append(v.Images, img)
				continue
			}
			switch {
			case n.Kind == syntax.Ident && borderImageWords[strings.ToLower(n.Text)], n.IsDelim('/'),
				n.Kind == syntax.Dimension, n.Kind == syntax.Percentage, n.Kind == syntax.Number, isMath(n):
			default:
				return nil, false
			}
		}
		return []setting{{id, v}}, len(v.Images) <= 1
	}
}

var borderWords = syntax.Keywords(`none hidden dotted dashed solid double groove ridge inset outset thin medium thick`)

// borderValue reads the border shorthand, which takes the border image away.
func borderValue(ns []syntax.Value, _ markup.Base) ([]setting, bool) {
	for _, n := range syntax.Fields(ns) {
		switch {
		case n.Kind == syntax.Ident && borderWords[strings.ToLower(n.Text)], n.Kind == syntax.Dimension,
			n.Kind == syntax.Number && n.Num == 0, isMath(n), isColour(n):
		default:
			return nil, false
		}
	}
	return []setting{{BorderImageSource, &Value{}}}, true
}

// listStyle reads the list-style shorthand.
func listStyle(ns []syntax.Value, base markup.Base) ([]setting, bool) {
	img, typ := &Value{}, &Value{Keywords: []string{"disc"}}
	for _, n := range syntax.Fields(ns) {
		if i, ok := parseImage(n, base); ok {
			img.Images = append(img.Images, i)
			continue
		}
		switch {
		case n.IsIdent("inside") || n.IsIdent("outside"):
		case n.Kind == syntax.Ident || n.Kind == syntax.String:
			typ.Keywords[0] = strings.ToLower(n.Text)
		case n.IsFunction("symbols"):
		default:
			return nil, false
		}
	}
	return []setting{{ListStyleImage, img}, {ListStyleType, typ}}, len(img.Images) <= 1
}

func markerShorthand(ns []syntax.Value, base markup.Base) ([]setting, bool) {
	v, ok := urlOrNone(ns, base)
	return []setting{{MarkerStart, v}, {MarkerMid, v}, {MarkerEnd, v}}, ok
}

func offsetShorthand(ns []syntax.Value, base markup.Base) ([]setting, bool) {
	v := &Value{}
	for _, n := range syntax.Fields(ns) {
		if ref, ok := n.URL(); ok {
			v.Images = append(v.Images, URLImages(ref, base)...)
		}
	}
	return []setting{{OffsetPath, v}}, true
}
