package markup

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxDepth is how deep browsers nest elements; deeper ones become siblings.
const maxDepth = 512

// parsed is the tree of a document.
type parsed struct {
	root  *html.Node // never nil
	label string     // of the charset
	nodes int        // elements and comments
	cut   bool       // the document goes on
}

// tree decodes and parses a document, up to limit nodes.
func tree(in Input, scripting bool, limit int) parsed {
	if !IsUnknown(in.MediaType) && in.MediaType != "text/html" {
		if t, ok := parseXML(in, limit); ok {
			return t
		}
	}
	label := documentEncoding(in)
	text := Decode(in.Body, label)
	text, cut, flat := bound(text, scripting, limit)
	t := parsed{label: label, cut: cut}
	var err error
	if !flat {
		t.root, err = html.ParseWithOptions(bytes.NewReader(text), html.ParseOptionEnableScripting(scripting))
	}
	if err != nil || t.root == nil {
		// html.Parse fails at more than 512 open elements; browsers do not.
		t.root = parseFlat(text, scripting)
	}
	for n := range t.root.Descendants() {
		if n.Type == html.ElementNode || n.Type == html.CommentNode {
			t.nodes++
		}
	}
	return t
}

// voids are the elements that have no end tag.
var voids = map[atom.Atom]bool{
	atom.Area: true, atom.Base: true, atom.Br: true, atom.Col: true, atom.Embed: true, atom.Hr: true,
	atom.Img: true, atom.Input: true, atom.Link: true, atom.Meta: true, atom.Param: true,
	atom.Source: true, atom.Track: true, atom.Wbr: true,
}

