package fetch

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"libra/pkg/weburl"
)

// badPorts are the ports that browsers do not speak HTTP to
// (https://fetch.spec.whatwg.org/#port-blocking).
var badPorts = map[int]bool{
	0: true, 1: true, 7: true, 9: true, 11: true, 13: true, 15: true, 17: true, 19: true, 20: true, 21: true, 22: true, 23: true, 25: true, 37: true, 42: true, 43: true, 53: true, 69: true, 77: true, 79: true, 87: true, 95: true, 101: true, 102: true, 103: true, 104: true, 109: true, 110: true, 111: true, 113: true, 115: true, 117: true, 119: true, 123: true, 135: true, 137: true, 139: true, 143: true, 161: true, 179: true, 389: true, 427: true, 465: true, 512: true, 513: true, 514: true, 515: true, 526: true, 530: true, 531: true, 532: true, 540: true, 548: true, 554: true, 556: true, 563: true, 587: true, 601: true, 636: true, 989: true, 990: true, 993: true, 995: true, 1719: true, 1720: true, 1723: true, 2049: true, 3659: true, 4045: true, 4190: true, 5060: true, 5061: true, 6000: true, 6566: true, 6665: true, 6666: true, 6667: true, 6668: true, 6669: true, 6679: true, 6697: true, 10080: true,
}

// parse resolves raw against base, unless that is the zero value, and checks that
// it can be requested. A redirect may have a user name; it is dropped, as browsers
// send it only to a server that asks for it.
func (c *Client) parse(raw string, base weburl.URL) (weburl.URL, error) {
	if len(raw) > c.cfg.Limits.URLBytes {
		return weburl.URL{}, countLimit("url_bytes", "URL longer in bytes than", c.cfg.Limits.URLBytes)
	}
	u, err := base.Resolve(raw, nil)
	if err != nil {
		e := &weburl.Error{}
		if errors.As(err, &e); e.Kind == weburl.OtherScheme {
			return u, faultf(ErrURL, err, "%q has scheme %q: only http and https are fetched", clip(weburl.Redacted(raw)), e.Part)
		}
		return u, faultf(ErrURL, err, "%q is not a URL: %s", clip(weburl.Redacted(raw)), err)
	}
	if base.IsZero() && u.HasCredentials() {
		return u, faultf(ErrURL, nil, "URL of %s carries a user name", u.Host()).with("remove what stands before the @")
	}
	if port, err := strconv.Atoi(u.Port()); err == nil && badPorts[port] {
		return u, faultf(ErrForbidden, nil, "port %d of %s is closed to browsers: it belongs to another protocol", port, u.Hostname())
	}
	return u, nil
}

// locationURL prepares a Location header: bytes that are not ASCII are
// percent-encoded as they are, also where they are not UTF-8, as Chromium does.
func locationURL(v string) string {
	var b strings.Builder
	for i := range len(v) {
		if v[i] < 0x80 {
			b.WriteByte(v[i])
		} else {
			fmt.Fprintf(&b, "%%%02X", v[i])
		}
	}
	return b.String()
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

// clip shortens a URL to one line.
func clip(s string) string {
	if len(s) > 100 {
		return strings.ToValidUTF8(s[:100], "") + "…"
	}
	return s
}
