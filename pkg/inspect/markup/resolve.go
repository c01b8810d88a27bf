package markup

import (
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/net/html/charset"
	"golang.org/x/net/idna"
	"golang.org/x/text/encoding"
)

// address is a URL in the parts of the WHATWG URL standard, for the special
// schemes http and https only.
type address struct {
	scheme, host, path, query string
	hasQuery                  bool
}

// String writes a without a fragment.
func (a address) String() string {
	s := a.scheme + "://" + a.host + a.path
	if a.hasQuery {
		s += "?" + a.query
	}
	return s
}

// Resolve returns the URL that a browser requests for the reference ref in a
// document or style sheet at base: absolute, percent-encoded, without its
// fragment. ok is false for anything but http and https, for invalid URLs and
// for an empty reference. It follows the WHATWG URL standard.
func Resolve(base, ref string) (abs string, ok bool) {
	return newResolver(base, "").resolve(ref)
}

// resolver resolves references against one base.
type resolver struct {
	base   address
	valid  bool              // base is an http or https URL
	encode *encoding.Encoder // of query strings; nil for UTF-8
}

func newResolver(base, label string) resolver {
	var r resolver
	r.base, r.valid = parseAddress(base, address{}, false, nil)
	if enc, name := charset.Lookup(label); enc != nil && name != "utf-8" && !strings.HasPrefix(name, "utf-16") {
		r.encode = encoding.HTMLEscapeUnsupported(enc.NewEncoder())
	}
	return r
}

func (r resolver) resolve(ref string) (string, bool) {
	if strings.Trim(ref, " \t\n\r\f") == "" {
		return "", false
	}
	a, ok := parseAddress(ref, r.base, r.valid, r.encode)
	if !ok {
		return "", false
	}
	return a.String(), true
}

// parseAddress parses s, relative to base where hasBase.
func parseAddress(s string, base address, hasBase bool, enc *encoding.Encoder) (address, bool) {
	s = strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	if strings.ContainsAny(s, "\t\n\r") {
		s = strings.NewReplacer("\t", "", "\n", "", "\r", "").Replace(s)
	}
	s = stripFragment(s)
	scheme, rest, hasScheme := cutScheme(s)
	if hasScheme && scheme != "http" && scheme != "https" {
		return address{}, false
	}
	slashes := countSlashes(rest)
	if hasScheme && (slashes >= 2 || !hasBase || scheme != base.scheme) {
		return absolute(scheme, rest, enc)
	}
	if !hasBase {
		return address{}, false
	}
	if slashes >= 2 {
		return absolute(base.scheme, rest, enc)
	}
	return relative(rest, base, enc)
}

