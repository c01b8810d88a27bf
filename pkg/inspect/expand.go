package inspect

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"

	"libra/pkg/inspect/fetch"
	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
)

// document is one document as read: the page, a frame, or a srcdoc.
type document struct {
	doc           *markup.Document
	env           markup.Env
	in            markup.Input // with the body only while the tree may be parsed again
	cost          int64        // bytes of memory that the tree may take
	release       func()       // returns the memory of the tree; nil without one
	depth         int
	refs          []edge
	inline        []*sheet // by position in doc.Sheets; nil for linked ones
	imports       []edge   // of the inline sheets
	styled        []edge   // what the style sheets use, once all have arrived
	ifDisplayed   []edge   // what is requested if it is displayed
	stylesApplied bool     // styled is known
	private       bool     // from a private address
}

// readBody reads the body of an answered request for references.
func (p *page) readBody(ctx context.Context, r *request) {
	res := r.result
	if r.kind == markup.Script || r.kind == markup.Module {
		p.unreadScript(res)
	}
	if !usable(r, res) {
		if len(r.fallback) > 0 {
			next := r.fallback[0]
			next.ref.Fallback = r.laterFallback
			p.requestEdge(ctx, &next, r.depth)
			r.refs = append(r.refs, next)
		}
		r.read = r.kind != markup.Leaf
		return
	}
	switch r.kind {
	case markup.Frame:
		r.read = true
		if markup.IsDocument(res.MediaType) || markup.IsUnknown(res.MediaType) && looksLikeHTML(res.Body) {
			p.readDocument(ctx, r)
		}
	case markup.Sheet:
		r.read = true
		p.readSheet(ctx, r)
	case markup.Script, markup.Module:
		r.read = true
		p.readScript(ctx, r)
	}
}

// usable says whether a browser reads the answer: one with an error status is
// rendered if it is a document, and discarded otherwise.
func usable(r *request, res *fetch.Result) bool {
	if len(res.Hops) == 0 {
		return false
	}
	if r.typ == libra.Media && (strings.HasPrefix(res.MediaType, "image/") || strings.HasPrefix(res.MediaType, "text/")) {
		return false
	}
	status := res.Hops[len(res.Hops)-1].Status
	return status >= 200 && (status < 400 || r.kind == markup.Frame) && (res.Err == nil || len(res.Body) > 0)
}

func looksLikeHTML(body []byte) bool {
	return strings.HasPrefix(http.DetectContentType(body), "text/html")
}

// readDocument reads the body of r as a document; frames that refuse to be
// framed are counted and not read.
func (p *page) readDocument(ctx context.Context, r *request) {
	res := r.result
	if !r.top && frameRefused(res, r.referrer) {
		return
	}
	if how, _, _ := strings.Cut(res.Header.Get("Content-Disposition"), ";"); strings.EqualFold(strings.TrimSpace(how), "attachment") {
		return // downloaded
	}
	env := p.env(r)
	env.Upgrade = env.Upgrade || markup.UpgradesInsecure(strings.Join(res.Header.Values("Content-Security-Policy"), ","))
	framedBy := r.encoding
	if r.top || !markup.SameOrigin(r.referrer, res.FinalURL) {
		framedBy = ""
	}
	d := p.parse(ctx, markup.Input{
		Body: res.Body, MediaType: res.MediaType, Charset: res.Charset, FramedBy: framedBy, URL: res.FinalURL,
		Refresh: res.Header.Get("Refresh"), Link: strings.Join(res.Header.Values("Link"), ", "),
	}, env, r.depth, res.Private)
	r.refs = d.refs
	r.frame = d
}

