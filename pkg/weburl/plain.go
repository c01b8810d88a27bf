package weburl

import (
	"net/netip"
	"strings"
)

// The bytes that the standard copies unchanged into each part of an http or https
// URL, and that have no other meaning there.
var hostByte, pathByte, queryByte = byteSets()

func byteSets() (host, path, query [256]bool) {
	for c := 0x21; c < 0x7f; c++ {
		path[c] = !strings.ContainsRune("\"#<>?\\^`{|}", rune(c))
		query[c] = !strings.ContainsRune("\"#'<>", rune(c))
		host[c] = c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_'
	}
	return host, path, query
}

// plain resolves the references that need nothing but joining: lower-case names
// of hosts, and no byte that is encoded, removed or decoded. It leaves all others
// to standard.
func (u URL) plain(ref string) (URL, bool) {
	ref, _, _ = strings.Cut(ref, "#")
	if ref == "" {
		return URL{}, false
	}
	switch {
	case strings.HasPrefix(ref, "https://"), strings.HasPrefix(ref, "http://"):
		return plainAbsolute(ref, strings.IndexByte(ref, ':')+len("://"))
	case u.IsZero():
		return URL{}, false
	case strings.HasPrefix(ref, "//"):
		scheme := u.Scheme() + ":"
		return plainAbsolute(scheme+ref, len(scheme)+len("//"))
	case ref[0] == '/':
		return u.joined(u.href[:u.host], ref)
	case ref[0] == '?':
		return u.joined(u.href[:u.path], ref)
	}
	first := ref
	if i := strings.IndexAny(ref, "/?"); i >= 0 {
		first = ref[:i]
	}
	if strings.IndexByte(first, ':') >= 0 {
		return URL{}, false // a scheme, perhaps
	}
	dir := u.href[:strings.LastIndexByte(u.href[:u.path], '/')+1]
	for {
		if rest, ok := strings.CutPrefix(ref, "../"); ok {
			ref = rest
			if i := strings.LastIndexByte(dir[:len(dir)-1], '/'); i >= u.host {
				dir = dir[:i+1]
			}
		} else if rest, ok := strings.CutPrefix(ref, "./"); ok {
			ref = rest
		} else {
			return u.joined(dir, ref)
		}
	}
}

// joined returns the URL of a prefix of u and what follows it, which begins in
// the path or with the query.
func (u URL) joined(prefix, rest string) (URL, bool) {
	n, ok := plainPath(rest)
	if !ok {
		return URL{}, false
	}
	return URL{href: prefix + rest, host: u.host, path: len(prefix) + n}, true
}

// plainAbsolute parses href, whose host begins at start.
func plainAbsolute(href string, start int) (URL, bool) {
	end := start
	for end < len(href) && hostByte[href[end]] {
		end++
	}
	if !plainHost(href[start:end]) {
		return URL{}, false
	}
	if end < len(href) && href[end] == ':' {
		port := end + 1
		for end = port; end < len(href) && href[end] >= '0' && href[end] <= '9'; end++ {
		}
		if !plainPort(href[:start], href[port:end]) {
			return URL{}, false
		}
	}
	if end == len(href) {
		href += "/"
	}
	if href[end] != '/' {
		return URL{}, false
	}
	n, ok := plainPath(href[end:])
	return URL{href: href, host: end, path: end + n}, ok
}

// plainHost reports whether host is a name: labels that are neither empty nor in
// punycode, the last of which does not begin like a number. An IPv4 address in its
// usual form is one, too.
func plainHost(host string) bool {
	if host != "" && host[0] >= '0' && host[0] <= '9' {
		if a, err := netip.ParseAddr(host); err == nil && a.Is4() {
			return true
		}
	}
	label, ok := 0, false // where the label begins
	for i := 0; i <= len(host); i++ {
		if i < len(host) && host[i] != '.' {
			continue
		}
		if i == label || strings.HasPrefix(host[label:i], "xn--") {
			return false
		}
		ok = host[label] < '0' || host[label] > '9'
		label = i + 1
	}
	return ok
}

// plainPort reports whether port is written as the standard writes it.
func plainPort(scheme, port string) bool {
	n := 0
	for i := range len(port) {
		n = n*10 + int(port[i]-'0')
		if n > 65535 {
			return false
		}
	}
	own := scheme == "http://" && n == 80 || scheme == "https://" && n == 443
	return port != "" && !own && (port[0] != '0' || port == "0")
}

// plainPath returns the length of the path that s begins with. ok says that the
// path and the query after it are as the standard writes them.
func plainPath(s string) (n int, ok bool) {
	for n < len(s) && s[n] != '?' {
		if !pathByte[s[n]] {
			return 0, false
		}
		if (n == 0 || s[n-1] == '/') && dotted(s[n:]) {
			return 0, false
		}
		n++
	}
	for i := n; i < len(s); i++ {
		if !queryByte[s[i]] {
			return 0, false
		}
	}
	return n, true
}

// dotted reports whether segment may be a dot segment.
func dotted(segment string) bool {
	if segment[0] == '.' {
		return len(segment) == 1 || segment[1] < 'A' || segment[1] > 'z'
	}
	return len(segment) > 2 && segment[0] == '%' && segment[1] == '2' && segment[2]|0x20 == 'e'
}
