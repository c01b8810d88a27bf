package inspect

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"strings"

	"libra/pkg/inspect/css/media"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
)

// sheet is one style sheet as read; it belongs to the request it came from or
// to the document that holds it.
type sheet struct {
	parsed  *stylesheet.Sheet
	imports []sheetImport
}

// sheetImport is one @import of a sheet; edge.req is nil if it is not requested.
type sheetImport struct {
	edge
	media, layer string
	named        string // the URL as the sheet names it
	data         *sheet // the sheet in a data: URI; nil for others
}

// viewport is the viewport of the page.
func (p *page) viewport() media.Viewport {
	v := media.Desktop()
	if p.cfg.Profile == Mobile {
		v = media.Mobile()
	}
	v.Scripting = !p.cfg.ScriptingOff
	return v
}

// readSheet reads the answer of r as a style sheet.
func (p *page) readSheet(ctx context.Context, r *request) {
	res := r.result
	lax := r.quirks && markup.SameOrigin(r.referrer, res.FinalURL)
	if !markup.IsStyleSheet(res.MediaType, lax, nosniff(res.Header)) || !intact(r.integrity, res.Body) {
		return
	}
	text, encoding := decodeSheet(res.Body, res.Charset, r.encoding)
	s := p.parseSheet(ctx, text, sheetFrom{base: res.FinalURL, encoding: encoding, depth: r.depth, upgrade: r.upgrade, private: r.private}, p.viewport())
	p.sheets[r.url] = s
	r.refs = append(r.refs, s.edges()...)
}

// sheetFrom is the origin of a style sheet.
type sheetFrom struct {
	base     string
	encoding string
	depth    int  // of imports
	upgrade  bool // insecure requests are upgraded
	private  bool // its document came from a private address
}

// parseSheet reads a style sheet and requests its imports.
func (p *page) parseSheet(ctx context.Context, text []byte, from sheetFrom, v media.Viewport) *sheet {
	if left := p.cfg.Limits.SheetBytes - p.sheetBytes; int64(len(text)) > left {
		p.reasons.limit("sheet_bytes", fmt.Sprintf("style sheets were read only up to %s in all: limit sheet_bytes", libra.FormatBytes(p.cfg.Limits.SheetBytes)))
		text = text[:max(left, 0)]
	}
	p.sheetBytes += int64(len(text))
	s := new(sheet)
	s.parsed = p.engine.sheets.parse(text, markup.Base{URL: from.base, Encoding: from.encoding})
	if s.parsed.Truncated() {
		p.reasons.limit("css_rules", "a style sheet has more rules than are read: limit css_rules")
	}
	for _, i := range s.parsed.Imports(v) {
		e := edge{initiator: from.base, encoding: from.encoding, upgrade: from.upgrade, private: from.private, ref: markup.Reference{
			URL: i.URL, Type: libra.Stylesheet, Fetch: i.Fetch, Reason: i.Reason, Kind: markup.Sheet, Media: i.Media,
		}}
		if mediaType, text, ok := markup.DataURI(i.URL); ok {
			if mediaType == "text/css" && i.Fetch == libra.Fetched && len(i.URL) <= p.cfg.Limits.DataURIBytes && p.withinImportDepth(from.depth) {
				sub := from
				sub.depth++
				data := p.parseSheet(ctx, []byte(text), sub, v)
				p.sheets[i.URL] = data
				s.imports = append(s.imports, sheetImport{data: data, media: i.Media, layer: i.Layer, named: i.URL})
			}
			continue
		}
		if from.upgrade && i.Fetch == libra.Fetched {
			e.ref.Upgrade()
		}
		if i.Fetch == libra.Fetched && p.withinImportDepth(from.depth) {
			p.requestEdge(ctx, &e, from.depth+1)
		}
		s.imports = append(s.imports, sheetImport{edge: e, media: i.Media, layer: i.Layer, named: i.URL})
	}
	return s
}

// edges are the imports that are no data: URIs, and what those import.
func (s *sheet) edges() []edge {
	var list []edge
	for _, i := range s.imports {
		if i.data != nil {
			list = append(list, i.data.edges()...)
			continue
		}
		list = append(list, i.edge)
	}
	return list
}

// atCharset is the rule that names a style sheet's encoding, byte for byte.
var atCharset = regexp.MustCompile(`^@charset "([^"]{1,40})";`)

// decodeSheet returns a style sheet as UTF-8, and the encoding that it had: by a
// byte order mark, what the server said, @charset, and environment, the encoding of
// what names the sheet (https://drafts.csswg.org/css-syntax/#input-byte-stream).
func decodeSheet(body []byte, label, environment string) (text []byte, encoding string) {
	encoding = markup.MarkedEncoding(body)
	if encoding == "" {
		encoding = markup.Encoding(label)
	}
	if m := atCharset.FindSubmatch(body); encoding == "" && m != nil {
		if encoding = markup.Encoding(string(m[1])); strings.HasPrefix(encoding, "utf-16") {
			encoding = "utf-8" // else the rule could not have been read
		}
	}
	if encoding == "" {
		encoding = cmp.Or(environment, "utf-8")
	}
	return markup.Decode(body, encoding), encoding
}