// parse reads a document and requests what it refers to. private says that it came
// from a private address.
func (p *page) parse(ctx context.Context, in markup.Input, env markup.Env, depth int, private bool) *document {
	d := p.tree(ctx, in, env)
	d.depth, d.private = depth, private
	if d.doc.Scripts > 0 {
		p.countScripts(d.doc.Scripts, d.doc.ScriptBytes, d.doc.URL)
	}
	p.scripts.mayFetch = p.scripts.mayFetch || d.doc.MayFetch
	p.scripts.inserts = p.scripts.inserts || d.doc.Inserts
	p.scripts.keeps = p.scripts.keeps || d.doc.Keeps
	d.env.Width, d.env.Height = d.doc.Width, d.doc.Height
	p.docs = append(p.docs, d)
	p.parseLimits(d.doc)
	for _, ref := range d.doc.References {
		e := edge{ref: ref, initiator: d.doc.URL, base: d.doc.Base, encoding: d.doc.Encoding, upgrade: d.doc.Upgrade, private: d.private}
		if ref.Box > 0 && ref.Fetch == libra.Fetched {
			d.ifDisplayed = append(d.ifDisplayed, e)
			continue
		}
		p.follow(ctx, &e, depth)
		if e.req != nil && d.doc.Quirks {
			e.req.quirks = true
		}
		if e.req != nil || e.frame != nil || e.ref.Fetch != libra.Fetched {
			d.refs = append(d.refs, e)
		}
	}
	d.doc.References = nil
	p.inlineSheets(ctx, d)
	return d
}

// parseLimits names the limits that a document hit.
func (p *page) parseLimits(d *markup.Document) {
	if d.Truncated > 0 {
		p.reasons.limit("data_uri_bytes", "a URL attribute was longer than is looked at: limit data_uri_bytes")
	}
	if d.Cut {
		p.reasons.limit("elements", fmt.Sprintf("a document was read only up to its first %d elements: limit elements", p.cfg.Limits.Elements))
	}
	if d.Unlisted > 0 {
		p.reasons.limit("named", fmt.Sprintf("%d URLs were left out of the list: limit named", d.Unlisted))
	}
}

// inlineSheets reads the style elements of d.
func (p *page) inlineSheets(ctx context.Context, d *document) {
	d.inline = make([]*sheet, len(d.doc.Sheets))
	for i, src := range d.doc.Sheets {
		if src.URL != "" {
			continue
		}
		d.inline[i] = p.parseSheet(ctx, []byte(src.Text), sheetFrom{base: src.Base, encoding: d.doc.Encoding, upgrade: d.doc.Upgrade, private: d.private}, d.env.Viewport())
		for _, e := range d.inline[i].edges() {
			e.initiator = d.doc.URL
			d.imports = append(d.imports, e)
		}
	}
}

// env is the browser window that a document is shown in.
func (p *page) env(r *request) markup.Env {
	v := p.viewport()
	env := markup.Env{
		Width: float64(v.Width), Height: float64(v.Height), DPR: v.PixelRatio, Mobile: v.Mobile,
		Scripting: v.Scripting, Framed: !r.top, Sandboxed: r.sandbox, Upgrade: r.upgrade, MaxDataURI: p.cfg.Limits.DataURIBytes,
		MaxElements: p.cfg.Limits.Elements, MaxReferences: p.cfg.Limits.Assets + p.cfg.Limits.Named,
	}
	if r.width > 0 && r.height > 0 {
		env.Width, env.Height = r.width, r.height
	}
	if env.Scripting && r.noScript {
		env.Scripting, env.Scriptless = false, true
	}
	return env
}

// follow requests what e refers to, where a browser would.
func (p *page) follow(ctx context.Context, e *edge, depth int) {
	ref := e.ref
	if ref.Fetch != libra.Fetched {
		return
	}
	if ref.Kind == markup.Frame {
		if !p.mayFrame(depth) {
			return
		}
		depth++
	} else {
		depth = 0
	}
	if ref.URL == "" {
		p.srcdoc(ctx, e, depth)
		return
	}
	p.requestEdge(ctx, e, depth)
}

// requestEdge makes the request of an edge.
func (p *page) requestEdge(ctx context.Context, e *edge, depth int) {
	if !e.ref.TopLevel && mixed(&e.ref, e.initiator) {
		return
	}
	if e.req = p.enqueue(ctx, e.ref, e.initiator, depth); e.req == nil {
		return
	}
	e.req.private = e.req.private || e.private // a request that was sent already stays refused
	if e.req.encoding == "" {
		e.req.encoding = cmp.Or(e.ref.Encoding, e.encoding)
	}
	e.req.upgrade = e.req.upgrade || e.upgrade && !e.ref.TopLevel
	if e.ref.Kind == markup.Frame {
		e.req.width, e.req.height, e.req.sandbox = e.ref.Width, e.ref.Height, e.ref.Sandboxed
		e.req.noScript = e.ref.Scriptless
		e.req.top = e.req.top || e.ref.TopLevel
	}
	if e.req.integrity == "" {
		e.req.integrity = e.ref.Integrity
	}
	if f := e.ref.Fallback; e.req.fallback == nil && len(f) > 0 {
		next := f[0]
		next.Fetch = libra.Fetched
		e.req.fallback, e.req.laterFallback = []edge{{ref: next, initiator: e.initiator, upgrade: e.upgrade, private: e.private}}, f[1:]
	}
}

