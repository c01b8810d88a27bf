package markup

import (
	"fmt"
	"hash/maphash"
	"regexp"
	"strconv"
	"strings"

	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"

	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// Base is what the references of a document or style sheet are relative to.
type Base struct {
	URL string
	// Encoding is that of the document or style sheet, which the queries of its URLs
	// are encoded in; "" is UTF-8.
	Encoding string
}

// Resolve returns the URL that a browser requests for the reference ref: absolute,
// percent-encoded, without its fragment. ok is false for anything but http and
// https, for invalid URLs and for an empty reference.
func (b Base) Resolve(ref string) (abs string, ok bool) { return newResolver(b).resolve(ref) }

// resolver resolves references against one base.
type resolver struct {
	base   weburl.URL        // the zero value where the base is not http or https
	encode *encoding.Encoder // of query strings; nil for UTF-8
	single *charmap.Charmap  // the encoding, if it has one byte a character
}

func newResolver(base Base) resolver {
	var r resolver
	r.base, _ = weburl.Parse(base.URL)
	if enc, name := charset.Lookup(base.Encoding); enc != nil && name != encodingUTF8 && !strings.HasPrefix(name, "utf-16") {
		r.encode = encoding.HTMLEscapeUnsupported(enc.NewEncoder())
		r.single = singleByte(name)
	}
	return r
}

// resolve returns the URL of ref. A user name in it is dropped. Of a URL that is too long
// to be requested it returns as much, and a hash: thousands of references to a base of a
// megabyte are some hundred kilobytes of a page, and would be gigabytes.
func (r resolver) resolve(ref string) (string, bool) {
	abs, ok := r.whole(ref)
	if len(abs) > libra.MaxURLBytes {
		abs = fmt.Sprintf("%s…%x", abs[:libra.MaxURLBytes], maphash.String(longURLs, abs))
	}
	return abs, ok
}

// longURLs is the seed of the hashes of long URLs.
var longURLs = maphash.MakeSeed()

// whole is resolve however long the URL is.
func (r resolver) whole(ref string) (string, bool) {
	if strings.Trim(ref, " \t\n\r\f") == "" {
		return "", false
	}
	u, err := r.base.Resolve(ref, r.query)
	return u.String(), err == nil
}

// unencodable is a character that an encoding does not have, as its encoder writes
// it. Queries contain no "#" of their own.
var unencodable = regexp.MustCompile("&#([0-9]+);")

// query returns a query in the encoding of the document.
func (r resolver) query(q string) string {
	const escaped = " \"#<>'"
	if r.encode == nil {
		return percentEncode(q, escaped)
	}
	if s, err := r.encode.String(q); err == nil {
		q = s
	}
	var b strings.Builder
	from := 0
	for _, at := range unencodable.FindAllStringSubmatchIndex(q, -1) {
		b.WriteString(percentEncode(q[from:at[0]], escaped))
		number := q[at[2]:at[3]]
		if n, err := strconv.ParseUint(number, 10, 8); err == nil && r.single != nil && isControl(byte(n), r.single) {
			b.WriteString(percentEncode(string([]byte{byte(n)}), escaped))
		} else {
			b.WriteString("%26%23" + number + "%3B")
		}
		from = at[1]
	}
	return b.String() + percentEncode(q[from:], escaped)
}

// percentEncode escapes control characters, what is not ASCII, and set.
func percentEncode(s, set string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c > 0x1f && c < 0x7f && strings.IndexByte(set, c) < 0 {
			b.WriteByte(c)
			continue
		}
		b.Write([]byte{'%', hex[c>>4], hex[c&15]})
	}
	return b.String()
}
