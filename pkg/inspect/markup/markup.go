// Package markup reads a document as a browser does and lists what it refers
// to: HTML, XHTML and SVG in, references out. It does no input or output, and
// never fails: bytes that are no markup give a document without references.
//
// A reference says which URL, of which type, whether a browser that opens the
// document requests it (libra.Fetch, with a reason for a person), and what the
// answer's body is to be read as (Kind). References that come from style
// sheets are not found here: Sheets lists the style sheets in cascade order,
// and package css reads them.
//
// The rules are those measured with Chromium; docs/inspection.md lists them.
package markup

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"

	"libra/pkg/inspect/css/media"
	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// Kind says what the body of a reference is to be read as.
type Kind int

// A leaf is weighed and not read.
const (
	Leaf   Kind = iota // weighed only
	Sheet              // a style sheet: imports, url(), fonts
	Frame              // a nested document, HTML or SVG
	Script             // a classic script: literal import() calls
	Module             // a module script: static imports and literal import() calls
)

// Env is the browser that opens the document. The zero value is a window
// without size; New fills in nothing.
type Env struct {
	// Width and Height are the viewport in CSS pixels.
	Width, Height float64
	// DPR is the number of device pixels per CSS pixel.
	DPR float64
	// Scripting reports whether the browser runs scripts. Without it noscript is
	// read, no script is requested and lazy loading is off.
	Scripting bool
	// Scriptless means that the document is in a sandbox without allow-scripts: as
	// without Scripting, but scripts are requested all the same.
	Scriptless bool
	// Mobile means that the browser is a phone's: a document that does not name
	// a viewport is laid out 980 pixels wide.
	Mobile bool
	// Framed means that the document is shown in a frame, Sandboxed that the frame
	// or one around it has a sandbox.
	Framed, Sandboxed bool
	// Upgrade means that the policy of the document, or of one around it, has
	// upgrade-insecure-requests.
	Upgrade bool
	// MaxDataURI is the longest data: URI that is looked at, in bytes; longer
	// ones are passed over. 0 means any.
	MaxDataURI int
	// MaxElements bounds the elements and comments that are read, and
	// MaxReferences the references that are listed. 0 means any number.
	MaxElements, MaxReferences int
}

// Viewport is what media queries of the document are about.
func (e Env) Viewport() media.Viewport {
	return media.Viewport{Width: int(e.Width), Height: int(e.Height), PixelRatio: e.DPR, Mobile: e.Mobile, Scripting: e.Scripting}
}

// media says whether the media query list q matches in e.
func (e Env) media(q string) bool { return media.Match(q, e.Viewport()) }

// Reference is one thing that a document names.
type Reference struct {
	// URL is absolute and without a fragment. It is empty for a srcdoc frame
	// and for inline scripts, whose text is in Inline.
	URL    string
	Type   libra.ResourceType
	Fetch  libra.Fetch
	Reason string
	Kind   Kind
	// Lazy is not 0 for what loads lazily: its place, from 1, in LazyElements
	// of the document's tree. It is requested if its box is near the viewport.
	Lazy int
	// Auto lists the candidates of a lazy image with sizes=auto. URL is the one for
	// its width attribute; PickWidth picks by the width of its box.
	Auto []Candidate
	// Media is the media attribute of a style sheet.
	Media string
	// Inline is the text of a srcdoc frame (Kind Frame), or of one that shows a
	// data: URI: then InlineType is its media type.
	Inline, InlineType string
	// Width and Height size the viewport of a frame in CSS pixels.
	Width, Height float64
	// Box says which object or embed of the document this is, counted from 1:
	// those are requested once they have a box, which the style sheets decide.
	// 0 is what needs none.
	Box int
	// Sandboxed means that a frame has a sandbox, or is in one that has.
	Sandboxed bool
	// Scriptless means that its sandbox does not allow scripts, or one around it.
	Scriptless bool
	// TopLevel means that the document takes the place of the page, instead of
	// being framed by it.
	TopLevel bool
	// Encoding is the one that the charset attribute of a style sheet's link names,
	// "" for none.
	Encoding string
	// Integrity is the integrity attribute of a style sheet or module; a body
	// that fails it is weighed and not read.
	Integrity string
	// Fallback lists what is requested instead, in order, when the request
	// for URL fails: the next <source> of a video, for example.
	Fallback []Reference
}

// SheetSource is one style sheet of a document, in cascade order.
type SheetSource struct {
	// URL of a linked sheet, or "" for the inline sheet in Text.
	URL   string
	Text  string
	Media string
	// Base is what the inline sheet's URLs resolve against.
	Base string
	// Scope is the shadow tree that the sheet is for, counted from 1 in document
	// order (IsShadowRoot); 0 is the document outside of them.
	Scope int
	// Applies reports whether the sheet takes part in the cascade: alternate
	// sheets are fetched and left out, as are those of any title but the
	// preferred one.
	Applies bool
	// Title names the set that the sheet belongs to, "" for none.
	Title string
}

