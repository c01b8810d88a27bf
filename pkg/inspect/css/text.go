package css

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"

	"libra/pkg/inspect/css/cascade"
	"libra/pkg/inspect/css/font"
	"libra/pkg/inspect/css/property"
	"libra/pkg/inspect/css/selector"
)

// addText records that s renders text.
func (p *pass) addText(s *cascade.Style, words string) {
	families := s.Values[property.FontFamily]
	if families == nil || len(p.cascade.Faces) == 0 {
		return
	}
	k := font.Style{Families: families, Weight: s.Weight(), Stretch: 100, Slant: s.Keyword(property.FontStyle, "normal")}
	if v := s.Values[property.FontStretch]; v != nil {
		k.Stretch = v.Number
	}
	t := p.texts[k]
	if t == nil {
		t = &font.Text{Style: k, Runes: map[rune]bool{}}
		p.texts[k] = t
		p.order = append(p.order, t)
	}
	for _, r := range words {
		t.Runes[r] = true
	}
}

// addStruts records the fonts of line boxes without text: every inline box has a
// strut, and so has the block that contains an inline box, a replaced element or
// a list marker.
func (p *pass) addStruts(e *styled) {
	if e.Namespace == "svg" && e.Tag != "svg" {
		return
	}
	s := e.style
	kind := s.Keyword(property.Display, "inline")
	if kind == "list-item" && (s.Keyword(property.ListStyleType, "disc") != "none" || s.Values[property.ListStyleImage] != nil) {
		p.addText(s, "")
	}
	if !inlineLevel(s, e.parent) {
		return
	}
	block := e.parent
	for block != nil && block.style.Keyword(property.Display, "inline") == "contents" {
		block = block.parent
	}
	if block != nil {
		p.addText(block.style, "")
	}
	if kind == "inline" && e.Namespace == "html" && !e.Is("img", "video", "audio", "canvas", "iframe", "object", "embed", "picture", "source", "wbr", "map") {
		p.addText(s, "")
	}
}

// inlineLevel says whether a box of style s takes part in its parent's line boxes.
func inlineLevel(s *cascade.Style, parent *styled) bool {
	switch s.Keyword(property.Display, "inline") {
	case "inline", "inline-block", "inline-flex", "inline-grid", "inline-table", "ruby", "-webkit-inline-box", "-webkit-inline-flex":
	default:
		return false
	}
	if s.Keyword(property.Float, "none") != "none" {
		return false
	}
	if pos := s.Keyword(property.Position, "static"); pos == "absolute" || pos == "fixed" {
		return false
	}
	for parent != nil && parent.style.Keyword(property.Display, "inline") == "contents" {
		parent = parent.parent
	}
	if parent == nil {
		return false
	}
	switch parent.style.Keyword(property.Display, "inline") {
	case "flex", "inline-flex", "grid", "inline-grid", "-webkit-box", "-webkit-flex", "-webkit-inline-box", "-webkit-inline-flex":
		return false
	}
	return true
}

// elementText records the text of e itself.
func (p *pass) elementText(e *styled) {
	s := e.style
	switch {
	case e.Is("br"):
		p.addText(s, "")
	case e.Is("select"):
		if !listBox(e.Element) {
			p.addText(s, chosen(e.Element))
		}
		return
	case e.Is("option"):
		if list := e.parent; list != nil && (listBox(list.Element) || list.parent != nil && listBox(list.parent.Element)) {
			p.addText(s, textOf(e.Node))
		}
		return
	case e.Is("textarea"):
		placeholder, _ := e.Attr("placeholder")
		p.addText(s, textOf(e.Node)+placeholder)
		return
	case e.Is("input"):
		switch e.InputType() {
		case "checkbox", "radio", "range", "color", "image", "hidden":
			return
		}
		value, _ := e.Attr("value")
		placeholder, _ := e.Attr("placeholder")
		p.addText(s, value+placeholder)
		return
	}
	if !showsText(e.Element) || s.Keyword(property.ContentVisibility, "visible") == "hidden" {
		return
	}
	if e.Is("details") && !e.Has("open") {
		return
	}
	for c := e.Node.FirstChild; c != nil; c = c.NextSibling {
		if c.Type == html.TextNode && strings.Trim(c.Data, " \t\n\r\f") != "" {
			p.addText(s, c.Data)
		}
	}
	if s.Keyword(property.Display, "inline") == "list-item" && s.Values[property.ListStyleImage] == nil && numbered(s) {
		p.addText(s, "0123456789.")
	}
}

// numbered says whether list items of style s have text for a marker.
func numbered(s *cascade.Style) bool {
	switch s.Keyword(property.ListStyleType, "disc") {
	case "none", "disc", "circle", "square", "disclosure-open", "disclosure-closed":
		return false
	}
	return true
}

// markerText records the text of a ::marker that has a style of its own.
func (p *pass) markerText(e *styled, s *cascade.Style) {
	if v := s.Values[property.Content]; v != nil && len(v.Keywords) > 0 {
		p.addText(s, strings.Join(v.Keywords, ""))
	} else if numbered(e.style) {
		p.addText(s, "0123456789.")
	}
}

// pseudoText records the text that a pseudo-element shows.
func (p *pass) pseudoText(e *styled, s *cascade.Style, name string) {
	switch name {
	case "before", "after":
		v := s.Values[property.Content]
		if v == nil || len(v.Keywords)+len(v.Attrs)+len(v.Images) == 0 {
			return
		}
		if inlineLevel(s, e) {
			p.addText(e.style, "")
		}
		if len(v.Keywords)+len(v.Attrs) == 0 && s.Keyword(property.Display, "inline") != "inline" {
			return
		}
		words := strings.Join(v.Keywords, "")
		for _, a := range v.Attrs {
			t, _ := e.Attr(a)
			words += t
		}
		p.addText(s, words)
	case "first-line", "first-letter":
		if t := textOf(e.Node); strings.TrimSpace(t) != "" {
			p.addText(s, t)
		}
	case "placeholder", "-webkit-input-placeholder":
		t, _ := e.Attr("placeholder")
		p.addText(s, t)
	case "file-selector-button", "-webkit-file-upload-button":
		p.addText(s, "Choose File")
	}
}

// showsText says whether text directly in e is laid out.
func showsText(e *selector.Element) bool {
	for a := e; a != nil; a = a.Parent {
		if a.Is("canvas", "select", "video", "audio", "iframe", "noscript") && (a != e || !a.Is("noscript")) {
			return false
		}
		if a.Namespace == "svg" {
			switch a.Tag {
			case "defs", "symbol", "clippath", "mask", "marker", "pattern", "title", "desc":
				return false
			}
		}
	}
	if e.Namespace == "svg" {
		return e.Tag == "text" || e.Tag == "tspan" || e.Tag == "textpath" || e.Tag == "a"
	}
	return true
}

// textOf is all text below n.
func textOf(n *html.Node) string {
	var b strings.Builder
	for d := range n.Descendants() {
		if d.Type == html.TextNode {
			b.WriteString(d.Data)
		}
	}
	return b.String()
}

// listBox says whether e is a select that shows its options.
func listBox(e *selector.Element) bool {
	size, _ := e.Attr("size")
	n, _ := strconv.Atoi(size)
	return e.Is("select") && (e.Has("multiple") || n > 1)
}

// chosen is the text of the option a drop-down shows.
func chosen(e *selector.Element) string {
	for c := range e.Descendants() {
		if c.Is("option") && selector.Selected(c) {
			return textOf(c.Node)
		}
	}
	return ""
}
