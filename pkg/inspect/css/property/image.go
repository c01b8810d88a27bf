package property

import (
	"strings"

	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/syntax"
	"libra/pkg/inspect/markup"
)

// Image is one image value: the alternatives of an image-set(), or one
// option for a plain url(). An image without options (a gradient, a
// "#fragment", data:) requests nothing.
type Image struct {
	options []option
	also    []Image // the other images of a cross-fade()
}

// option is one alternative of an image-set.
type option struct {
	url     string // absolute; "" for what requests nothing
	density float64
	unknown bool // of a type Chromium cannot show
	also    []Image
}

// gradients are the image functions that name no address.
var gradients = syntax.Keywords(`linear-gradient radial-gradient conic-gradient repeating-linear-gradient
	repeating-radial-gradient repeating-conic-gradient -webkit-linear-gradient -webkit-radial-gradient
	-webkit-repeating-linear-gradient -webkit-repeating-radial-gradient -webkit-gradient paint`)

// imageTypes are the types image-set(type()) and <source> can have.
var imageTypes = syntax.Keywords(`image/png image/apng image/jpeg image/jpg image/pjpeg image/gif image/webp image/avif
	image/jxl image/svg+xml image/bmp image/x-ms-bmp image/x-icon image/vnd.microsoft.icon image/x-xbitmap image/x-png`)

// parseImage reads one image value against the sheet's base.
func parseImage(n syntax.Value, base markup.Base) (Image, bool) {
	if ref, ok := n.URL(); ok {
		abs, _ := ResolveURL(base, ref)
		return Image{options: []option{{url: abs, density: 1}}}, true
	}
	if n.Kind != syntax.Function {
		return Image{}, false
	}
	name := strings.ToLower(n.Text)
	switch {
	case gradients[name]:
		return Image{}, len(syntax.Trim(n.Args)) > 0 && !stacked(n.Args)
	case name == "image-set" || name == "-webkit-image-set":
		return imageSet(n, base)
	case name == "light-dark": // the page is shown in light colours
		if parts := syntax.Split(n.Args, syntax.IsComma); len(parts) == 2 && len(parts[0]) == 1 {
			return parseImage(parts[0][0], base)
		}
		return Image{}, false
	case name == "-webkit-cross-fade":
		var all Image
		for _, part := range syntax.Split(n.Args, syntax.IsComma) {
			for _, w := range syntax.Fields(part) {
				if img, ok := parseImage(w, base); ok {
					all.also = append(all.also, img)
				}
			}
		}
		return all, len(all.also) > 0
	}
	return Image{}, false
}

// stacked says whether ns has an empty argument, as a broken gradient does.
func stacked(ns []syntax.Value) bool {
	for _, p := range syntax.Split(ns, syntax.IsComma) {
		if len(p) == 0 {
			return true
		}
	}
	return false
}

// imageSet reads the options of image-set(): an image or string, then a
// resolution and a type in any order.
func imageSet(n syntax.Value, base markup.Base) (Image, bool) {
	var set Image
	for _, part := range syntax.Split(n.Args, syntax.IsComma) {
		w := syntax.Fields(part)
		if len(w) == 0 {
			return set, false
		}
		o := option{density: 1}
		if w[0].Kind == syntax.String {
			o.url, _ = ResolveURL(base, w[0].Text)
		} else {
			img, ok := parseImage(w[0], base)
			if !ok || w[0].IsFunction("image-set") {
				return set, false
			}
			o.also = img.also
			if len(img.options) > 0 {
				o.url = img.options[0].url
			}
		}
		for _, x := range w[1:] {
			if x.IsFunction("type") && len(x.Args) == 1 && x.Args[0].Kind == syntax.String {
				mime, _, _ := strings.Cut(strings.ToLower(x.Args[0].Text), ";")
				o.unknown = !imageTypes[strings.TrimSpace(mime)]
			} else if d, ok := media.Resolution(x); ok && d > 0 {
				o.density = d
			} else if !media.IsLengthFunction(x) {
				return set, false
			}
		}
		set.options = append(set.options, o)
	}
	return set, len(set.options) > 0
}

// pick gives the option of img that a screen with ratio dots per pixel shows:
// the lowest density that is enough, else the highest; the first of equals.
func (img Image) pick(ratio float64) (option, bool) {
	var best option
	found := false
	for _, o := range img.options {
		switch {
		case o.unknown:
		case !found, best.density < ratio && o.density > best.density,
			o.density >= ratio && o.density < best.density:
			best, found = o, true
		}
	}
	return best, found
}

// Requested lists what img requests at ratio.
func (img Image) Requested(ratio float64) []string {
	var urls []string
	if o, ok := img.pick(ratio); ok {
		if o.url != "" {
			urls = append(urls, o.url)
		}
		for _, a := range o.also {
			urls = append(urls, a.Requested(ratio)...)
		}
	}
	for _, a := range img.also {
		urls = append(urls, a.Requested(ratio)...)
	}
	return urls
}

// URLs lists every address in img.
func (img Image) URLs() []string {
	var urls []string
	for _, o := range img.options {
		if o.url != "" {
			urls = append(urls, o.url)
		}
		for _, a := range o.also {
			urls = append(urls, a.URLs()...)
		}
	}
	for _, a := range img.also {
		urls = append(urls, a.URLs()...)
	}
	return urls
}

// IsImage says whether text is an image, or none.
func IsImage(text string) bool {
	ns, ok := syntax.Values(text)
	_, image := oneImage(ns, markup.Base{})
	return ok && image
}
