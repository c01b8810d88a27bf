package css

import (
	"strings"
)

// image is one image value: the alternatives of an image-set(), or one
// option for a plain url(). An image without options (a gradient, a
// "#fragment", data:) requests nothing.
type image struct {
	options []option
	also    []image // the other images of a cross-fade()
}

// option is one alternative of an image-set.
type option struct {
	url     string // absolute; "" for what requests nothing
	density float64
	unknown bool // of a type Chromium cannot show
	also    []image
}

// gradients are the image functions that name no address.
var gradients = set(`linear-gradient radial-gradient conic-gradient repeating-linear-gradient
	repeating-radial-gradient repeating-conic-gradient -webkit-linear-gradient -webkit-radial-gradient
	-webkit-repeating-linear-gradient -webkit-repeating-radial-gradient -webkit-gradient paint`)

// imageTypes are the types image-set(type()) and <source> can have.
var imageTypes = set(`image/png image/apng image/jpeg image/jpg image/pjpeg image/gif image/webp image/avif
	image/jxl image/svg+xml image/bmp image/x-ms-bmp image/x-icon image/vnd.microsoft.icon image/x-xbitmap image/x-png`)

// parseImage reads one image value against the sheet's base.
func parseImage(n node, base string) (image, bool) {
	if ref, ok := n.urlOf(); ok {
		abs, _ := resolve(base, ref)
		return image{options: []option{{url: abs, density: 1}}}, true
	}
	if n.kind != function {
		return image{}, false
	}
	name := strings.ToLower(n.value)
	switch {
	case gradients[name]:
		return image{}, len(trim(n.args)) > 0 && !stacked(n.args)
	case name == "image-set" || name == "-webkit-image-set":
		return imageSet(n, base)
	case name == "light-dark": // the page is shown in light colours
		if parts := split(n.args, atComma); len(parts) == 2 && len(parts[0]) == 1 {
			return parseImage(parts[0][0], base)
		}
		return image{}, false
	case name == "-webkit-cross-fade":
		var all image
		for _, part := range split(n.args, atComma) {
			for _, w := range words(part) {
				if img, ok := parseImage(w, base); ok {
					all.also = append(all.also, img)
				}
			}
		}
		return all, len(all.also) > 0
	}
	return image{}, false
}

// stacked says whether ns has an empty argument, as a broken gradient does.
func stacked(ns []node) bool {
	for _, p := range split(ns, atComma) {
		if len(p) == 0 {
			return true
		}
	}
	return false
}

// imageSet reads the options of image-set(): an image or string, then a
// resolution and a type in any order.
func imageSet(n node, base string) (image, bool) {
	var set image
	for _, part := range split(n.args, atComma) {
		w := words(part)
		if len(w) == 0 {
			return set, false
		}
		o := option{density: 1}
		if w[0].kind == str {
			o.url, _ = resolve(base, w[0].value)
		} else {
			img, ok := parseImage(w[0], base)
			if !ok || w[0].isFunc("image-set") {
				return set, false
			}
			o.also = img.also
			if len(img.options) > 0 {
				o.url = img.options[0].url
			}
		}
		for _, x := range w[1:] {
			if x.isFunc("type") && len(x.args) == 1 && x.args[0].kind == str {
				mime, _, _ := strings.Cut(strings.ToLower(x.args[0].value), ";")
				o.unknown = !imageTypes[strings.TrimSpace(mime)]
			} else if d, ok := resolution(x); ok && d > 0 {
				o.density = d
			} else if !isLengthFunc(x) {
				return set, false
			}
		}
		set.options = append(set.options, o)
	}
	return set, len(set.options) > 0
}

// pick gives the option of img that a screen with ratio dots per pixel shows:
// the lowest density that is enough, else the highest; the first of equals.
func (img image) pick(ratio float64) (option, bool) {
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

// urls lists what img requests at ratio.
func (img image) urls(ratio float64) []string {
	var urls []string
	if o, ok := img.pick(ratio); ok {
		if o.url != "" {
			urls = append(urls, o.url)
		}
		for _, a := range o.also {
			urls = append(urls, a.urls(ratio)...)
		}
	}
	for _, a := range img.also {
		urls = append(urls, a.urls(ratio)...)
	}
	return urls
}

// all lists every address in img.
func (img image) all() []string {
	var urls []string
	for _, o := range img.options {
		if o.url != "" {
			urls = append(urls, o.url)
		}
		for _, a := range o.also {
			urls = append(urls, a.all()...)
		}
	}
	for _, a := range img.also {
		urls = append(urls, a.all()...)
	}
	return urls
}