// parseFlat builds a plain tree from tokens, without the repairs of the HTML
// parser, and nests at most maxDepth elements.
func parseFlat(text []byte, scripting bool) *html.Node {
	root := &html.Node{Type: html.DocumentNode}
	at, depth := root, 0
	z := html.NewTokenizer(bytes.NewReader(text))
	var over []string // open elements past maxDepth, siblings of each other
	var run []byte    // text to append to the current element
	for {
		kind := z.Next()
		if kind == html.TextToken {
			run = append(run, z.Text()...)
			continue
		}
		if kind != html.EndTagToken && len(run) > 0 {
			at.AppendChild(&html.Node{Type: html.TextNode, Data: string(run)})
			run = run[:0]
		}
		switch kind {
		case html.ErrorToken:
			return root
		case html.DoctypeToken:
			at.AppendChild(&html.Node{Type: html.DoctypeNode, Data: string(z.Text())})
		case html.StartTagToken, html.SelfClosingTagToken:
			tok := z.Token()
			n := &html.Node{Type: html.ElementNode, DataAtom: tok.DataAtom, Data: tok.Data, Attr: tok.Attr}
			if tok.DataAtom == atom.Image {
				n.DataAtom, n.Data = atom.Img, "img"
			}
			at.AppendChild(n)
			switch {
			case voids[n.DataAtom]:
			case tok.DataAtom == atom.Noscript && scripting:
				skipRaw(z, "noscript")
			case tok.DataAtom == atom.Noscript:
				z.NextIsNotRawText()
			case depth >= maxDepth:
				if over = append(over, n.Data); isRaw(n.DataAtom) {
					rawText(z, n)
					over = over[:len(over)-1]
				}
			default:
				at, depth = n, depth+1
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if k := len(over); k > 0 && over[k-1] == string(name) {
				over = over[:k-1]
				continue
			}
			parent, left := closeElement(at, depth, string(name))
			if parent != at && len(run) > 0 {
				at.AppendChild(&html.Node{Type: html.TextNode, Data: string(run)})
				run = run[:0]
			}
			at, depth = parent, left
		}
	}
}

// closeElement returns the parent of the nearest open element called name,
// looking a few levels up only: a stray end tag is ignored.
func closeElement(at *html.Node, depth int, name string) (*html.Node, int) {
	n, d := at, depth
	for range 8 {
		if n.Type != html.ElementNode {
			break
		}
		if n.Data == name {
			return n.Parent, d - 1
		}
		n, d = n.Parent, d-1
	}
	return at, depth
}

func isRaw(a atom.Atom) bool {
	switch a {
	case atom.Script, atom.Style, atom.Textarea, atom.Title, atom.Iframe, atom.Noembed, atom.Noframes, atom.Xmp:
		return true
	}
	return false
}

// rawText moves the text that follows a raw text element into n.
func rawText(z *html.Tokenizer, n *html.Node) {
	if z.Next() == html.TextToken {
		n.AppendChild(&html.Node{Type: html.TextNode, Data: string(z.Text())})
		z.Next() // the end tag
	}
}

// skipRaw reads tokens up to the end tag called name.
func skipRaw(z *html.Tokenizer, name string) {
	for {
		switch z.Next() {
		case html.ErrorToken:
			return
		case html.EndTagToken:
			if got, _ := z.TagName(); string(got) == name {
				return
			}
		}
	}
}

// quirks reports whether the document type of an HTML document makes for quirks mode.
func quirks(root *html.Node) bool {
	for c := root.FirstChild; c != nil; c = c.NextSibling {
		if c.Type != html.DoctypeNode {
			continue
		}
		var public, system string
		for _, a := range c.Attr {
			switch a.Key {
			case "public":
				public = strings.ToLower(a.Val)
			case "system":
				system = a.Val
			}
		}
		for _, p := range []string{"-//w3c//dtd html 3", "-//ietf//", "-//w3c//dtd html 4.0 ", "-//netscape", "-//w3c//dtd w3 html"} {
			if strings.HasPrefix(public, p) {
				return true
			}
		}
		return system == "" && strings.HasPrefix(public, "-//w3c//dtd html 4.01 ") && !strings.Contains(public, "4.01//")
	}
	return true
}

const (
	nsSVG   = "http://www.w3.org/2000/svg"
	nsXLink = "http://www.w3.org/1999/xlink"
)

// parseXML builds the tree of an XML document up to its first error or limit
// nodes, in the names that x/net/html uses for HTML and SVG. ok is false where
// the document does not even begin as XML.
func parseXML(in Input, limit int) (t parsed, ok bool) {
	t = parsed{root: &html.Node{Type: html.DocumentNode}, label: xmlEncoding(in)}
	d := xml.NewDecoder(bytes.NewReader(Decode(in.Body, t.label)))
	d.Strict, d.Entity = false, xml.HTMLEntity
	d.CharsetReader = func(_ string, decoded io.Reader) (io.Reader, error) { return decoded, nil }
	at, depth := t.root, 0
	for {
		tok, err := d.Token()
		if err != nil {
			return t, t.root.FirstChild != nil
		}
		if t.nodes++; limit > 0 && t.nodes > 3*limit { // start, text and end
			t.nodes, t.cut = limit, true
			return t, true
		}
		switch tok := tok.(type) {
		case xml.StartElement:
			n := xmlElement(tok)
			at.AppendChild(n)
			if depth++; depth <= maxDepth {
				at = n
			}
		case xml.EndElement:
			if depth--; depth < maxDepth && at.Parent != nil {
				at = at.Parent
			}
		case xml.CharData:
			at.AppendChild(&html.Node{Type: html.TextNode, Data: string(tok)})
		case xml.ProcInst:
			at.AppendChild(&html.Node{Type: html.CommentNode, Data: "?" + tok.Target + " " + string(tok.Inst)})
		}
	}
}

func xmlElement(t xml.StartElement) *html.Node {
	n := &html.Node{Type: html.ElementNode, Data: t.Name.Local}
	if t.Name.Space == nsSVG {
		n.Namespace = "svg"
	} else {
		n.Data = strings.ToLower(n.Data)
	}
	n.DataAtom = atom.Lookup([]byte(n.Data))
	for _, a := range t.Attr {
		attr := html.Attribute{Key: a.Name.Local, Val: a.Value}
		if a.Name.Space == nsXLink || a.Name.Space == "xlink" {
			attr.Namespace = "xlink"
		}
		n.Attr = append(n.Attr, attr)
	}
	return n
}
