package runbook

import (
	"regexp"
	"strings"

	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/util"
)

// marks renders what differs from plain CommonMark: links, and code.
type marks struct {
	book   *Book
	values Values
	link   func(id string) string
}

// RegisterFuncs is for goldmark.
func (m *marks) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(ast.KindLink, m.renderLink)
	r.Register(ast.KindAutoLink, m.renderAutoLink)
	r.Register(ast.KindImage, leaveOut)
	r.Register(ast.KindRawHTML, leaveOut)
	r.Register(ast.KindHTMLBlock, leaveOut)
	r.Register(ast.KindCodeSpan, m.renderCodeSpan)
	r.Register(ast.KindCodeBlock, m.renderCodeBlock)
	r.Register(ast.KindFencedCodeBlock, m.renderCodeBlock)
}

func leaveOut(util.BufWriter, []byte, ast.Node, bool) (ast.WalkStatus, error) {
	return ast.WalkSkipChildren, nil
}

// renderLink makes a link of one that leads to a section. The text of any other
// stays text.
func (m *marks) renderLink(w util.BufWriter, _ []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	id, anchor := strings.CutPrefix(string(node.(*ast.Link).Destination), "#")
	switch {
	case !anchor || !m.book.Has(id):
	case entering:
		w.WriteString(`<a href="`)
		w.Write(util.EscapeHTML([]byte(m.link(id))))
		w.WriteString(`">`)
	default:
		w.WriteString("</a>")
	}
	return ast.WalkContinue, nil
}

// renderAutoLink writes an address as text.
func (m *marks) renderAutoLink(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		w.Write(util.EscapeHTML(node.(*ast.AutoLink).Label(source)))
	}
	return ast.WalkContinue, nil
}

// command matches what is for a shell: several words, the first of them a program.
var command = regexp.MustCompile(`^[a-z][a-z0-9-]* .`)

// renderCodeSpan marks a span that is a command, which the page's script lets
// people copy.
func (m *marks) renderCodeSpan(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if !entering {
		return ast.WalkContinue, nil
	}
	var code strings.Builder
	for n := node.FirstChild(); n != nil; n = n.NextSibling() {
		// A line end within a span is a space.
		code.WriteString(strings.ReplaceAll(string(n.(*ast.Text).Segment.Value(source)), "\n", " "))
	}
	class := ""
	if command.MatchString(code.String()) {
		class = ` class="command"`
	}
	w.WriteString("<code" + class + ">")
	w.Write(util.EscapeHTML([]byte(m.values.Fill(code.String()))))
	w.WriteString("</code>")
	return ast.WalkSkipChildren, nil
}

// renderCodeBlock writes a block, whose lines the page wraps.
func (m *marks) renderCodeBlock(w util.BufWriter, source []byte, node ast.Node, entering bool) (ast.WalkStatus, error) {
	if entering {
		var code strings.Builder
		for i := range node.Lines().Len() {
			line := node.Lines().At(i)
			code.Write(line.Value(source))
		}
		w.WriteString("<pre><code>")
		w.Write(util.EscapeHTML([]byte(m.values.Fill(code.String()))))
		w.WriteString("</code></pre>\n")
	}
	return ast.WalkSkipChildren, nil
}
