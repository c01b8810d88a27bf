package stylesheet

import (
	"strings"

	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/selector"
	"libra/pkg/inspect/css/syntax"
)

const (
	// maxRules bounds the rules of one sheet; Bootstrap has 2,500.
	maxRules = 200_000
	// maxSelectors bounds what nesting may multiply selectors to, per sheet.
	maxSelectors = 1_000_000
)

// Kind is the kind of a rule. Rules that name no address and contain none are not
// kept.
type Kind uint8

// The rules.
const (
	StyleRule Kind = iota
	MediaRule
	SupportsRule
	LayerBlock
	LayerStatement
	ContainerRule
	ScopeRule
	StartingStyleRule
	FontFaceRule
	KeyframesRule
	PageRule
	PropertyRule
	CounterStyleRule
	OtherRule // named with its prelude, never applied
)

// Rule is one rule with its contents.
type Rule struct {
	Kind         Kind
	Prelude      string
	Selectors    []*selector.Selector   // of a StyleRule, "&" resolved
	Declarations []property.Declaration // of a StyleRule or a keyframe
	Descriptors  []syntax.Declaration   // of @font-face, @page, @property, @counter-style
	Rules        []*Rule
	Body         string // the text of Declarations, with what is of no interest here
}

// parser reads one sheet.
type parser struct {
	syntax.Tokenizer
	sheet *Sheet
	count int // rules so far
	sels  int // selectors so far
}

func (p *parser) parseSelectors(text string, parent, scope []*selector.Selector) ([]*selector.Selector, bool) {
	return selector.Parse(text, parent, scope, p.sheet.namespaces)
}

// block is what kind of contents a block has.
type block struct {
	parent []*selector.Selector // of the innermost style rule, nil outside one
	scope  []*selector.Selector // of the innermost @scope
	raw    bool                 // keep declarations as written
	frames bool                 // rules are keyframes
	depth  int
}

// stylesheet reads the whole sheet.
func (p *parser) stylesheet() {
	importsOver := false // @import counts only before other rules
	for !p.full() {
		t := p.Next()
		switch t.Kind {
		case syntax.EOF:
			return
		case syntax.Whitespace, syntax.CDO, syntax.CDC:
		case syntax.AtKeyword:
			name := strings.ToLower(t.Text)
			switch name {
			case "import":
				p.importRule(importsOver)
				continue
			case "namespace":
				importsOver = p.namespaceRule() || importsOver
				continue
			}
			r := p.atRule(name, block{})
			if r != nil {
				p.sheet.Rules = append(p.sheet.Rules, r)
			}
			if r != nil && r.Kind != LayerStatement {
				importsOver = true
			}
		default:
			p.Pos = t.Start
			if r := p.qualifiedRule(block{}); r != nil {
				importsOver = true
				p.sheet.Rules = append(p.sheet.Rules, r)
			}
		}
	}
}

func (p *parser) full() bool {
	if p.count >= maxRules || p.sels >= maxSelectors {
		p.sheet.truncated = true
		return true
	}
	return false
}

// qualifiedRule reads a style rule or a keyframe; nil when it is invalid.
func (p *parser) qualifiedRule(b block) *Rule {
	p.count++
	text, end := p.Prelude(b.depth > 0, b.parent != nil || b.raw)
	if end != syntax.OpenBrace {
		return nil
	}
	b.depth++
	if b.depth > syntax.MaxDepth {
		p.SkipBlock()
		return nil
	}
	r := &Rule{Kind: StyleRule, Prelude: text}
	if b.frames {
		p.contents(r, b)
		return r
	}
	sels, ok := p.parseSelectors(text, b.parent, b.scope)
	if !ok || p.sels+len(sels) > maxSelectors {
		p.SkipBlock()
		return nil
	}
	p.sels += len(sels)
	r.Selectors = sels
	b.parent = sels
	p.contents(r, b)
	return r
}

// contents reads a block's declarations and rules into r, the closing brace
// included. Declarations that follow a nested rule become a rule of their
// own, since order counts.
func (p *parser) contents(r *Rule, b block) {
	into, from := r, -1
	add := func(n *Rule) {
		if n != nil {
			r.Rules = append(r.Rules, n)
			into = nil
		}
	}
	for !p.full() {
		t := p.Next()
		switch t.Kind {
		case syntax.EOF, syntax.CloseBrace:
			return
		case syntax.Whitespace, syntax.Semicolon:
		case syntax.AtKeyword:
			add(p.atRule(strings.ToLower(t.Text), b))
		default:
			p.Pos = t.Start
			d, ok := p.Declaration()
			switch {
			case ok && b.raw:
				r.Descriptors = append(r.Descriptors, d)
			case ok && (b.parent != nil || b.frames):
				if into == nil || into.Kind != StyleRule {
					into = &Rule{Kind: StyleRule, Prelude: r.Prelude, Selectors: b.parent}
					r.Rules = append(r.Rules, into)
				}
				if into.Body == "" {
					from = t.Start
				}
				into.Body = p.Source[from:p.Pos]
				into.Declarations = property.Append(into.Declarations, d, p.sheet.Base)
			case ok:
			default:
				p.Pos = t.Start
				add(p.qualifiedRule(b))
			}
		}
	}
}

// ContainerQuery is the name that a @container rule asks for, "" for any, and
// the condition.
func (r *Rule) ContainerQuery() (name, query string) {
	query = r.Prelude
	if ns, ok := syntax.Values(query); ok && len(ns) > 0 && ns[0].Kind == syntax.Ident && !ns[0].IsIdent("not") {
		name, query = ns[0].Text, strings.TrimSpace(query[ns[0].End:])
	}
	return name, query
}
