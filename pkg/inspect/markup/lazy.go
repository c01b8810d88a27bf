package markup

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// LazyElements lists the images and frames of a tree that are loaded lazily,
// in document order. Package css computes their positions.
func LazyElements(root *html.Node) []*html.Node {
	var list []*html.Node
	for n := range root.Descendants() {
		if (n.DataAtom == atom.Img || n.DataAtom == atom.Iframe) && n.Namespace == "" && strings.EqualFold(attr(n, "loading"), "lazy") {
			list = append(list, n)
		}
	}
	return list
}

// layoutViewport is the size that a phone with a screen of width by height
// lays the document out in: what the last <meta name=viewport> asks for,
// 980 pixels wide without one.
func layoutViewport(root *html.Node, width, height float64) (float64, float64) {
	const without = 980
	wide := float64(without)
	for n := range root.Descendants() {
		if n.DataAtom == atom.Meta && n.Namespace == "" && strings.EqualFold(attr(n, "name"), "viewport") {
			if w := viewportWidth(attr(n, "content"), width, height); w > 0 {
				wide = w
			} else {
				wide = without
			}
		}
	}
	return wide, height * wide / width
}

// viewportWidth reads the width that the content of a viewport's meta asks for,
// 0 for none.
func viewportWidth(content string, screen, height float64) float64 {
	fields := map[string]string{}
	for _, part := range strings.FieldsFunc(strings.ToLower(content), func(r rune) bool { return r == ',' || r == ';' }) {
		name, value, _ := strings.Cut(part, "=")
		fields[strings.Trim(name, space)] = strings.Trim(value, space)
	}
	asked, _, _ := leadingNumber(fields["width"])
	switch fields["width"] {
	case "device-width":
		asked = screen
	case "device-height":
		asked = height
	}
	scale, _, _ := leadingNumber(fields["initial-scale"])
	if asked > 0 {
		asked = min(max(asked, 1), 10000)
	}
	if scale > 0 {
		asked = max(asked, screen/min(max(scale, .1), 10))
	}
	return asked
}

// leadingNumber reads the number that s begins with; ok is false without one.
func leadingNumber(s string) (v float64, rest string, ok bool) {
	rest = strings.TrimLeft(s, "0123456789.")
	v, err := strconv.ParseFloat(s[:len(s)-len(rest)], 64)
	return v, rest, err == nil
}
