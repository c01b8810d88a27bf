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
	var add func(n *html.Node)
	add = func(n *html.Node) {
		if (n.DataAtom == atom.Img || n.DataAtom == atom.Iframe) && n.Namespace == "" && strings.EqualFold(attr(n, "loading"), "lazy") {
			list = append(list, n)
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			add(c)
		}
	}
	add(root)
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
	length := func(name string) float64 {
		switch v := fields[name]; v {
		case "":
			return 0
		case "device-width":
			return screen
		case "device-height":
			return height
		default:
			return leadingNumber(v)
		}
	}
	asked, scale := length("width"), leadingNumber(fields["initial-scale"])
	if asked > 0 {
		asked = min(max(asked, 1), 10000)
	}
	if scale > 0 {
		asked = max(asked, screen/min(max(scale, .1), 10))
	}
	return asked
}

// leadingNumber reads the number that s begins with, 0 for none.
func leadingNumber(s string) float64 {
	end := strings.IndexFunc(s, func(r rune) bool { return (r < '0' || r > '9') && r != '.' })
	if end < 0 {
		end = len(s)
	}
	v, err := strconv.ParseFloat(s[:end], 64)
	if err != nil {
		return 0
	}
	return v
}