// Document is a parsed document.
type Document struct {
	// URL is the address the document came from, Base what its links resolve
	// against at the end of the document.
	URL, Base string
	// Title is document.title, at most libra.MaxTitle bytes of it: "" where the
	// document names none.
	Title string
	// Root is the tree, with elements deeper than 512 set beside their parent
	// as browsers do.
	Root *html.Node
	// Width and Height are the viewport that the document is laid out in.
	Width, Height float64
	// References in document order.
	References []Reference
	// Sheets in cascade order, linked and inline.
	Sheets []SheetSource
	// ImportMap resolves module specifiers.
	ImportMap ImportMap
	// Encoding is the name of the encoding that the document was decoded from.
	Encoding string
	// Quirks means that the document names no document type, or one of the
	// last century; style sheets of any media type apply to it.
	Quirks bool
	// Upgrade is Env.Upgrade, or what the document itself says about it.
	Upgrade bool
	// Scripts and ScriptBytes count the scripts in the document and in data:
	// URIs, which a browser executes. MayFetch says that one of them, or an event
	// handler, may request what References does not list as fetched.
	Scripts     int
	ScriptBytes int64
	MayFetch    bool
	// Keeps says that the document has markup that loads something and that only
	// a script can show: in a <template>, a <noscript> or a script of another
	// type. Inserts says that a script inserts markup that it does not have
	// itself.
	Keeps, Inserts bool
	// Boxes counts the objects and embeds.
	Boxes int
	// Truncated counts data: URIs that were passed over for their length.
	Truncated int
	// Elements counts the elements and comments.
	Elements int
	// Cut means that the document has more elements than MaxElements.
	Cut bool
	// Unlisted counts the references past MaxReferences.
	Unlisted int
}

// Input is a document to read.
type Input struct {
	Body []byte
	// MediaType as the server said, such as "text/html"; Charset likewise, ""
	// where it said none.
	MediaType, Charset string
	// FramedBy is the encoding of the document that frames this one, if it is of the
	// same origin; "" otherwise.
	FramedBy string
	// Refresh and Link are the headers of these names, "" for none; several of
	// them are joined by commas.
	Refresh, Link string
	// URL is where the document came from; Base overrides it as the base of
	// links, for srcdoc frames and data: URIs.
	URL, Base string
	// Srcdoc means that the document is the text of a srcdoc attribute, which is
	// never in quirks mode.
	Srcdoc bool
}

// Parse reads in as the browser env does.
func Parse(in Input, env Env) *Document {
	doc := &Document{URL: in.URL, Base: in.Base, Upgrade: env.Upgrade}
	if doc.Base == "" {
		doc.Base = in.URL
	}
	t := tree(in, env.Scripting, env.MaxElements)
	doc.Root, doc.Encoding, doc.Cut, doc.Elements = t.root, t.label, t.cut, t.nodes
	if env.Mobile && !env.Framed {
		env.Width, env.Height = layoutViewport(doc.Root, env.Width, env.Height)
	}
	doc.Width, doc.Height = env.Width, env.Height
	w := walker{doc: doc, env: env, resolver: newResolver(Base{doc.Base, doc.Encoding})}
	if env.Scripting {
		w.lazy = map[*html.Node]int{}
		for i, n := range LazyElements(doc.Root) {
			w.lazy[n] = i + 1
		}
	}
	if in.Refresh != "" {
		w.refreshTo(in.Refresh)
	}
	w.linkHeader(in.Link)
	w.document(doc.Root)
	w.preferSheets()
	w.followRefresh()
	doc.Quirks = quirks(doc.Root) && (IsUnknown(in.MediaType) || in.MediaType == "text/html") && !in.Srcdoc
	return doc
}

// Tree returns the Root of Parse for the same arguments.
func Tree(in Input, env Env) *html.Node { return tree(in, env.Scripting, env.MaxElements).root }

// Cost estimates the bytes that the tree of in takes, with what styling adds.
func Cost(in Input, env Env) int64 {
	// Measured, in bytes per tag and per byte of text: an element takes 800 and
	// mostly has two tags.
	const tag, text = 450, 4
	tags := bytes.Count(in.Body, []byte("<"))
	if env.MaxElements > 0 {
		tags = min(tags, 2*env.MaxElements)
	}
	return int64(tags)*tag + int64(len(in.Body))*text
}

// IsDocument reports whether a media type is one that Parse reads.
func IsDocument(mediaType string) bool {
	switch mediaType {
	case "text/html", "application/xhtml+xml", "image/svg+xml", "text/xml", "application/xml":
		return true
	}
	return strings.HasSuffix(mediaType, "+xml")
}

// IsUnknown reports whether a media type says nothing, so that browsers decide by
// the bytes what they have (https://mimesniff.spec.whatwg.org/#determining-the-computed-mime-type-of-a-resource).
func IsUnknown(mediaType string) bool {
	return isNoType(mediaType) || mediaType == "unknown/unknown" || mediaType == "application/unknown"
}

// isNoType reports whether browsers read a media type as if none were given.
func isNoType(mediaType string) bool { return !strings.Contains(mediaType, "/") || mediaType == "*/*" }

// stripFragment returns s up to its first '#'.
func stripFragment(s string) string {
	before, _, _ := strings.Cut(s, "#")
	return before
}

// sameHost reports whether two absolute URLs share host and port.
func sameHost(a, b string) bool {
	x, errX := weburl.Parse(a)
	y, errY := weburl.Parse(b)
	return errX == nil && errY == nil && x.Host() == y.Host()
}

// SameOrigin reports whether two absolute URLs share scheme, host and port.
func SameOrigin(a, b string) bool {
	x, errX := weburl.Parse(a)
	y, errY := weburl.Parse(b)
	return errX == nil && errY == nil && x.SameOrigin(y)
}
