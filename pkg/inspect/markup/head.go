package markup

import (
	"strings"

	"golang.org/x/net/html"

	"libra/pkg/libra"
)

// link visits a <link>.
func (w *walker) link(n *html.Node) {
	href, rel := attr(n, "href"), relations(n)
	switch {
	case rel["stylesheet"]:
		w.linkSheet(n, href, rel["alternate"])
	case w.early(n, rel):
	case rel["icon"]:
		w.unused(n, href, libra.Image, "icon: a window fetches one, a headless browser none")
	case rel["apple-touch-icon"], rel["apple-touch-icon-precomposed"], rel["mask-icon"]:
		w.unused(n, href, libra.Image, "icon for a home screen")
	case rel["manifest"]:
		w.unused(n, href, libra.Other, "manifest: fetched on installation")
	}
}

// relations are the words of a rel attribute, in lower case.
func relations(n *html.Node) map[string]bool {
	rel := map[string]bool{}
	for _, token := range strings.Fields(strings.ToLower(attr(n, "rel"))) {
		rel[token] = true
	}
	return rel
}

// early visits a link to a resource that is fetched in advance, and
// reports whether n is one.
func (w *walker) early(n *html.Node, rel map[string]bool) bool {
	href, media := attr(n, "href"), w.env.media(attr(n, "media"))
	switch {
	case rel["preload"]:
		w.preload(n, href, media)
	case rel["modulepreload"]:
		w.modulePreload(n, href, media)
	case rel["prefetch"]:
		w.add(href, Reference{Type: libra.Other, Fetch: libra.Fetched, Reason: "link prefetch"})
	case rel["compression-dictionary"]:
		w.add(href, Reference{Type: libra.Other, Fetch: libra.Fetched, Reason: "link compression-dictionary"})
	default:
		return false
	}
	return true
}

// unused records a reference that browsers do not request.
func (w *walker) unused(n *html.Node, raw string, t libra.ResourceType, reason string) {
	w.add(raw, Reference{Type: t, Fetch: libra.Unused, Reason: reason})
}

func (w *walker) linkSheet(n *html.Node, href string, alternate bool) {
	if has(n, "disabled") {
		w.unused(n, href, libra.Stylesheet, "stylesheet link is disabled")
		return
	}
	if !cssType(attr(n, "type")) {
		w.unused(n, href, libra.Stylesheet, "stylesheet link has an unknown type")
		return
	}
	w.sheet(n, href, alternate, "stylesheet link")
}

// sheet records a linked style sheet that is requested.
func (w *walker) sheet(n *html.Node, href string, alternate bool, reason string) {
	media := strings.Clone(attr(n, "media")) // the text of the document must not be retained
	source := SheetSource{Media: media, Scope: w.scope, Title: w.title(n), Applies: !alternate && w.scope != lostScope}
	abs, ok := w.resolve(href)
	if !ok {
		w.dataSheet(href, source)
		return
	}
	switch {
	case alternate:
		reason += ", alternate"
	case !w.env.media(media):
		reason += " for other media"
	}
	w.list(Reference{
		URL: abs, Type: libra.Stylesheet, Fetch: libra.Fetched, Reason: reason, Kind: Sheet, Media: media, Integrity: strings.Clone(attr(n, "integrity")),
		Encoding: Encoding(attr(n, "charset")),
	})
	source.URL = abs
	w.doc.Sheets = append(w.doc.Sheets, source)
}

// style visits a <style>.
func (w *walker) style(n *html.Node) {
	if !cssType(attr(n, "type")) {
		return
	}
	w.doc.Sheets = append(w.doc.Sheets, SheetSource{Text: strings.Clone(textOf(n)), Media: strings.Clone(attr(n, "media")), Base: w.inlineBase(), Scope: w.scope, Title: w.title(n), Applies: w.scope != lostScope})
}

// title returns the style sheet set; shadow trees have none.
func (w *walker) title(n *html.Node) string {
	if w.scope != 0 {
		return ""
	}
	return strings.Clone(attr(n, "title"))
}

