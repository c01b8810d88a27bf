package markup

import (
	"errors"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// walker visits a tree in document order and collects references.
type walker struct {
	doc       *Document
	env       Env
	resolver  resolver
	hasBase   bool               // a <base href> was seen: the first one wins
	lazy      map[*html.Node]int // what loads lazily, by its place from 1
	refresh   refresh            // the one that is followed
	inObject  int                // objects around the node that are requested
	preferred string             // the style sheet set that a <meta> prefers
	shadows   int                // shadow trees so far
	scope     int                // the one around the node, from 1; 0 for none
	upgraded  string             // the URL resolved last that is requested over https instead
	listed    map[string]bool    // URLs of the references, once no more are listed
	titled    bool               // the title was seen: the first one counts
}

// document visits a whole tree.
func (w *walker) document(root *html.Node) {
	w.children(root)
	w.doc.Base = w.inlineBase()
}

func (w *walker) children(n *html.Node) {
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		w.node(c)
	}
}

func (w *walker) node(n *html.Node) {
	switch n.Type {
	case html.CommentNode:
		w.instruction(n)
		return
	case html.TextNode:
		return
	case html.DocumentNode:
		w.children(n)
		return
	case html.ElementNode:
	default:
		return
	}
	if w.env.Scripting && !w.doc.MayFetch && len(n.Attr) > 0 {
		w.handlers(n)
	}
	descend := true
	if n.Namespace == "svg" {
		descend = w.svg(n)
	} else if n.Namespace == "" {
		descend = w.element(n)
	}
	if descend {
		w.children(n)
	}
}

// element visits an HTML element and reports whether its children count.
func (w *walker) element(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Base:
		w.base(n)
	case atom.Link:
		w.link(n)
	case atom.Meta:
		w.meta(n)
	case atom.Script:
		w.script(n)
		return false
	case atom.Style:
		w.style(n)
		return false
	case atom.Img:
		w.img(n)
	case atom.Input:
		if strings.EqualFold(attr(n, "type"), "image") {
			w.image(n, attr(n, "src"), "input of type image")
		}
	case atom.Video, atom.Audio:
		w.media(n)
	case atom.Iframe:
		w.iframe(n)
		return false
	case atom.Frame:
		w.frame(n, "frame")
	case atom.Object:
		return w.object(n)
	case atom.Embed:
		w.embed(n)
	case atom.Template:
		w.template(n)
		return false
	case atom.Title:
		w.pageTitle(n)
		return false
	case atom.Noembed, atom.Noframes, atom.Textarea, atom.Xmp, atom.Plaintext:
		return false
	case atom.Noscript:
		return !w.env.Scripting
	}
	return true
}

// base takes the first <base href> that is a URL; links before it keep the document's URL.
func (w *walker) base(n *html.Node) {
	href, ok := lookup(n, "href")
	if !ok || w.hasBase {
		return
	}
	abs, ok := newResolver(Base{URL: w.doc.Base}).whole(href)
	w.hasBase = ok || strings.Trim(href, space) == "" // the document's own
	if !ok && relativeToNothing(href) {
		abs, ok, w.hasBase = opaqueBase, true, true
	}
	if ok {
		enc := w.resolver.encode
		w.resolver = newResolver(Base{URL: abs})
		w.resolver.encode = enc
	}
}

// opaqueBase stands for a base against which no relative URL resolves.
const opaqueBase = "about:blank"

// relativeToNothing reports whether href is a base of another scheme, as "mailto:x",
// which browsers take but for data: and javascript:.
func relativeToNothing(href string) bool {
	e := &weburl.Error{}
	_, err := weburl.Parse(href)
	return errors.As(err, &e) && e.Kind == weburl.OtherScheme && e.Part != "data" && e.Part != "javascript"
}

// add resolves raw and records a reference to it; it reports false where raw
// is no URL that a browser requests.
func (w *walker) add(raw string, r Reference) bool {
	abs, ok := w.resolve(raw)
	if !ok {
		return r.Kind == Frame && w.dataFrame(raw, r)
	}
	r.URL = abs
	return w.list(r)
}

// inlineBase returns the base URL of inline style sheets.
func (w *walker) inlineBase() string {
	if w.resolver.base.IsZero() && w.hasBase {
		return opaqueBase
	}
	if !w.resolver.base.IsZero() {
		return w.resolver.base.String()
	}
	return w.doc.Base
}

// list records r, unless the document has more than is listed.
func (w *walker) list(r Reference) bool {
	if w.upgraded != "" && r.URL == w.upgraded {
		r.Reason += upgradeReason
	}
	if w.env.MaxReferences <= 0 || len(w.doc.References) < w.env.MaxReferences {
		w.doc.References = append(w.doc.References, r)
		return true
	}
	if w.listed == nil {
		w.listed = make(map[string]bool, len(w.doc.References))
		for _, old := range w.doc.References {
			w.listed[old.URL] = true
		}
	}
	if !w.listed[r.URL] {
		w.doc.Unlisted++
	}
	return false
}

// resolve returns the URL that is requested for raw.
func (w *walker) resolve(raw string) (string, bool) {
	abs, ok := w.absolute(raw)
	if w.doc.Upgrade && ok {
		if to, is := upgraded(abs); is {
			abs, w.upgraded = to, to
		}
	}
	return abs, ok
}

// absolute makes raw absolute; a frame's own URL stays as it is.
func (w *walker) absolute(raw string) (string, bool) {
	if w.env.MaxDataURI > 0 && len(raw) > w.env.MaxDataURI {
		if len(raw) > 5 && strings.EqualFold(strings.TrimLeft(raw[:5], space), "data:") {
			w.doc.Truncated++
		}
		return "", false
	}
	return w.resolver.resolve(raw)
}

// image records an image that a browser requests at once.
func (w *walker) image(n *html.Node, raw, reason string) {
	w.add(raw, Reference{Type: libra.Image, Fetch: libra.Fetched, Reason: reason})
}

// instruction reads <?xml-stylesheet href="…"?>, which arrives as a comment.
func (w *walker) instruction(n *html.Node) {
	rest, ok := strings.CutPrefix(n.Data, "?xml-stylesheet")
	if !ok {
		return
	}
	pseudo, err := html.ParseFragment(strings.NewReader("<link "+strings.TrimSuffix(rest, "?")+">"), &html.Node{Type: html.ElementNode, Data: "head", DataAtom: atom.Head})
	if err != nil || len(pseudo) == 0 {
		return
	}
	l := pseudo[0]
	if t := strings.ToLower(attr(l, "type")); t != "" && t != "text/css" {
		return
	}
	w.sheet(l, attr(l, "href"), strings.EqualFold(attr(l, "alternate"), "yes"), "xml-stylesheet instruction")
}

// attr returns the value of an attribute without a namespace.
func attr(n *html.Node, key string) string {
	v, _ := lookup(n, key)
	return v
}

func lookup(n *html.Node, key string) (string, bool) {
	for _, a := range n.Attr {
		if a.Namespace == "" && a.Key == key {
			return a.Val, true
		}
	}
	return "", false
}

func has(n *html.Node, key string) bool {
	_, ok := lookup(n, key)
	return ok
}

// textOf joins the text children of n.
func textOf(n *html.Node) string {
	if c := n.FirstChild; c != nil && c.NextSibling == nil && c.Type == html.TextNode {
		return c.Data
	}
	var b strings.Builder
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}