// relative resolves a reference that names no host.
func relative(rest string, base address, enc *encoding.Encoder) (address, bool) {
	a := base
	path, query, hasQuery := strings.Cut(rest, "?")
	if path == "" {
		if hasQuery {
			a.query, a.hasQuery = encodeQuery(query, enc), true
		}
		return a, true
	}
	a.query, a.hasQuery = encodeQuery(query, enc), hasQuery
	path = strings.ReplaceAll(path, `\`, "/")
	if path[0] != '/' {
		path = base.path[:strings.LastIndexByte(base.path, '/')+1] + path
	}
	a.path = normalPath(path)
	return a, true
}

// absolute parses what follows the scheme of a special URL; any number of
// slashes may stand before the host.
func absolute(scheme, rest string, enc *encoding.Encoder) (address, bool) {
	rest = strings.TrimLeft(rest, `/\`)
	end := strings.IndexAny(rest, `/\?`)
	if end < 0 {
		end = len(rest)
	}
	authority, rest := rest[:end], rest[end:]
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		// User names in the URLs of a page are dropped: the client rejects
		// such requests, so the reference is kept without them.
		authority = authority[at+1:]
	}
	host, ok := parseHost(scheme, authority)
	if !ok {
		return address{}, false
	}
	path, query, hasQuery := strings.Cut(rest, "?")
	a := address{scheme: scheme, host: host, query: encodeQuery(query, enc), hasQuery: hasQuery}
	a.path = normalPath("/" + strings.TrimPrefix(strings.ReplaceAll(path, `\`, "/"), "/"))
	return a, true
}

// cutScheme splits "scheme:" off s.
func cutScheme(s string) (scheme, rest string, ok bool) {
	for i := 0; i < len(s); i++ {
		c := s[i] | 0x20
		switch {
		case c >= 'a' && c <= 'z' && s[i] >= 'A':
		case i > 0 && (s[i] >= '0' && s[i] <= '9' || s[i] == '+' || s[i] == '-' || s[i] == '.'):
		case i > 0 && s[i] == ':':
			return strings.ToLower(s[:i]), s[i+1:], true
		default:
			return "", s, false
		}
	}
	return "", s, false
}

func countSlashes(s string) int {
	return len(s) - len(strings.TrimLeft(s, `/\`))
}

// parseHost returns host[:port] in normal form.
func parseHost(scheme, authority string) (string, bool) {
	host, port := authority, ""
	if i := strings.LastIndexByte(authority, ':'); i >= 0 && !strings.Contains(authority[i:], "]") {
		host, port = authority[:i], authority[i+1:]
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return "", false
		}
		port = ":" + strconv.FormatUint(n, 10)
		if scheme == "http" && n == 80 || scheme == "https" && n == 443 {
			port = ""
		}
	}
	if host == "" {
		return "", false
	}
	if host[0] == '[' {
		ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
		if err != nil || !ip.Is6() || ip.Zone() != "" {
			return "", false
		}
		return "[" + ip.String() + "]" + port, true
	}
	host = percentDecode(host)
	ascii, err := idna.Lookup.ToASCII(host)
	if err != nil {
		// Browsers take hosts that the look-up profile refuses, such as
		// those with an underscore.
		ascii = strings.ToLower(host)
	}
	if ascii == "" || !isASCII(ascii) || strings.IndexFunc(ascii, forbiddenInHost) >= 0 {
		return "", false
	}
	if ip, isNumber, ok := parseIPv4(ascii); isNumber {
		return ip + port, ok
	}
	return ascii + port, true
}

// forbiddenInHost holds the forbidden domain code points of the URL standard,
// and four that it lets pass and no name server knows.
func forbiddenInHost(r rune) bool {
	return r <= ' ' || r == 0x7f || strings.ContainsRune("#/:<>?@[\\]^|%\"`{}", r)
}

// parseIPv4 reads the number forms of an IPv4 address that browsers take:
// one to four parts, each decimal, octal or hexadecimal.
func parseIPv4(host string) (ip string, isNumber, ok bool) {
	parts := strings.Split(strings.TrimSuffix(host, "."), ".")
	last := parts[len(parts)-1]
	if _, err := parseNumber(last); err != nil && strings.Trim(last, "0123456789") != "" || last == "" {
		return "", false, false
	}
	if len(parts) > 4 {
		return "", true, false
	}
	var n uint64
	for i, p := range parts {
		v, err := parseNumber(p)
		if err != nil {
			return "", true, false
		}
		if i < len(parts)-1 {
			if v > 255 {
				return "", true, false
			}
			n |= v << (8 * (3 - i))
			continue
		}
		if v >= 1<<(8*(5-len(parts))) {
			return "", true, false
		}
		n |= v
	}
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}).String(), true, true
}

func parseNumber(s string) (uint64, error) {
	base := 10
	switch {
	case strings.HasPrefix(s, "0x") || strings.HasPrefix(s, "0X"):
		s, base = s[2:], 16
		if s == "" {
			return 0, nil
		}
	case len(s) > 1 && s[0] == '0':
		s, base = s[1:], 8
	}
	return strconv.ParseUint(s, base, 33)
}

// normalPath percent-encodes path and removes its dot segments.
func normalPath(path string) string {
	var out []string
	segments := strings.Split(path[1:], "/")
	for i, seg := range segments {
		last := i == len(segments)-1
		switch strings.ToLower(strings.ReplaceAll(strings.ReplaceAll(seg, "%2e", "."), "%2E", ".")) {
		case "..":
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		case ".":
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, percentEncode(seg, " \"#<>?^`{}"))
		}
	}
	return "/" + strings.Join(out, "/")
}

func encodeQuery(q string, enc *encoding.Encoder) string {
	if enc != nil && !isASCII(q) {
		if s, err := enc.String(q); err == nil {
			q = s
		}
	}
	return percentEncode(q, " \"#<>'")
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

func percentDecode(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if v, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(v))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
