package markup

import (
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// img visits an <img>: a matching <source> of its picture, else its own
// srcset and src.
func (w *walker) img(n *html.Node) {
	r := Reference{Type: libra.Image, Fetch: libra.Fetched, Reason: "image"}
	if r.Lazy = w.lazy[n]; r.Lazy > 0 {
		r.Fetch, r.Reason = libra.Lazy, "image, lazy"
	}
	if n.Parent != nil && n.Parent.DataAtom == atom.Picture {
		if w.picture(n, r) {
			return
		}
	}
	w.pick(n, attr(n, "srcset"), attr(n, "sizes"), attr(n, "src"), r)
}

// picture looks for the <source> that stands in for img, and records what the
// others name as not requested.
func (w *walker) picture(img *html.Node, r Reference) bool {
	found := false
	for s := img.Parent.FirstChild; s != nil && s != img; s = s.NextSibling {
		if s.DataAtom != atom.Source || attr(s, "srcset") == "" {
			continue
		}
		t, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(attr(s, "type"))), ";")
		t = strings.TrimSpace(t)
		q := r
		switch {
		case found:
			q.Fetch, q.Reason = libra.Conditional, "picture source after the chosen one"
		case t != "" && !imageTypes[t]:
			q.Fetch, q.Reason = libra.Conditional, "picture source of a type that is not supported"
		case !w.env.media(attr(s, "media")):
			q.Fetch, q.Reason = libra.Conditional, "picture source for other media"
		case len(ParseSrcset(attr(s, "srcset"), 1)) == 0:
			continue
		default:
			found = true
			q.Reason = strings.Replace(q.Reason, "image", "picture source", 1)
		}
		w.pick(s, attr(s, "srcset"), attr(s, "sizes"), "", q)
	}
	if found {
		w.unpicked(img, ParseSrcset(attr(img, "srcset"), 1), attr(img, "src"), "")
	}
	return found
}

// pick records the candidate of a srcset that is requested as r, the others
// as conditional.
func (w *walker) pick(n *html.Node, srcset, sizes, src string, r Reference) {
	candidates := ParseSrcset(srcset, w.sourceSize(n, sizes))
	src = strings.Trim(src, space)
	chosen, ok := Pick(candidates, src, w.env.DPR)
	if !ok {
		return
	}
	if _, auto := autoSizes(sizes); auto && r.Lazy > 0 && n.DataAtom == atom.Img {
		for _, c := range candidates {
			if c.URL, ok = w.resolve(c.URL); ok && c.Width > 0 {
				r.Auto = append(r.Auto, c)
			}
		}
	}
	w.add(chosen.URL, r)
	w.unpicked(n, candidates, src, chosen.URL)
}

// unpicked records every candidate but chosen.
func (w *walker) unpicked(n *html.Node, candidates []Candidate, src, chosen string) {
	seen := map[string]bool{chosen: true, "": true}
	for _, c := range append(candidates, Candidate{URL: src}) {
		if !seen[c.URL] {
			seen[c.URL] = true
			w.add(c.URL, Unpicked(c.URL))
		}
	}
}

// Unpicked is the reference to a candidate that is not picked.
func Unpicked(url string) Reference {
	return Reference{URL: url, Type: libra.Image, Fetch: libra.Conditional, Reason: "srcset candidate for another size or density"}
}

// autoSizes reports whether sizes begins with auto, and returns what follows.
func autoSizes(sizes string) (rest string, auto bool) {
	rest, auto = strings.CutPrefix(strings.ToLower(strings.TrimSpace(sizes)), "auto")
	return rest, auto && (rest == "" || rest[0] == ',')
}

// sourceSize evaluates sizes; "auto" counts for lazy images only and is the
// width attribute until the layout is known.
func (w *walker) sourceSize(n *html.Node, sizes string) float64 {
	if rest, auto := autoSizes(sizes); auto {
		if v, err := strconv.ParseFloat(attr(n, "width"), 64); err == nil && w.env.Scripting && strings.EqualFold(attr(n, "loading"), "lazy") {
			return v
		}
		sizes = strings.TrimPrefix(rest, ",")
	}
	return w.env.SourceSize(sizes)
}

// iframe visits an <iframe>.
func (w *walker) iframe(n *html.Node) {
	if text, ok := lookup(n, "srcdoc"); ok {
		width, height := w.frameSize(n)
		w.list(Reference{
			Type: libra.Document, Fetch: libra.Fetched, Reason: "srcdoc frame", Kind: Frame, Inline: text, Width: width, Height: height,
			Sandboxed: w.env.Sandboxed || has(n, "sandbox"), Scriptless: w.env.Scriptless || scriptless(n),
		})
		w.unused(n, attr(n, "src"), libra.Document, "frame src beside srcdoc")
		return
	}
	w.frame(n, "iframe")
}

// scriptless reports whether the sandbox of a frame forbids scripts.
func scriptless(n *html.Node) bool {
	flags, ok := lookup(n, "sandbox")
	return ok && !slices.Contains(strings.Fields(strings.ToLower(flags)), "allow-scripts")
}

func (w *walker) frame(n *html.Node, what string) {
	r := Reference{Type: libra.Document, Fetch: libra.Fetched, Reason: what, Kind: Frame}
	r.Sandboxed = w.env.Sandboxed || what == "iframe" && has(n, "sandbox")
	r.Scriptless = w.env.Scriptless || what == "iframe" && scriptless(n)
	r.Width, r.Height = w.frameSize(n)
	if r.Lazy = w.lazy[n]; r.Lazy > 0 {
		r.Fetch, r.Reason = libra.Lazy, what+", lazy"
	}
	src := attr(n, "src")
	if code, ok := cutJavaScript(src); ok && w.env.Scripting && !r.Scriptless {
		w.executed(code, w.resolver.base.String(), false)
	}
	w.add(src, r)
}

