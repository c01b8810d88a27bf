package libra

import "strings"

// maxPrefixBytes bounds a path prefix.
const maxPrefixBytes = 200

// ParsePathPrefix returns a path below which a reverse proxy serves Libra,
// without its last slash: "/libra" for "/libra/", "" for "/" and for "". It is
// a plain path of at most 200 bytes: its segments are of letters, digits, and
// - . _ ~, so that it can stand in any link, header and cookie as it is.
func ParsePathPrefix(path string) (prefix string, plain bool) {
	prefix = strings.TrimSuffix(path, "/")
	if prefix == "" {
		return "", true
	}
	rest, ok := strings.CutPrefix(prefix, "/")
	if !ok || len(prefix) > maxPrefixBytes {
		return "", false
	}
	for segment := range strings.SplitSeq(rest, "/") {
		if segment == "" || segment == "." || segment == ".." || strings.ContainsFunc(segment, notPlain) {
			return "", false
		}
	}
	return prefix, true
}

// notPlain reports whether a URL may need to escape r: it is not unreserved in
// RFC 3986.
func notPlain(r rune) bool {
	return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-._~", r))
}
