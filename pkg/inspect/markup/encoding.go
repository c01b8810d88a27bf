package markup

import (
	"bytes"
	"cmp"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
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
	if c := singleByte(encoding); c != nil && MarkedEncoding(text) == "" {
		return decodeBytes(text, c)
	}
	enc, _ := charset.Lookup(encoding)
	decoded, _, err := transform.Bytes(unicode.BOMOverride(enc.NewDecoder()), text)
	if err != nil {
		return text
	}
	return decoded
}

// singleByte returns an encoding of one byte a character, nil for others.
func singleByte(encoding string) *charmap.Charmap {
	e, _ := htmlindex.Get(encoding) // nil without one
	c, _ := e.(*charmap.Charmap)
	return c
}

// decodeBytes decodes an encoding of one byte a character.
func decodeBytes(text []byte, c *charmap.Charmap) []byte {
	decoded := make([]byte, 0, len(text)+len(text)/8)
	for _, b := range text {
		r := c.DecodeByte(b)
		if isControl(b, c) {
			r = rune(b)
		}
		decoded = utf8.AppendRune(decoded, r)
	}
	return decoded
}

// isControl reports whether b, for which x/text has no character, is the control
// character of that number (https://encoding.spec.whatwg.org/#indexes). Text in UTF-8
// that is read as windows-1252 has many.
func isControl(b byte, c *charmap.Charmap) bool {
	return b >= 0x80 && b < 0xa0 && c.DecodeByte(b) == utf8.RuneError
}

// documentEncoding decides the encoding of an HTML document as Chromium does: by a
// byte order mark, what the server said, a meta element, an XML declaration, and the
// document that frames it; otherwise it is windows-1252. Chromium also guesses by the bytes where
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
	if name := declaredEncoding(in.Body); name != "" {
		return name
	}
	if in.FramedBy != "" {
		return in.FramedBy
	}
	return windows1252
}

// xmlEncoding decides the encoding of an XML document.
func xmlEncoding(in Input) string {
	return cmp.Or(MarkedEncoding(in.Body), Encoding(in.Charset), declaredEncoding(in.Body), encodingUTF8)
}

var xmlDeclaration = regexp.MustCompile(`^<\?xml[^>]*?encoding[\x00-\x20]*=[\x00-\x20]*(?:"([^"\x00-\x20]+)"|'([^'\x00-\x20]+)')`)

// declaredEncoding returns the encoding that an XML declaration names, "" for none
// (https://html.spec.whatwg.org/#concept-get-xml-encoding-when-sniffing).
func declaredEncoding(body []byte) string {
	m := xmlDeclaration.FindSubmatch(body[:min(len(body), unconditional)])
	if m == nil {
		return ""
	}
	return readable(Encoding(string(m[1]) + string(m[2])))
}

// readable returns the encoding of a text whose own words name encoding.
func readable(encoding string) string {
	switch encoding {
	case "utf-16be", "utf-16le":
		return encodingUTF8 // else the words could not have been read
	case "x-user-defined":
		return windows1252
	}
	return encoding
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
	var pragma, hasDirect bool
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
			direct, hasDirect = string(value), true
		}
	}
	label := direct
	if !hasDirect && pragma {
		label = charsetOfContent(content)
	}
	return readable(Encoding(label))
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
