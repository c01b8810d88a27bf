// Package weburl parses URLs as browsers do, by the URL Standard
// (https://url.spec.whatwg.org/): addresses of pages, redirect targets, and
// references in pages, style sheets and headers. It is the only package below pkg
// that decides what the text of a web address means: everything else gets a [URL],
// or text that a URL wrote.
//
// Plain ASCII URLs, which is nearly all of them, take a short way (plain.go) that
// gives the same answer as the library (standard.go) without its allocations; a
// fuzz test compares the two. The package does no input or output and keeps no
// state.
package weburl

import (
	"net/url"
	"strings"
)

// URL is an http or https URL as the standard serializes it, without user name,
// password and fragment. The zero value is no URL.
type URL struct {
	href        string
	host, path  int // where each ends in href
	credentials bool
}

// Parse parses an absolute http or https URL. The error is an [*Error].
func Parse(raw string) (URL, error) { return URL{}.Resolve(raw, nil) }

// Resolve parses ref relative to u, or as an absolute URL if u is the zero value.
// encode, if not nil, returns a query that is not ASCII in the encoding of the
// document, percent-encoded; nil is UTF-8. The error is an [*Error].
func (u URL) Resolve(ref string, encode func(query string) string) (URL, error) {
	if v, ok := u.plain(ref); ok {
		return v, nil
	}
	return u.standard(ref, encode)
}

// String returns the URL.
func (u URL) String() string { return u.href }

// IsZero reports whether u is no URL.
func (u URL) IsZero() bool { return u.href == "" }

// Scheme returns "http" or "https".
func (u URL) Scheme() string {
	scheme, _, _ := strings.Cut(u.href, ":")
	return scheme
}

// Host returns the host as it stands in the URL, with the port unless it is the
// scheme's own.
func (u URL) Host() string {
	if u.IsZero() {
		return ""
	}
	return u.href[u.hostStart():u.host]
}

// Hostname returns the host without the port, and an IPv6 address without its
// brackets.
func (u URL) Hostname() string {
	name, _ := u.splitHost()
	return strings.Trim(name, "[]")
}

// Port returns the port, "" if it is the scheme's own.
func (u URL) Port() string {
	_, port := u.splitHost()
	return port
}

func (u URL) splitHost() (name, port string) {
	host := u.Host()
	if i := strings.LastIndexByte(host, ':'); i >= 0 && host[len(host)-1] != ']' {
		return host[:i], host[i+1:]
	}
	return host, ""
}

// Origin returns the scheme and the host, as in "https://example.org".
func (u URL) Origin() string { return u.href[:u.host] }

// Path returns the path, percent-encoded; it begins with a slash.
func (u URL) Path() string { return u.href[u.host:u.path] }

// Query returns the query, percent-encoded and without its question mark.
func (u URL) Query() string { return strings.TrimPrefix(u.href[u.path:], "?") }

// HasCredentials reports whether the text of u had a user name or a password.
func (u URL) HasCredentials() bool { return u.credentials }

// SameOrigin reports whether u and v share scheme, host and port.
func (u URL) SameOrigin(v URL) bool { return u.Origin() == v.Origin() }

// Upgraded returns u over https.
func (u URL) Upgraded() URL { return u.over("https") }

// Plain returns u over http.
func (u URL) Plain() URL { return u.over("http") }

// over returns u with another scheme, its port unchanged.
func (u URL) over(scheme string) URL {
	if u.Scheme() == scheme {
		return u
	}
	v, err := Parse(scheme + u.href[strings.IndexByte(u.href, ':'):])
	if err != nil {
		return u // no scheme makes an invalid URL of a valid one
	}
	v.credentials = u.credentials
	return v
}

// NetURL returns u for net/http, which then requests exactly its path and query:
// net/url would refuse "/100%", and escape what the standard leaves as it is.
func (u URL) NetURL() *url.URL {
	n := &url.URL{Scheme: u.Scheme(), Host: u.Host(), RawQuery: u.Query()}
	n.ForceQuery = n.RawQuery == "" && len(u.href) > u.path
	n.Path, n.RawPath = u.Path(), u.Path()
	if p, err := url.PathUnescape(n.RawPath); err == nil {
		n.Path = p
	}
	if n.EscapedPath() == u.Path() {
		return n
	}
	n.Path, n.RawPath, n.Opaque = "", "", u.Path()
	if strings.HasPrefix(n.Opaque, "//") {
		n.Opaque = "//" + n.Host + n.Opaque // the request names the whole URL
	}
	return n
}

func (u URL) hostStart() int { return strings.IndexByte(u.href, ':') + len("://") }