// mayFrame counts a frame against the limits.
func (p *page) mayFrame(depth int) bool {
	switch {
	case depth >= p.cfg.Limits.FrameDepth:
		p.reasons.limit("frame_depth", "frames nest deeper than is followed: limit frame_depth")
	case p.frames >= p.cfg.Limits.Frames:
		p.reasons.limit("frames", "the page has more frames than are read: limit frames")
	default:
		p.frames++
		return true
	}
	return false
}

// opaqueBase is the base of a data: URI, against which no relative URL resolves.
const opaqueBase = "data:"

// srcdoc reads the document of a srcdoc attribute.
func (p *page) srcdoc(ctx context.Context, e *edge, depth int) {
	parent := &request{width: e.ref.Width, height: e.ref.Height, sandbox: e.ref.Sandboxed, noScript: e.ref.Scriptless, upgrade: e.upgrade}
	in := markup.Input{Body: []byte(e.ref.Inline), MediaType: "text/html", Charset: "utf-8", URL: e.initiator, Base: e.base, Srcdoc: true}
	if e.ref.InlineType != "" {
		in.MediaType, in.Base, in.Srcdoc = e.ref.InlineType, opaqueBase, false
	}
	e.frame = p.parse(ctx, in, p.env(parent), depth, e.private)
}

// readScript requests what a script imports.
func (p *page) readScript(ctx context.Context, r *request) {
	res, module := r.result, r.kind == markup.Module
	if !markup.RunsAsScript(res.MediaType, module, nosniff(res.Header)) || !intact(r.integrity, res.Body) {
		return
	}
	p.countScripts(1, int64(len(res.Body)), res.FinalURL)
	for _, ref := range p.judgeScript(res, module) {
		e := edge{ref: ref, initiator: r.result.FinalURL, upgrade: r.upgrade, private: r.private}
		if r.upgrade && ref.Fetch == libra.Fetched {
			e.ref.Upgrade()
		}
		if ref.Fetch == libra.Fetched && p.withinImportDepth(r.depth) {
			p.requestEdge(ctx, &e, r.depth+1)
		}
		if e.req == nil && (e.ref.Fetch == libra.Fetched || p.references >= p.cfg.Limits.Assets+p.cfg.Limits.Named) {
			continue
		}
		p.references++
		r.refs = append(r.refs, e)
	}
}

// withinImportDepth holds chains of imports to their limit.
func (p *page) withinImportDepth(depth int) bool {
	if depth < p.cfg.Limits.ImportDepth {
		return true
	}
	p.reasons.limit("import_depth", "imports chain deeper than is followed: limit import_depth")
	return false
}

// importMap is the page's own, which frames share: few have one.
func (p *page) importMap() markup.ImportMap {
	if len(p.docs) == 0 {
		return markup.ImportMap{}
	}
	return p.docs[0].doc.ImportMap
}

// frameRefused says whether a document forbids being framed by a page at
// parent.
func frameRefused(res *fetch.Result, parent string) bool {
	same := markup.SameOrigin(res.FinalURL, parent)
	switch strings.ToLower(strings.TrimSpace(res.Header.Get("X-Frame-Options"))) {
	case "deny":
		return true
	case "sameorigin":
		return !same
	}
	for _, policy := range res.Header.Values("Content-Security-Policy") {
		for _, directive := range strings.Split(policy, ";") {
			f := strings.Fields(strings.ToLower(directive))
			if len(f) == 2 && f[0] == "frame-ancestors" && (f[1] == "'none'" || f[1] == "'self'" && !same) {
				return true
			}
		}
	}
	return false
}