// prefer records the set that a <meta> prefers, unless a sheet comes before it.
func (w *walker) prefer(title string) {
	for _, s := range w.doc.Sheets {
		if s.Applies && s.Title != "" {
			return
		}
	}
	w.preferred = title
}

// preferSheets leaves out the style sheets of sets that nobody chose: the one
// that a <meta> names applies, else that of the first sheet that is not
// alternate and has a title.
func (w *walker) preferSheets() {
	preferred := w.preferred
	for i := range w.doc.Sheets {
		s := &w.doc.Sheets[i]
		if preferred == "" && s.Applies {
			preferred = s.Title
		}
		if s.Title != "" {
			s.Applies = s.Title == preferred && (s.Applies || w.preferred != "")
		}
	}
}

func cssType(t string) bool {
	t, _, _ = strings.Cut(t, ";")
	t = strings.TrimSpace(t)
	return t == "" || strings.EqualFold(t, "text/css")
}

// preloadTypes maps the values of a preload's as attribute that Chromium
// knows.
var preloadTypes = map[string]libra.ResourceType{
	"script": libra.Script, "style": libra.Stylesheet, "image": libra.Image, "font": libra.Font,
	"fetch": libra.Other, "track": libra.Other,
}

func (w *walker) preload(n *html.Node, href string, media bool) {
	as := strings.ToLower(strings.TrimSpace(attr(n, "as")))
	t, known := preloadTypes[as]
	r := Reference{Type: t, Fetch: libra.Fetched, Reason: "link preload as " + as}
	switch {
	case !known:
		w.unused(n, href, libra.Other, "link preload without a known as")
		return
	case !media:
		r.Fetch, r.Reason = libra.Conditional, "link preload for other media"
	case !preloadable(as, attr(n, "type"), w.env.Scripting):
		r.Fetch, r.Reason = libra.Unused, "link preload of an unknown type"
	}
	if set := attr(n, "imagesrcset"); as == "image" && set != "" {
		w.pick(n, set, attr(n, "imagesizes"), href, r)
		return
	}
	w.add(href, r)
}

// preloadable reports whether Chromium preloads a type attribute as as.
func preloadable(as, t string, scripting bool) bool {
	t, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(t)), ";")
	if t = strings.TrimSpace(t); t == "" {
		return true
	}
	switch as {
	case "style":
		return t == "text/css"
	case "script":
		return javaScript[t] || t == "module" && scripting
	case "image":
		return imageTypes[t]
	case "font":
		return fontTypes[t]
	case "track":
		return t == "text/vtt"
	}
	return true
}

func (w *walker) modulePreload(n *html.Node, href string, media bool) {
	r := Reference{Type: libra.Script, Fetch: libra.Fetched, Reason: "link modulepreload"}
	as := strings.ToLower(attr(n, "as"))
	switch {
	case !media:
		r.Fetch, r.Reason = libra.Conditional, "link modulepreload for other media"
	case as == "style":
		r.Type = libra.Stylesheet
	case as == "json":
		r.Type = libra.Other
	case as == "image" && w.env.Scripting:
		r.Type = libra.Image
	case w.env.Scripting: // workers, and what is no module too
	case as != "" && as != "script":
		r.Fetch, r.Reason = libra.Unused, "link modulepreload of something else than a module"
	}
	w.add(href, r)
}

// imageTypes and fontTypes are the types that Chromium decodes.
var imageTypes = map[string]bool{
	"image/png": true, "image/apng": true, "image/gif": true, "image/jpeg": true, "image/jpg": true, "image/pjpeg": true,
	"image/webp": true, "image/avif": true, "image/svg+xml": true, "image/bmp": true, "image/x-icon": true, "image/jxl": true,
	"image/vnd.microsoft.icon": true, "image/x-png": true, "image/x-xbitmap": true, "image/x-ms-bmp": true,
}

var fontTypes = map[string]bool{
	"font/woff": true, "font/woff2": true, "font/ttf": true, "font/otf": true, "font/sfnt": true, "font/collection": true,
	"application/font-woff": true, "application/font-woff2": true, "application/font-sfnt": true,
	"application/x-font-ttf": true, "application/x-font-truetype": true, "application/x-font-opentype": true, "application/x-font-woff": true,
}
