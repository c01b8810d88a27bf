package markup

import (
	"strings"

	"golang.org/x/net/html"
)

// linkHeader visits what a Link header names (RFC 8288), before the document:
// Chromium reads it for what is to be fetched early, and for nothing else. A
// style sheet that it names is not applied. A <base> does not count for it, and
// neither does an entry with an anchor: that one is about another document.
func (w *walker) linkHeader(header string) {
	for header != "" {
		var entry string
		entry, header = cutUnquoted(header, ',')
		n, ok := linkEntry(entry)
		if !ok {
			continue
		}
		rel := relations(n)
		for name := range rel {
			switch name {
			case "preload", "modulepreload", "prefetch", "compression-dictionary":
			default:
				delete(rel, name)
			}
		}
		first := len(w.doc.References)
		w.early(n, rel)
		for i := first; i < len(w.doc.References); i++ {
			w.doc.References[i].Reason += ", by a Link header"
		}
	}
}

// linkEntry reads one entry as the <link> that says the same. Of a parameter
// that comes twice the first counts.
func linkEntry(entry string) (*html.Node, bool) {
	rest, ok := strings.CutPrefix(strings.Trim(entry, space), "<")
	if !ok {
		return nil, false
	}
	target, rest, ok := strings.Cut(rest, ">")
	if !ok {
		return nil, false
	}
	n := &html.Node{Type: html.ElementNode, Data: "link", Attr: []html.Attribute{{Key: "href", Val: strings.Clone(target)}}}
	if rest = strings.Trim(rest, space); rest != "" && rest[0] != ';' {
		return nil, false
	}
	for rest != "" {
		var parameter string
		parameter, rest = cutUnquoted(rest, ';')
		name, value, _ := strings.Cut(parameter, "=")
		name = strings.ToLower(strings.Trim(name, space))
		if name == "anchor" {
			return nil, false
		}
		if name != "" && name != "href" && !has(n, name) {
			n.Attr = append(n.Attr, html.Attribute{Key: name, Val: unquote(strings.Trim(value, space))})
		}
	}
	return n, true
}

// cutUnquoted splits s at the first sep outside quotes and angle brackets.
func cutUnquoted(s string, sep byte) (before, after string) {
	quoted, bracketed := false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++
		case c == '"' && !bracketed:
			quoted = !quoted
		case quoted:
		case c == '<':
			bracketed = true
		case c == '>':
			bracketed = false
		case c == sep && !bracketed:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

// unquote decodes a quoted string of HTTP and leaves other values as they are.
func unquote(s string) string {
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return strings.Clone(s)
	}
	var b strings.Builder
	for i := 1; i < len(s)-1; i++ {
		if s[i] == '\\' && i+1 < len(s)-1 {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
