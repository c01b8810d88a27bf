package inspect

import (
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
	d := &document{in: in, env: env, cost: markup.Cost(in, env)}
	key, read := readingKey(in, env), true
	light := p.trees+d.cost <= lightTrees
	if d.reading = p.engine.readings.get(key); d.reading != nil {
		doc := d.reading.doc
		d.doc = &doc
		d.in.Body = append([]byte(nil), in.Body...)
	} else if light || p.engine.trees.try(d.cost) {
		d.doc = markup.Parse(in, env)
		d.in.Body = nil
		d.leave = func() { p.engine.trees.give(d.cost) }
		if light {
			p.trees += d.cost
			d.leave = func() { p.trees -= d.cost }
		}
	} else {
		d.in.Body = append([]byte(nil), in.Body...) // in is somebody else's
		leave, ok := p.engine.memory.enter(ctx, d.cost)
		if !ok {
			d.in.Body = nil // the page's time is over
		}
		d.doc = markup.Parse(d.in, env)
		d.doc.Root = nil
		if ok {
			leave()
		}
		read = ok
	}
	if d.reading == nil && read {
		d.reading = p.engine.readings.put(key, d.doc)
	}
	p.elements += d.doc.Elements
	p.listed += len(d.doc.References)
	return d
}

// borrowTree gives the tree of d for the last time.
func (p *page) borrowTree(ctx context.Context, d *document) (root *html.Node, leave func()) {
	if d.leave != nil {
		root, leave = d.doc.Root, d.leave
		d.doc.Root, d.leave = nil, nil
		return root, leave
	}
	leave, ok := p.engine.memory.enter(ctx, d.cost)
	if !ok {
		d.in.Body, leave = nil, func() {}
	}
	root = markup.Tree(d.in, d.env)
	d.in.Body = nil
	return root, leave
}

// returnTree gives back what the tree of d takes, if one is held.
func (p *page) returnTree(d *document) {
	d.in.Body = nil
	if d.leave != nil {
		d.doc.Root = nil
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
