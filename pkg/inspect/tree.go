package inspect

import (
	"context"
	"fmt"

	"golang.org/x/net/html"

	"libra/pkg/inspect/markup"
)

// lightTrees is what the trees of one page may take without asking for a share
// of the memory that all inspections have together.
const lightTrees = 4 << 20

// tree reads a document. A tree is needed twice: for what the document refers
// to, and once the style sheets are in. A light one is kept in between; a heavy
// one is built twice, so that it is never held while something is fetched.
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
	if d.heavy = p.trees+d.cost > lightTrees; !d.heavy {
		d.doc = markup.Parse(in, env)
		d.in.Body = nil
		p.trees += d.cost
	} else {
		d.in.Body = append([]byte(nil), in.Body...) // in is somebody else's
		leave, ok := p.memory.enter(ctx, d.cost)
		if !ok {
			d.in.Body = nil // the page's time is over
		}
		d.doc = markup.Parse(d.in, env)
		d.doc.Root = nil
		if ok {
			leave()
		}
	}
	p.elements += d.doc.Elements
	p.listed += len(d.doc.References)
	return d
}

// borrowTree gives the tree of d for the last time.
func (p *page) borrowTree(ctx context.Context, d *document) (root *html.Node, leave func()) {
	if !d.heavy {
		root, d.doc.Root = d.doc.Root, nil
		return root, func() { p.trees -= d.cost }
	}
	leave, ok := p.memory.enter(ctx, d.cost)
	if !ok {
		d.in.Body, leave = nil, func() {}
	}
	root = markup.Tree(d.in, d.env)
	d.in.Body = nil
	return root, leave
}