// cutJavaScript returns the script of a javascript: URL.
func cutJavaScript(raw string) (code string, ok bool) {
	const scheme = "javascript:"
	raw = strings.TrimLeft(raw, space)
	if len(raw) < len(scheme) || !strings.EqualFold(raw[:len(scheme)], scheme) {
		return "", false
	}
	return weburl.PercentDecode(raw[len(scheme):]), true
}

// frameSize is the viewport of a frame: its attributes, else 300 by 150.
func (w *walker) frameSize(n *html.Node) (width, height float64) {
	return dimension(attr(n, "width"), 300, w.env.Width), dimension(attr(n, "height"), 150, w.env.Height)
}

// dimension reads the width or height attribute of an element.
func dimension(s string, initial, whole float64) float64 {
	v, rest, ok := leadingNumber(strings.TrimSpace(s))
	switch {
	case !ok:
		return initial
	case strings.HasPrefix(rest, "%"):
		return v * whole / 100
	}
	return v
}

// object visits an <object> and reports whether its fallback content counts.
func (w *walker) object(n *html.Node) bool {
	if w.scope == lostScope {
		return false
	}
	w.doc.Boxes++
	if w.inObject > 0 {
		w.unused(n, attr(n, "data"), libra.Document, "object inside an object, for when that fails")
		return true
	}
	t, kind, known := objectType(attr(n, "type"), attr(n, "data"))
	if attr(n, "data") == "" {
		return true
	}
	if !known {
		w.unused(n, attr(n, "data"), libra.Other, "object of a type that is not supported")
		return true
	}
	r := Reference{Type: t, Fetch: libra.Fetched, Reason: "object", Kind: kind, Box: w.doc.Boxes, Scriptless: w.env.Scriptless}
	r.Width, r.Height = w.frameSize(n)
	if w.add(attr(n, "data"), r) {
		w.inObject++
		w.children(n)
		w.inObject--
		return false
	}
	return true
}

// embed visits an <embed>.
func (w *walker) embed(n *html.Node) {
	if w.scope == lostScope {
		return
	}
	w.doc.Boxes++
	t, kind, known := objectType(attr(n, "type"), attr(n, "src"))
	if !known {
		w.unused(n, attr(n, "src"), libra.Other, "embed of a type that is not supported")
		return
	}
	r := Reference{Type: t, Fetch: libra.Fetched, Reason: "embed", Kind: kind, Box: w.doc.Boxes, Scriptless: w.env.Scriptless}
	r.Width, r.Height = w.frameSize(n)
	w.add(attr(n, "src"), r)
}

// objectType says what an object or embed is requested as. Without a type
// attribute it is a frame, whatever comes.
func objectType(t, raw string) (libra.ResourceType, Kind, bool) {
	t, _, _ = strings.Cut(strings.ToLower(t), ";")
	switch {
	case t == "":
		if isImagePath(raw) {
			return libra.Image, Leaf, true
		}
		return libra.Document, Frame, true
	case t == "image/svg+xml":
		return libra.Document, Frame, true
	case imageTypes[t]:
		return libra.Image, Leaf, true
	case t == "application/pdf":
		return libra.Document, Leaf, true
	case framable(t):
		return libra.Document, Frame, true
	}
	return libra.Other, Leaf, false
}

// framable reports whether Chromium shows a media type in a frame of its own:
// text but for what other programs are for, data, scripts and media.
func framable(t string) bool {
	if kind, ok := strings.CutPrefix(t, "text/"); ok {
		return !foreignText[kind]
	}
	switch t {
	case "application/xhtml+xml", "application/xml", "application/rss+xml", "application/atom+xml", "application/json",
		"multipart/related", "multipart/x-mixed-replace", "message/rfc822", "video/3gpp", "video/x-matroska":
		return true
	case "", "audio/x-flac":
		return false
	}
	return strings.HasSuffix(t, "+json") || javaScript[t] || mediaPlayable(t)
}

// foreignText are the kinds of text that Chromium leaves to other programs.
var foreignText = map[string]bool{
	"calendar": true, "x-calendar": true, "x-vcalendar": true, "vcalendar": true, "vcard": true, "x-vcard": true, "x-vcf": true, "directory": true,
	"ldif": true, "qif": true, "x-qif": true, "x-csv": true, "csv": true, "comma-separated-values": true, "tab-separated-values": true, "tsv": true,
	"rtf": true, "ofx": true, "vnd.sun.j2me.app-descriptor": true, "x-ms-iqy": true, "x-ms-odc": true, "x-ms-rqy": true, "x-ms-contact": true,
}

// ObjectLoads reports whether the <object> n is of a type that loads, so that what
// it contains is not shown unless that fails.
func ObjectLoads(n *html.Node) bool {
	_, _, known := objectType(attr(n, "type"), attr(n, "data"))
	return known && attr(n, "data") != ""
}

// isImagePath guesses from the name's ending, as Chromium does.
func isImagePath(raw string) bool {
	path, _, _ := strings.Cut(stripFragment(raw), "?")
	dot := strings.LastIndexByte(path, '.')
	if dot < 0 {
		return false
	}
	switch strings.ToLower(path[dot+1:]) {
	case "png", "gif", "jpg", "jpeg", "webp", "avif", "bmp", "ico":
		return true
	}
	return false
}
