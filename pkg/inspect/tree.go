package inspect

import (
	"bytes"
	"context"
	"fmt"

	"golang.org/x/net/html"

	"libra/pkg/inspect/markup"
)

// lightTrees is what the trees of one page may take without asking for a share
// of the memory that all inspections have together.
const lightTrees = 2 << 20

// tree reads a document. A tree is needed twice: for what the document refers
// to, and once the style sheets are in. In between it is kept, as a light one or
// on a share of the memory for those that wait; where that is used up, it is
// built twice, and never held while something is fetched.
func (p *page) tree(ctx context.Context, in markup.Input, env markup.Env) *document {
	limits := &p.cfg.Limits
	if left := limits.DocumentBytes - p.docBytes; int64(len(in.Body)) > left {
		p.reasons.limit("document_bytes", fmt.Sprintf("documents were read only up to %d bytes in all: limit document_bytes", limits.DocumentBytes))
		in.Body = in.Body[:max(left, 0)]
	}
	p.docBytes += int64(len(in.Body))
	env.MaxElements = max(limits.Elements-p.elements, 1)
	env.MaxReferences = max(env.MaxReferences-p.listed, 1)
	d := &document{in: in, env: env}
	key := readingKey(in, env)
	if d.reading = p.remembered(key, in); d.reading != nil {
		p.recall(d)
	} else if p.read(ctx, d) {
		d.reading = p.engine.readings.put(key, d.doc)
	}
	p.elements += d.doc.Elements
	p.listed += len(d.doc.References)
	return d
}

// read parses d. It returns false if the page's time ended before.
func (p *page) read(ctx context.Context, d *document) bool {
	d.cost = markup.Cost(d.in, d.env)
	light := p.trees+d.cost <= lightTrees
	if light || p.engine.trees.try(d.cost) {
		d.doc = markup.Parse(d.in, d.env)
		d.in.Body = nil
		d.leave = func() { p.engine.trees.give(d.cost) }
		if light {
			p.trees += d.cost
			d.leave = func() { p.trees -= d.cost }
		}
		return true
	}
	d.in.Body = bytes.Clone(d.in.Body) // it is somebody else's
	leave, ok := p.engine.memory.enter(ctx, d.cost)
	if !ok {
		d.in.Body, leave = nil, func() {}
	}
	d.doc = markup.Parse(d.in, d.env)
	d.doc.Root = nil
	leave()
	return ok
}

// recall takes d as it is remembered. Its text is kept for the case that its
// style sheets have changed.
func (p *page) recall(d *document) {
	doc, text := d.reading.doc, int64(len(d.in.Body))
	d.doc = &doc
	d.in.Body = bytes.Clone(d.in.Body)
	p.trees += text
	d.leave = func() { p.trees -= text }
}

// remembered is what was read of in, where that is remembered and in itself is
// light enough to be held as a tree is.
func (p *page) remembered(key fingerprint, in markup.Input) *reading {
	if p.trees+int64(len(in.Body)) > lightTrees {
		return nil
	}
	return p.engine.readings.get(key)
}

// borrowTree gives the tree of d for the last time.
func (p *page) borrowTree(ctx context.Context, d *document) (root *html.Node, leave func()) {
	if d.doc.Root != nil {
		return d.doc.Root, func() { p.returnTree(d) }
	}
	give, ok := p.engine.memory.enter(ctx, markup.Cost(d.in, d.env))
	if !ok {
		d.in.Body, give = nil, func() {}
	}
	root = markup.Tree(d.in, d.env)
	p.returnTree(d)
	return root, give
}

// returnTree gives back what the tree of d takes, if one is held.
func (p *page) returnTree(d *document) {
	d.in.Body = nil
	d.doc.Root = nil
	if d.leave != nil {
		d.leave()
		d.leave = nil
	}
}

// dropTrees gives back what documents hold whose style sheets never came.
func (p *page) dropTrees() {
	for _, d := range p.docs {
		p.returnTree(d)
	}
}
