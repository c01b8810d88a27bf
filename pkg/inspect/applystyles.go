package inspect

import (
	"context"

	"libra/pkg/inspect/css"
	"libra/pkg/inspect/css/stylesheet"
	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
)

// applyStyles requests what the style sheets of each document use, once all of
// them have arrived: a rule of the last sheet may win over all others.
func (p *page) applyStyles(ctx context.Context) {
	for i := 0; i < len(p.docs); i++ { // applying may add documents
		if d := p.docs[i]; !d.stylesApplied && p.styleReady(d) {
			d.stylesApplied = true
			p.style(ctx, d)
		}
	}
}

// styleReady says whether every style sheet of d has arrived, with its imports.
func (p *page) styleReady(d *document) bool {
	seen := map[*request]bool{}
	for i, src := range d.doc.Sheets {
		if src.URL == "" {
			if !p.importsReady(d.inline[i], seen) {
				return false
			}
			continue
		}
		if !p.sheetReady(p.requests[src.URL], seen) {
			return false
		}
	}
	return true
}

// sheetReady says whether the sheet of r has arrived, or failed.
func (p *page) sheetReady(r *request, seen map[*request]bool) bool {
	if r == nil || seen[r] {
		return true
	}
	seen[r] = true
	return r.answered() && p.importsReady(p.sheets[r.url], seen)
}

func (p *page) importsReady(s *sheet, seen map[*request]bool) bool {
	if s == nil {
		return true
	}
	for _, i := range s.imports {
		if !p.sheetReady(i.req, seen) || !p.importsReady(i.data, seen) {
			return false
		}
	}
	return true
}

// style requests what the style sheets of d use.
func (p *page) style(ctx context.Context, d *document) {
	hidden := map[int]bool{} // objects and embeds
	lazy := d.lazyEdges()
	for _, u := range p.uses(ctx, d, len(lazy) > 0) {
		switch {
		case u.Box > 0:
			hidden[u.Box] = true
			continue
		case u.Lazy > 0:
			p.followLazy(ctx, d, lazy[u.Lazy], u)
			continue
		case u.Type == libra.Stylesheet:
			continue // imports are known already
		}
		e := edge{initiator: u.Sheet, upgrade: d.doc.Upgrade, private: d.private, ref: markup.Reference{URL: u.URL, Type: u.Type, Fetch: u.Fetch, Reason: u.Reason}}
		for _, next := range u.Fallback {
			e.ref.Fallback = append(e.ref.Fallback, markup.Reference{URL: next, Type: u.Type, Reason: u.Reason + ", after a source that failed"})
		}
		if d.doc.Upgrade && u.Fetch == libra.Fetched {
			e.ref.Upgrade()
		}
		if e.initiator == "" {
			e.initiator = d.doc.URL
		}
		if u.Fetch == libra.Fetched {
			p.requestEdge(ctx, &e, 0)
		}
		d.styled = append(d.styled, e)
	}
	for _, e := range d.ifDisplayed {
		if hidden[e.ref.Box] {
			e.ref.Fetch, e.ref.Reason = libra.Conditional, e.ref.Reason+" that is not displayed"
		}
		p.follow(ctx, &e, d.depth)
		if e.req != nil || e.frame != nil || e.ref.Fetch != libra.Fetched {
			d.styled = append(d.styled, e)
		}
	}
}

// followLazy requests a lazy element if it is near the viewport, which is known
// once the style sheets have arrived.
func (p *page) followLazy(ctx context.Context, d *document, e *edge, u css.Use) {
	if e == nil {
		return // an image without an address
	}
	e.ref.Fetch = u.Fetch
	e.ref.Reason += " and " + u.Reason
	if chosen, ok := markup.PickWidth(e.ref.Auto, u.Width, d.env.DPR); ok && u.Width > 0 && chosen.URL != e.ref.URL {
		d.styled = append(d.styled, edge{initiator: e.initiator, ref: markup.Unpicked(e.ref.URL)})
		e.ref.URL = chosen.URL
	}
	p.follow(ctx, e, d.depth)
}

// lazyEdges are the references of d that load lazily, by place.
func (d *document) lazyEdges() map[int]*edge {
	var m map[int]*edge
	for i := range d.refs {
		e := &d.refs[i]
		if e.ref.Lazy == 0 || e.ref.Fetch != libra.Lazy {
			continue
		}
		if m == nil {
			m = map[int]*edge{}
		}
		m[e.ref.Lazy] = e
	}
	return m
}

// uses lists what the style sheets of d use.
func (p *page) uses(ctx context.Context, d *document, lazy bool) []css.Use {
	root, release := p.borrowTree(ctx, d)
	defer release()
	view := p.cssPage(d)
	view.Doc, view.Stop = root, func() bool { return ctx.Err() != nil }
	if lazy {
		view.Lazy = markup.LazyElements(root)
	}
	uses := view.Uses()
	if view.Truncated() && ctx.Err() == nil {
		p.reasons.limit("matching", "the style sheets have too many selectors for the size of the page to try them all: limit matching")
	}
	return uses
}

// cssPage is d with its style sheets.
func (p *page) cssPage(d *document) css.Page {
	view := css.Page{Base: markup.Base{URL: d.doc.Base, Encoding: d.doc.Encoding}, Boxes: d.doc.Boxes, Quirks: d.doc.Quirks, Viewport: d.env.Viewport(), Imported: map[string]*stylesheet.Sheet{}}
	for url, s := range p.sheets {
		view.Imported[url] = s.parsed
		p.addRedirectedImports(s, view.Imported)
	}
	for i, src := range d.doc.Sheets {
		s := d.inline[i]
		if src.URL != "" {
			s = p.sheets[src.URL]
		} else {
			p.addRedirectedImports(s, view.Imported)
		}
		if s != nil && src.Applies {
			view.Sheets = append(view.Sheets, css.Applied{Sheet: s.parsed, Media: src.Media, Scope: src.Scope})
		}
	}
	return view
}

// addRedirectedImports adds the imports of s that were redirected, by the URLs that
// s names.
func (p *page) addRedirectedImports(s *sheet, imported map[string]*stylesheet.Sheet) {
	for _, i := range s.imports {
		if i.req == nil || i.req.url == i.named || p.sheets[i.req.url] == nil {
			continue
		}
		imported[i.named] = p.sheets[i.req.url].parsed
	}
}
