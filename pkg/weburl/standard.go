package weburl

import (
	"net/url"
	"strings"
	"unicode/utf8"

	standard "github.com/nlnwa/whatwg-url/url"
	"golang.org/x/net/idna"

	"libra/pkg/libra"
)

// maxOdd bounds in bytes what the library parses: its time grows with the square of
// the number of path segments. No page's URL may be longer.
const maxOdd = libra.MaxURLBytes

// standard resolves ref by the library.
func (u URL) standard(ref string, encode func(string) string) (URL, error) {
	ref = clean(ref)
	scheme, ok := schemeOf(ref)
	switch {
	case ok && scheme != "http" && scheme != "https":
		return URL{}, &Error{Kind: OtherScheme, Part: scheme}
	case !ok && u.IsZero():
		return URL{}, &Error{Kind: NoScheme}
	}
	ref, _, hasFragment := strings.Cut(ref, "#")
	if len(ref) > maxOdd {
		return URL{}, &Error{Kind: TooLong}
	}
	if path, query, ok := strings.Cut(ref, "?"); ok && encode != nil && !isASCII(query) {
		ref = path + "?" + encode(query)
	}
	if hasFragment {
		ref += "#" // the spaces before it belong to the URL
	}
	p, d := newParser()
	parsed, err := p.ParseRef(u.href, ref)
	if err != nil {
		return URL{}, d.explain(err)
	}
	v := URL{credentials: parsed.Username() != "" || parsed.Password() != ""}
	host := parsed.Hostname()
	if d.ascii != "" {
		host = d.ascii
	}
	if port := parsed.Port(); port != "" {
		host += ":" + port
	}
	v.href = parsed.Scheme() + "://" + host
	v.host = len(v.href)
	v.href += strings.ReplaceAll(parsed.Pathname(), "|", "%7C") // as Chromium and Libra always did, and the standard does not
	v.path = len(v.href)
	if _, after, ok := strings.Cut(parsed.Href(true), "?"); ok {
		v.href += "?" + after
	}
	return v, nil
}

// clean removes what the standard ignores: white space and control characters
// around a URL, tabs and line breaks in it.
func clean(s string) string {
	s = strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	if strings.ContainsAny(s, "\t\n\r") {
		s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	}
	return s
}

// HasScheme reports whether s begins with a scheme of any kind, as an absolute URL
// does.
func HasScheme(s string) bool {
	_, ok := schemeOf(s)
	return ok
}

// schemeOf returns the scheme that s begins with, in lower case.
func schemeOf(s string) (scheme string, ok bool) {
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		switch {
		case c >= 'a' && c <= 'z' && s[i] >= 'A':
		case i > 0 && (s[i] >= '0' && s[i] <= '9' || s[i] == '+' || s[i] == '-' || s[i] == '.'):
		case i > 0 && s[i] == ':':
			return strings.ToLower(s[:i]), true
		default:
			return "", false
		}
	}
	return "", false
}

// newParser returns a parser of the library with two changes that the standard
// has had since: "^" is encoded in paths, and names of hosts become ASCII by
// [domain].
func newParser() (standard.Parser, *domain) {
	d := &domain{}
	return standard.NewParser(
		standard.WithPathPercentEncodeSet(standard.PathPercentEncodeSet.Set('^')),
		standard.WithPreParseHostFunc(d.before),
	), d
}

// domain turns the name of a host into ASCII
// (https://url.spec.whatwg.org/#concept-domain-to-ascii). The library's way is that
// of 2023: it refuses "≠.example", and labels in punycode that are not valid, which
// browsers look up as they are.
type domain struct {
	ascii string // the name, "" if the library parses the host
	fault error  // why the host is invalid
}

const (
	notHost   = "<"    // in a host, which then is invalid
	someHost  = "host" // stands for the ASCII name, which the library would change
	forbidden = "\x00\t\n\r #/:<>?@[\\]^|%\x7f"
)

// before is called by the library with each host, before it parses it.
func (d *domain) before(u *standard.Url, host string) string {
	d.ascii = ""
	switch {
	case host != "" && host[0] == '[':
		if strings.IndexByte(host, ']') != len(host)-1 || strings.LastIndexByte(host, '[') > 0 {
			return "[" // the library takes several brackets for one
		}
		return host
	case !u.IsSpecialScheme() || host == "":
		return host
	}
	name, ok := toASCII(PercentDecode(host))
	if !ok {
		d.fault = &Error{Kind: InvalidHost, Part: host}
		return notHost
	}
	if endsInNumber(name) {
		if name, ok = ipv4(name); !ok {
			d.fault = &Error{Kind: InvalidIPv4, Part: host}
			return notHost
		}
		return name
	}
	d.ascii = name
	if u.Scheme() == "file" {
		d.ascii = "" // "localhost" there is the empty host
		return name
	}
	return someHost
}

var profile = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.CheckJoiners(true), idna.CheckHyphens(false),
	idna.StrictDomainName(false), idna.VerifyDNSLength(false), idna.Transitional(false))

func toASCII(name string) (ascii string, ok bool) {
	if ascii = strings.ToLower(name); !isASCII(name) {
		var err error
		if ascii, err = profile.ToASCII(name); err != nil || !utf8.ValidString(name) {
			return "", false
		}
	}
	if ascii == "" || strings.ContainsAny(ascii, forbidden) {
		return "", false
	}
	return ascii, strings.IndexFunc(ascii, func(r rune) bool { return r < ' ' }) < 0
}

// PercentDecode returns s with its percent-encoded bytes decoded.
func PercentDecode(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if c, err := url.PathUnescape(s[i:min(i+3, len(s))]); s[i] == '%' && err == nil {
			b.WriteString(c)
			i += 2
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
