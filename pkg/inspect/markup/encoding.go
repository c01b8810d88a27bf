package markup

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/runes"
	"golang.org/x/text/transform"
)

const (
	encodingUTF8 = "utf-8"
	windows1252  = "windows-1252"
)

// byteOrderMarks take precedence over everything else that names an encoding.
var byteOrderMarks = []struct{ mark, encoding string }{{"\xef\xbb\xbf", encodingUTF8}, {"\xfe\xff", "utf-16be"}, {"\xff\xfe", "utf-16le"}}

// MarkedEncoding returns the encoding that a byte order mark at the beginning of
// text names, "" without one.
func MarkedEncoding(text []byte) string {
	for _, m := range byteOrderMarks {
		if bytes.HasPrefix(text, []byte(m.mark)) {
			return m.encoding
		}
	}
	return ""
}

// Encoding returns the name of the encoding that label names, "" for none
// (https://encoding.spec.whatwg.org/#concept-encoding-get).
func Encoding(label string) string {
	_, name := charset.Lookup(label)
	return name
}

// Decode returns text, in an encoding that Encoding has returned, as UTF-8. A byte
// order mark overrides the encoding.
func Decode(text []byte, encoding string) []byte {
	if encoding == encodingUTF8 || encoding == "" {
		text = bytes.TrimPrefix(text, []byte(byteOrderMarks[0].mark))
		if utf8.Valid(text) {
			return text
		}
		return runes.ReplaceIllFormed().Bytes(text)
	}
	enc, _ := charset.Lookup(encoding)
	decoded, _, err := transform.Bytes(unicode.BOMOverride(enc.NewDecoder()), text)
	if err != nil {
		return text
	}
	return decoded
}

// documentEncoding decides the encoding of an HTML document as Chromium does: by a
// byte order mark, what the server said, a meta element, and the document that
// frames it; otherwise it is windows-1252. Chromium also guesses by the bytes where
// nothing declares an encoding; a document of some length in a Cyrillic or East
// Asian encoding is then read right, one in UTF-8 is not. No guess is made here.
func documentEncoding(in Input) string {
	if name := MarkedEncoding(in.Body); name != "" {
		return name
	}
	if name := Encoding(in.Charset); name != "" {
		return name
	}
	if name := metaEncoding(in.Body); name != "" {
		return name
	}
	if in.FramedBy != "" {
		return in.FramedBy
	}
	return windows1252
}

// unconditional is how much of a document is searched for its encoding although its
// head is over.
const unconditional = 1024

// headElements are the elements that do not end the head.
var headElements = map[string]bool{
	"html": true, "head": true, "script": true, "noscript": true, "style": true, "link": true, "meta": true,
	"object": true, "title": true, "base": true,
}

// metaEncoding returns the encoding that a meta element in the head of a document
// names, however long the head is, or in its first 1024 bytes; "" for none.
// Source: Chromium's HTMLMetaCharsetParser.
func metaEncoding(body []byte) string {
	z := html.NewTokenizer(bytes.NewReader(body))
	for seen, inHead := 0, true; inHead || seen < unconditional; {
		kind := z.Next()
		if kind == html.ErrorToken {
			break
		}
		seen += len(z.Raw())
		if kind != html.StartTagToken && kind != html.EndTagToken && kind != html.SelfClosingTagToken {
			continue
		}
		name, more := z.TagName()
		tag := string(name)
		if kind == html.EndTagToken {
			inHead = inHead && headElements[tag] && tag != "html" && tag != "head"
			continue
		}
		inHead = inHead && headElements[tag]
		switch tag {
		case "noscript":
			z.NextIsNotRawText()
		case "meta":
			if name := encodingOfMeta(z, more); name != "" {
				return name
			}
		}
	}
	return ""
}

// encodingOfMeta returns the encoding that the current meta element names
// (https://html.spec.whatwg.org/#prescan-a-byte-stream-to-determine-its-encoding).
func encodingOfMeta(z *html.Tokenizer, more bool) string {
	var pragma bool
	var direct, content string
	for more {
		var key, value []byte
		key, value, more = z.TagAttr()
		switch string(key) {
		case "http-equiv":
			pragma = strings.EqualFold(string(value), "content-type")
		case "content":
			content = string(value)
		case "charset":
			direct = string(value)
		}
	}
	label := direct
	if label == "" && pragma {
		label = charsetOfContent(content)
	}
	switch name := Encoding(label); name {
	case "utf-16be", "utf-16le":
		return encodingUTF8 // else the element could not have been read
	case "x-user-defined":
		return windows1252
	default:
		return name
	}
}

// charsetOfContent extracts the label from the content of a meta element
// (https://html.spec.whatwg.org/#algorithm-for-extracting-a-character-encoding-from-a-meta-element).
func charsetOfContent(s string) string {
	const space = " \t\n\r\f"
	for {
		at := strings.Index(strings.ToLower(s), "charset")
		if at < 0 {
			return ""
		}
		s = strings.TrimLeft(s[at+len("charset"):], space)
		if rest, ok := strings.CutPrefix(s, "="); ok {
			s = strings.TrimLeft(rest, space)
			break
		}
	}
	if s != "" && (s[0] == '"' || s[0] == '\'') {
		label, _, closed := strings.Cut(s[1:], s[:1])
		if !closed {
			return ""
		}
		return label
	}
	if end := strings.IndexAny(s, space+";"); end >= 0 {
		s = s[:end]
	}
	return s
}
