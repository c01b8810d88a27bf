package fetch

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// badPorts are the ports that browsers do not speak HTTP to
// (https://fetch.spec.whatwg.org/#port-blocking).
var badPorts = map[int]bool{
	0: true, 1: true, 7: true, 9: true, 11: true, 13: true, 15: true, 17: true, 19: true, 20: true, 21: true, 22: true, 23: true, 25: true, 37: true, 42: true, 43: true, 53: true, 69: true, 77: true, 79: true, 87: true, 95: true, 101: true, 102: true, 103: true, 104: true, 109: true, 110: true, 111: true, 113: true, 115: true, 117: true, 119: true, 123: true, 135: true, 137: true, 139: true, 143: true, 161: true, 179: true, 389: true, 427: true, 465: true, 512: true, 513: true, 514: true, 515: true, 526: true, 530: true, 531: true, 532: true, 540: true, 548: true, 554: true, 556: true, 563: true, 587: true, 601: true, 636: true, 989: true, 990: true, 993: true, 995: true, 1719: true, 1720: true, 1723: true, 2049: true, 3659: true, 4045: true, 4190: true, 5060: true, 5061: true, 6000: true, 6566: true, 6665: true, 6666: true, 6667: true, 6668: true, 6669: true, 6679: true, 6697: true, 10080: true,
}

// parse resolves raw against base, if there is one, and checks that it can be
// requested. The fragment is dropped.
func (c *Client) parse(raw string, base *url.URL) (*url.URL, error) {
	if len(raw) > c.cfg.Limits.URLBytes {
		return nil, countLimit("url_bytes", "URL longer in bytes than", c.cfg.Limits.URLBytes)
	}
	u, err := url.Parse(escape(raw))
	if err != nil {
		if e := (*url.Error)(nil); errors.As(err, &e) {
			err = e.Err
		}
		return nil, faultf(ErrURL, err, "%q is not a URL: %s", clip(raw), oneLine(err))
	}
	if base != nil {
		u = base.ResolveReference(u)
	}
	u.Scheme = strings.ToLower(u.Scheme)
	u.Fragment, u.RawFragment = "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	return u, c.vet(u, raw)
}

func (c *Client) vet(u *url.URL, raw string) error {
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return faultf(ErrURL, nil, "%q has scheme %q: only http and https are fetched", clip(raw), u.Scheme)
	case u.User != nil:
		return faultf(ErrURL, nil, "URL of %s carries a user name", u.Host).with("remove what stands before the @")
	case u.Hostname() == "":
		return faultf(ErrURL, nil, "%q names no host", clip(raw))
	case u.Port() == "":
		u.Host = strings.TrimSuffix(u.Host, ":")
		return nil
	}
	port, err := strconv.Atoi(u.Port())
	if err != nil || port > 65535 {
		return faultf(ErrURL, err, "%q has port %s: at most 65535", clip(raw), u.Port())
	}
	if badPorts[port] {
		return faultf(ErrForbidden, nil, "port %d of %s is closed to browsers: it belongs to another protocol", port, u.Hostname())
	}
	return nil
}

// addr returns the host and port of u, as the transports name them.
func addr(u *url.URL) string {
	if u.Port() != "" {
		return u.Host
	}
	if u.Scheme == "https" {
		return u.Host + ":443"
	}
	return u.Host + ":80"
}

// escape prepares raw as browsers do: it removes white space around it and line
// breaks and tabs inside, turns backslashes into slashes, and percent-encodes
// characters that are invalid in a URL.
func escape(raw string) string {
	raw = strings.TrimFunc(raw, func(r rune) bool { return r <= ' ' })
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	b.Grow(len(raw) + 16)
	query, authority := false, hostSpan(raw)
	for i := range len(raw) {
		switch ch := raw[i]; {
		case ch == '\t' || ch == '\n' || ch == '\r':
		case ch == '\\' && !query:
			b.WriteByte('/')
		case ch == '%' && !hexPair(raw[i+1:]):
			b.WriteString("%25")
		case ch >= 0x80 && i < authority:
			b.WriteByte(ch) // the host's own encoding is punycode
		case ch <= ' ' || ch >= 0x7f || ch == '"' || ch == '<' || ch == '>':
			b.WriteByte('%')
			b.WriteByte(hex[ch>>4])
			b.WriteByte(hex[ch&15])
		default:
			query = query || ch == '?' || ch == '#'
			b.WriteByte(ch)
		}
	}
	return b.String()
}

// hostSpan returns where the authority of raw ends, 0 if it has none.
func hostSpan(raw string) int {
	i := strings.Index(raw, "//")
	if i < 0 {
		return 0
	}
	if n := strings.IndexAny(raw[i+2:], `/\?#`); n >= 0 {
		return i + 2 + n
	}
	return len(raw)
}

func hexPair(s string) bool {
	return len(s) >= 2 && isHex(s[0]) && isHex(s[1])
}

func isHex(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b|0x20 && b|0x20 <= 'f'
}

// clip shortens a URL to one line.
func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}
