package inspect

import (
	"bytes"
	"context"
	"fmt"

	"golang.org/x/net/html"

	"libra/pkg/inspect/markup"
	"libra/pkg/libra"
)

// maxUnreserved bounds the trees of one page that are held without the semaphore of
// all inspections.
const maxUnreserved = 2 << 20

// tree reads a document. Its tree is needed twice: for what the document refers
// to, and once the style sheets have arrived. In between it is held, if it is small
// or the semaphore for waiting trees has room; otherwise it is parsed twice and not
// held during a fetch.
func (p *page) tree(ctx context.Context, in markup.Input, env markup.Env) *document {
	limits := &p.cfg.Limits
	if left := limits.DocumentBytes - p.docBytes; int64(len(in.Body)) > left {
		p.reasons.limit("document_bytes", fmt.Sprintf("documents were read only up to %s in all: limit document_bytes", libra.FormatBytes(limits.DocumentBytes)))
		in.Body = in.Body[:max(left, 0)]
	}
	p.docBytes += int64(len(in.Body))
	env.MaxElements = max(limits.Elements-p.elements, 1)
	env.MaxReferences = max(env.MaxReferences-p.references, 1)
	d := &document{in: in, env: env}
	p.parseDocument(ctx, d)
	p.elements += d.doc.Elements
	p.references += len(d.doc.References)
	return d
}

// parseDocument parses d, without its text if the page's time is up.
func (p *page) parseDocument(ctx context.Context, d *document) {
	d.cost = markup.Cost(d.in, d.env)
	light := p.unreserved+d.cost <= maxUnreserved
	if light || p.engine.trees.TryAcquire(d.cost) {
		d.doc = markup.Parse(d.in, d.env)
		d.in.Body = nil
		p.treeBytes += d.cost
		d.release = func() { p.treeBytes -= d.cost; p.engine.trees.Release(d.cost) }
		if light {
			p.unreserved += d.cost
			d.release = func() { p.treeBytes -= d.cost; p.unreserved -= d.cost }
		}
		return
	}
	d.in.Body = bytes.Clone(d.in.Body) // the body belongs to the fetch result
	release, ok := p.engine.acquireMemory(ctx, d.cost)
	if !ok {
		d.in.Body, release = nil, func() {}
	}
	d.doc = markup.Parse(d.in, d.env)
	d.doc.Root = nil
	release()
}

// acquireMemory waits for n bytes, or for all if n is more, and returns what
// releases them. They are held only while a processor works, never during a fetch,
// so that waits are short and end. It returns false if ctx ends first.
func (i *Inspector) acquireMemory(ctx context.Context, n int64) (release func(), ok bool) {
	n = min(n, i.cfg.Memory/2)
	if i.memory.Acquire(ctx, n) != nil {
		return nil, false
	}
	return func() { i.memory.Release(n) }, true
}

// borrowTree returns the tree of d for the last time.
func (p *page) borrowTree(ctx context.Context, d *document) (root *html.Node, release func()) {
	if d.doc.Root != nil {
		return d.doc.Root, func() { p.returnTree(d) }
	}
	give, ok := p.engine.acquireMemory(ctx, markup.Cost(d.in, d.env))
	if !ok {
		d.in.Body, give = nil, func() {}
	}
	root = markup.Tree(d.in, d.env)
	p.returnTree(d)
	return root, give
}

// returnTree releases the memory of the tree of d, if one is held.
func (p *page) returnTree(d *document) {
	d.in.Body = nil
	d.doc.Root = nil
	if d.release != nil {
		d.release()
		d.release = nil
	}
}

// dropTrees releases the trees of documents whose style sheets never arrived.
func (p *page) dropTrees() {
	for _, d := range p.docs {
		p.returnTree(d)
	}
}
