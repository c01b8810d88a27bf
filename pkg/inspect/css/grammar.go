package css

import (
	"slices"
	"strings"
)

// oneImage reads "none" or an image.
func oneImage(ns []node, base string) (*value, bool) {
	if len(ns) != 1 {
		return nil, false
	}
	if ns[0].isIdent("none") {
		return &value{}, true
	}
	img, ok := parseImage(ns[0], base)
	return &value{images: []image{img}}, ok
}

// imageList reads images separated by commas.
func imageList(ns []node, base string) (*value, bool) {
	v := &value{}
	for _, part := range split(ns, atComma) {
		one, ok := oneImage(part, base)
		if !ok {
			return nil, false
		}
		v.images = append(v.images, one.images...)
	}
	return v, true
}

// urlOrNone reads "none" or one url().
func urlOrNone(ns []node, base string) (*value, bool) {
	if len(ns) != 1 {
		return nil, false
	}
	if ns[0].isIdent("none") {
		return &value{}, true
	}
	ref, ok := ns[0].urlOf()
	return &value{images: refImages(ref, base)}, ok
}

func refImages(ref, base string) []image {
	if abs, ok := resolve(base, ref); ok {
		return []image{{options: []option{{url: abs, density: 1}}}}
	}
	return nil
}

// urlOrShape reads clip-path, shape-outside and offset-path.
func urlOrShape(ns []node, base string) (*value, bool) {
	v := &value{}
	for _, w := range words(ns) {
		if img, ok := parseImage(w, base); ok {
			v.images = append(v.images, img)
		} else if w.kind != ident && w.kind != function {
			return nil, false
		}
	}
	return v, len(v.images) <= 1
}

var filterFunctions = set(`blur brightness contrast drop-shadow grayscale hue-rotate invert opacity saturate sepia`)

func filterValue(ns []node, base string) (*value, bool) {
	v := &value{}
	if len(ns) == 1 && ns[0].isIdent("none") {
		return v, true
	}
	for _, w := range words(ns) {
		if ref, ok := w.urlOf(); ok {
			v.images = append(v.images, refImages(ref, base)...)
		} else if w.kind != function || !filterFunctions[strings.ToLower(w.value)] {
			return nil, false
		}
	}
	return v, true
}

// paintValue reads fill and stroke: a colour, or url() with a fallback.
func paintValue(ns []node, base string) (*value, bool) {
	w := words(ns)
	if ref, ok := w[0].urlOf(); ok {
		return &value{images: refImages(ref, base)}, len(w) <= 2
	}
	return &value{}, len(w) == 1
}

// reflectValue reads -webkit-box-reflect: direction, offset, image.
func reflectValue(ns []node, base string) (*value, bool) {
	v := &value{}
	for _, w := range words(ns) {
		if img, ok := parseImage(w, base); ok {
			v.images = append(v.images, img)
		}
	}
	return v, true
}

var cursors = set(`auto default none context-menu help pointer progress wait cell crosshair text vertical-text alias
	copy move no-drop not-allowed grab grabbing e-resize n-resize ne-resize nw-resize s-resize se-resize sw-resize
	w-resize ew-resize ns-resize nesw-resize nwse-resize col-resize row-resize all-scroll zoom-in zoom-out hand
	-webkit-grab -webkit-grabbing -webkit-zoom-in -webkit-zoom-out -internal-media-control`)

// cursorValue reads images with hot spots, then the keyword that must follow.
func cursorValue(ns []node, base string) (*value, bool) {
	parts := split(ns, atComma)
	last := parts[len(parts)-1]
	if len(last) != 1 || last[0].kind != ident || !cursors[strings.ToLower(last[0].value)] {
		return nil, false
	}
	v := &value{}
	for _, part := range parts[:len(parts)-1] {
		w := words(part)
		if len(w) != 1 && len(w) != 3 {
			return nil, false
		}
		img, ok := parseImage(w[0], base)
		if !ok {
			return nil, false
		}
		v.images = append(v.images, img)
	}
	return v, true
}

var contentWords = set(`normal none open-quote close-quote no-open-quote no-close-quote`)

// contentValue reads strings, images, counters and attr(), up to the "/"
// before alternative text.
func contentValue(ns []node, base string) (*value, bool) {
	v := &value{}
	w := words(split(ns, atSlash)[0])
	for _, n := range w {
		if img, ok := parseImage(n, base); ok {
			v.images = append(v.images, img)
			continue
		}
		switch {
		case n.kind == str:
			v.words = append(v.words, n.value)
		case n.kind == ident && contentWords[strings.ToLower(n.value)]:
			switch word := strings.ToLower(n.value); word {
			case "normal", "none":
				return &value{}, len(w) == 1
			case "open-quote", "close-quote":
				v.words = append(v.words, "“")
			default:
				v.words = append(v.words, "")
			}
		case n.isFunc("attr") && len(n.args) > 0:
			v.attrs = append(v.attrs, strings.ToLower(n.args[0].value))
		case n.isFunc("counter") || n.isFunc("counters"):
			v.words = append(v.words, "0")
		default:
			return nil, false
		}
	}
	return v, len(w) > 0
}

