package fetch

import (
	"net/http"
	"net/netip"
	"strings"

	"golang.org/x/net/publicsuffix"

	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// DefaultUserAgent is that of a desktop Chromium, so that servers send what they
// send browsers, and names Libra.
const DefaultUserAgent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36 Libra"

// requestProfile holds the headers that Chromium sends for a type of resource.
type requestProfile struct{ accept, dest, mode string }

var requestProfiles = map[libra.ResourceType]requestProfile{
	libra.Document:   {"text/html,application/xhtml+xml,application/xml;q=0.9,image/jxl,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7", "document", "navigate"},
	libra.Stylesheet: {"text/css,*/*;q=0.1", "style", "no-cors"},
	libra.Script:     {"*/*", "script", "no-cors"},
	libra.Image:      {"image/jxl,image/avif,image/webp,image/apng,image/svg+xml,image/*,*/*;q=0.8", "image", "no-cors"},
	libra.Media:      {"*/*", "video", "no-cors"},
	libra.Font:       {"*/*", "font", "cors"},
	libra.Other:      {"*/*", "empty", "cors"},
}

// header returns the headers that Chromium sends for r to u. chain holds the URLs
// of the redirects before u, in order.
func (c *Client) header(r Request, u weburl.URL, chain []weburl.URL) http.Header {
	w, ok := requestProfiles[r.Type]
	if !ok {
		w = requestProfiles[libra.Other]
	}
	h := make(http.Header, 16)
	set := func(k, value string) {
		if value != "" {
			h[k] = []string{value} // the keys below are canonical
		}
	}
	trusted := trustworthy(u)
	set("User-Agent", c.cfg.UserAgent)
	set("Accept", w.accept)
	set("Accept-Language", c.cfg.AcceptLanguage)
	set("Accept-Encoding", acceptEncoding(r, trusted))
	set("Range", r.Range)
	set("If-None-Match", r.ETag)
	set("If-Modified-Since", r.LastModified)
	from, _ := weburl.Parse(r.Referrer) // the zero value without one
	set("Referer", referer(from, u))
	site := fetchSite(from, u, chain)
	if !from.IsZero() && (w.dest == "font" || w.mode == "cors" && site != "same-origin") {
		set("Origin", from.Origin())
	}
	if w.mode == "navigate" {
		set("Upgrade-Insecure-Requests", "1")
	}
	if trusted {
		set("Sec-Fetch-Site", site)
		set("Sec-Fetch-Mode", w.mode)
		switch {
		case w.mode == "navigate" && !from.IsZero() && !r.TopLevel:
			w.dest = "iframe"
		case w.mode == "navigate" && from.IsZero():
			set("Sec-Fetch-User", "?1")
		}
		set("Sec-Fetch-Dest", w.dest)
	}
	return h
}

// acceptEncoding returns Accept-Encoding as Chromium sends it: identity for media,
// and brotli and zstd only where no middlebox can change the body.
func acceptEncoding(r Request, trusted bool) string {
	switch {
	case r.Type == libra.Media:
		return "identity"
	case trusted:
		return "gzip, deflate, br, zstd"
	}
	return "gzip, deflate"
}

// trustworthy: https, or a host that is this machine
// (https://w3c.github.io/webappsec-secure-contexts/#is-origin-trustworthy).
func trustworthy(u weburl.URL) bool {
	if u.Scheme() == "https" {
		return true
	}
	name := u.Hostname()
	if name == "localhost" || strings.HasSuffix(name, ".localhost") {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && ip.IsLoopback()
}

// referer is strict-origin-when-cross-origin: the whole URL to the same
// origin, the origin to others, nothing from https to http.
func referer(from, to weburl.URL) string {
	switch {
	case from.IsZero() || from.Scheme() == "https" && !trustworthy(to):
		return ""
	case from.SameOrigin(to):
		return from.String()
	}
	return from.Origin() + "/"
}

// fetchSite returns Sec-Fetch-Site: the most distant relation of a hop to from.
func fetchSite(from, to weburl.URL, chain []weburl.URL) string {
	if from.IsZero() {
		return "none"
	}
	site := "same-origin"
	for i := range len(chain) + 1 {
		u := to
		if i < len(chain) {
			u = chain[i]
		}
		switch {
		case from.SameOrigin(u):
		case sameSite(from, u):
			site = "same-site"
		default:
			return "cross-site"
		}
	}
	return site
}

func sameSite(a, b weburl.URL) bool {
	return a.Scheme() == b.Scheme() && sameParty(a.Hostname(), b.Hostname())
}

// SameParty says whether two URLs share their registrable domain, or their host
// where it has none: an IP address, "localhost".
func SameParty(a, b string) bool {
	x, errA := weburl.Parse(a)
	y, errB := weburl.Parse(b)
	return errA == nil && errB == nil && sameParty(x.Hostname(), y.Hostname())
}

func sameParty(a, b string) bool {
	x, y := strings.ToLower(a), strings.ToLower(b)
	return x == y || registrable(x) != "" && registrable(x) == registrable(y)
}

// registrable is the registrable domain of a host, "" for a host without one.
func registrable(host string) string {
	if _, err := netip.ParseAddr(host); err == nil {
		return ""
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return ""
	}
	return domain
}
