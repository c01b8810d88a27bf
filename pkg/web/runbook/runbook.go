// Package runbook renders the section "Runbook" of docs/operations.md as HTML: one
// part for each kind of alarm, with the values of an alarm filled in where they
// are known.
//
// The Markdown is a file of this repository, inside the program. All the same
// nothing of it becomes a tag of its own or a link out of Libra: raw HTML is left
// out, a link to anything but a section stays text, and values are quoted for a
// shell and escaped for HTML.
package runbook

import (
	"bytes"
	"fmt"
	"html/template"
	"slices"
	"strings"
	"sync"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Book is a runbook. It holds the Markdown, and renders a section when it is asked
// for: in less than a millisecond, and without a copy in memory.
type Book struct {
	intro    string
	sections []section
}

type section struct{ id, markdown string }

// Section is a part of a runbook as HTML.
type Section struct {
	ID   string // the anchor
	HTML template.HTML
}

// Read finds the section "Runbook" of a Markdown document. Its parts begin with a
// heading of the third level, which is their anchor.
func Read(markdown string) *Book {
	_, body, _ := strings.Cut(markdown, "\n## Runbook\n")
	body, _, _ = strings.Cut(body, "\n## ")
	parts := strings.Split(body, "\n### ")
	b := &Book{intro: parts[0]}
	for _, part := range parts[1:] {
		id, rest, _ := strings.Cut(part, "\n")
		b.sections = append(b.sections, section{id, rest})
	}
	return b
}

// Has reports whether there is a section of that anchor.
func (b *Book) Has(id string) bool {
	return slices.ContainsFunc(b.sections, func(s section) bool { return s.id == id })
}

// All renders what comes before the sections, and the sections. Links among them
// stay on the page.
func (b *Book) All() (intro template.HTML, list []Section) {
	links := func(id string) string { return "#" + id }
	for _, s := range b.sections {
		list = append(list, Section{s.id, b.render(s.markdown, nil, links)})
	}
	return b.render(b.intro, nil, links), list
}

// Of renders one section with values in its commands; page is where the others
// are. ok is false if there is no such section.
func (b *Book) Of(id string, values Values, page string) (s Section, ok bool) {
	at := slices.IndexFunc(b.sections, func(s section) bool { return s.id == id })
	if at < 0 {
		return Section{}, false
	}
	return Section{id, b.render(b.sections[at].markdown, values, func(id string) string { return page + "#" + id })}, true
}

// reader parses CommonMark. It is made with the first page that needs it.
var reader = sync.OnceValue(goldmark.DefaultParser)

func (b *Book) render(markdown string, values Values, link func(id string) string) template.HTML {
	source := []byte(markdown)
	tree := reader().Parse(text.NewReader(source), parser.WithContext(parser.NewContext()))
	out := renderer.NewRenderer(renderer.WithNodeRenderers(
		util.Prioritized(&marks{book: b, values: values, link: link}, 100),
		util.Prioritized(html.NewRenderer(), 1000), // leaves out raw HTML
	))
	var w bytes.Buffer
	if err := out.Render(&w, source, tree); err != nil {
		panic(fmt.Errorf("render the runbook: %w", err)) // a buffer accepts everything
	}
	return template.HTML(w.String())
}