func keywords(allowed string) func([]node, string) (*value, bool) {
	ok := set(allowed)
	return func(ns []node, _ string) (*value, bool) {
		if len(ns) != 1 || ns[0].kind != ident {
			return nil, false
		}
		word := strings.ToLower(ns[0].value)
		return &value{words: []string{word}}, ok[word]
	}
}

func anyWord(ns []node, _ string) (*value, bool) {
	return &value{words: []string{strings.ToLower(ns[0].value)}}, len(ns) == 1
}

var displays = set(`none contents block inline flow flow-root inline-block list-item table inline-table
	table-row-group table-header-group table-footer-group table-row table-cell table-column-group table-column
	table-caption flex inline-flex grid inline-grid grid-lanes inline-grid-lanes ruby ruby-text math run-in
	-webkit-box -webkit-inline-box -webkit-flex -webkit-inline-flex block-ruby masonry inline-masonry`)

// displayValue reads one keyword, or several as in "inline list-item".
func displayValue(ns []node, _ string) (*value, bool) {
	v := &value{}
	for _, w := range words(ns) {
		word := strings.ToLower(w.value)
		if w.kind != ident || !displays[word] {
			return nil, false
		}
		v.words = append(v.words, word)
	}
	return v, len(v.words) == 1 || !slices.Contains(v.words, "none")
}

var (
	backgroundWords = set(`none repeat repeat-x repeat-y no-repeat space round scroll fixed local left right top bottom
		center x-start x-end y-start y-end cover contain auto border-box padding-box content-box text border-area`)
	maskWords = set(`none repeat repeat-x repeat-y no-repeat space round left right top bottom center cover contain auto
		border-box padding-box content-box margin-box fill-box stroke-box view-box no-clip add subtract intersect
		exclude alpha luminance match-source border padding content text`)
)

// layers reads the background and mask shorthands: per layer at most one
// image, beside words, sizes and, for a background, a colour.
func layers(id prop, allowed map[string]bool) grammar {
	return func(ns []node, base string) ([]setting, bool) {
		v := &value{}
		parts := split(ns, atComma)
		for i, part := range parts {
			w := words(part)
			images, colours := 0, 0
			for _, n := range w {
				if img, ok := parseImage(n, base); ok {
					v.images = append(v.images, img)
					images++
					continue
				}
				switch {
				case n.kind == ident && allowed[strings.ToLower(n.value)], n.isDelim('/'),
					n.kind == dimension, n.kind == percentage, n.kind == number && n.num == 0, isMath(n):
				case id == backgroundImage && isColour(n) && i == len(parts)-1:
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

var borderImageWords = set(`none stretch repeat round space fill auto`)

// borderImage reads an image beside slices, widths and repeats.
func borderImage(id prop) grammar {
	return func(ns []node, base string) ([]setting, bool) {
		v := &value{}
		for _, n := range words(ns) {
			if img, ok := parseImage(n, base); ok {
				v.images = append(v.images, img)
				continue
			}
			switch {
			case n.kind == ident && borderImageWords[strings.ToLower(n.value)], n.isDelim('/'),
				n.kind == dimension, n.kind == percentage, n.kind == number, isMath(n):
			default:
				return nil, false
			}
		}
		return []setting{{id, v}}, len(v.images) <= 1
	}
}

var borderWords = set(`none hidden dotted dashed solid double groove ridge inset outset thin medium thick`)

// borderValue reads the border shorthand, which takes the border image away.
func borderValue(ns []node, _ string) ([]setting, bool) {
	for _, n := range words(ns) {
		switch {
		case n.kind == ident && borderWords[strings.ToLower(n.value)], n.kind == dimension,
			n.kind == number && n.num == 0, isMath(n), isColour(n):
		default:
			return nil, false
		}
	}
	return []setting{{borderImageSource, &value{}}}, true
}

// listStyle reads the list-style shorthand.
func listStyle(ns []node, base string) ([]setting, bool) {
	img, typ := &value{}, &value{words: []string{"disc"}}
	for _, n := range words(ns) {
		if i, ok := parseImage(n, base); ok {
			img.images = append(img.images, i)
			continue
		}
		switch {
		case n.isIdent("inside") || n.isIdent("outside"):
		case n.kind == ident || n.kind == str:
			typ.words[0] = strings.ToLower(n.value)
		case n.isFunc("symbols"):
		default:
			return nil, false
		}
	}
	return []setting{{listStyleImage, img}, {listStyleType, typ}}, len(img.images) <= 1
}

func markerShorthand(ns []node, base string) ([]setting, bool) {
	v, ok := urlOrNone(ns, base)
	return []setting{{markerStart, v}, {markerMid, v}, {markerEnd, v}}, ok
}

func offsetShorthand(ns []node, base string) ([]setting, bool) {
	v := &value{}
	for _, n := range words(ns) {
		if ref, ok := n.urlOf(); ok {
			v.images = append(v.images, refImages(ref, base)...)
		}
	}
	return []setting{{offsetPath, v}}, true
}
