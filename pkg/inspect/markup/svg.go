package markup

import (
	"strings"

	"golang.org/x/net/html"

	"libra/pkg/libra"
)

// svg visits an element of SVG, inline or in an SVG document, and reports whether
// its children count.
func (w *walker) svg(n *html.Node) bool {
	switch n.Data {
	case "image":
		w.image(n, svgHref(n), "SVG image")
	case "feImage":
		if href := svgHref(n); !strings.HasPrefix(strings.TrimSpace(href), "#") {
			w.image(n, href, "SVG feImage")
		}
	case "use":
		w.use(n)
	case "script":
		w.svgScript(n)
		return false
	case "style":
		w.style(n)
		return false
	case "title":
		if root := n.Parent; root != nil && root.Data == "svg" && root.Parent != nil && root.Parent.Type == html.DocumentNode {
			w.pageTitle(n)
		}
	}
	return true
}

// svgHref is href, or xlink:href without one.
func svgHref(n *html.Node) string {
	if v, ok := lookup(n, "href"); ok {
		return v
	}
	for _, a := range n.Attr {
		if a.Namespace == "xlink" && a.Key == "href" || a.Namespace == "" && a.Key == "xlink:href" {
			return a.Val
		}
	}
	return ""
}

// use records an external <use>, which needs a fragment, the same origin and
// another document than this one.
func (w *walker) use(n *html.Node) {
	href := strings.TrimSpace(svgHref(n))
	if strings.HasPrefix(href, "#") {
		return
	}
	abs, ok := w.resolve(href)
	if !ok || abs == stripFragment(w.doc.URL) {
		return
	}
	r := Reference{Type: libra.Image, Fetch: libra.Fetched, Reason: "SVG use of another document"}
	switch {
	case !strings.Contains(href, "#"):
		r.Reason, r.Kind = "SVG use of a whole document", Frame
	case !SameOrigin(abs, w.doc.URL):
		r.Fetch, r.Reason = libra.Unused, "SVG use of another origin"
	}
	w.add(href, r)
}
