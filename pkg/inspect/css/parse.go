package css

import "strings"

const (
	// maxRules bounds the rules of one sheet; Bootstrap has 2,500.
	maxRules = 200_000
	// maxSelectors bounds what nesting may multiply selectors to, per sheet.
	maxSelectors = 1_000_000
)

// ruleKind says what a rule is for; kinds that name nothing and hold nothing
// of interest are not kept at all.
type ruleKind uint8

const (
	styleRule ruleKind = iota
	mediaRule
	supportsRule
	layerBlock
	layerStatement
	containerRule
	scopeRule
	startingStyle
	fontFaceRule
	keyframesRule
	pageRule
	propertyRule
	counterStyleRule
	otherRule // named with its prelude, never applied
)

// rule is one rule with what it holds.
type rule struct {
	kind    ruleKind
	prelude string
	sels    []*selector // of a styleRule, "&" resolved
	decls   []decl      // of a styleRule or a keyframe
	descs   []rawDecl   // of @font-face, @page, @property, @counter-style
	rules   []*rule
	body    string // the text of decls, with what is of no interest here
}

// parser reads one sheet.
type parser struct {
	lexer
	sheet *Sheet
	count int // rules so far
	sels  int // selectors so far
}

func (p *parser) parseSelectors(text string, parent, scope []*selector) ([]*selector, bool) {
	return parseSelectors(text, parent, scope, p.sheet.namespaces)
}

// block tells what kind of contents a block has.
type block struct {
	parent []*selector // of the innermost style rule, nil outside one
	scope  []*selector // of the innermost @scope
	raw    bool        // keep declarations as written
	frames bool        // rules are keyframes
	depth  int
}

// stylesheet reads the whole sheet.
func (p *parser) stylesheet() {
	importsOver := false // @import counts only before other rules
	for !p.full() {
		t := p.next()
		switch t.kind {
		case eof:
			return
		case space, cdo, cdc:
		case atKeyword:
			name := strings.ToLower(t.value)
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
				p.sheet.rules = append(p.sheet.rules, r)
			}
			if r != nil && r.kind != layerStatement {
				importsOver = true
			}
		default:
			p.pos = t.start
			if r := p.qualifiedRule(block{}); r != nil {
				importsOver = true
				p.sheet.rules = append(p.sheet.rules, r)
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
func (p *parser) qualifiedRule(b block) *rule {
	p.count++
	text, end := p.prelude(b.depth > 0, b.parent != nil || b.raw)
	if end != openBrace {
		return nil
	}
	b.depth++
	if b.depth > maxDepth {
		p.skipBlock()
		return nil
	}
	r := &rule{kind: styleRule, prelude: text}
	if b.frames {
		p.contents(r, b)
		return r
	}
	sels, ok := p.parseSelectors(text, b.parent, b.scope)
	if !ok || p.sels+len(sels) > maxSelectors {
		p.skipBlock()
		return nil
	}
	p.sels += len(sels)
	r.sels = sels
	b.parent = sels
	p.contents(r, b)
	return r
}

// contents reads a block's declarations and rules into r, the closing brace
// included. Declarations that follow a nested rule become a rule of their
// own, since order counts.
func (p *parser) contents(r *rule, b block) {
	into, from := r, -1
	add := func(n *rule) {
		if n != nil {
			r.rules = append(r.rules, n)
			into = nil
		}
	}
	for !p.full() {
		t := p.next()
		switch t.kind {
		case eof, closeBrace:
			return
		case space, semicolon:
		case atKeyword:
			add(p.atRule(strings.ToLower(t.value), b))
		default:
			p.pos = t.start
			d, ok := p.declaration()
			switch {
			case ok && b.raw:
				r.descs = append(r.descs, d)
			case ok && (b.parent != nil || b.frames):
				if into == nil || into.kind != styleRule {
					into = &rule{kind: styleRule, prelude: r.prelude, sels: b.parent}
					r.rules = append(r.rules, into)
				}
				if into.body == "" {
					from = t.start
				}
				into.body = p.src[from:p.pos]
				into.decls = appendDecls(into.decls, d, p.sheet.base)
			case ok:
			default:
				p.pos = t.start
				add(p.qualifiedRule(b))
			}
		}
	}
}
