package libra

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// PageState is where a page stands, as the outside sees it.
type PageState string

// A page goes queued -> inspecting -> reported, and round again.
const (
	Queued     PageState = "queued"     // accepted and durable, waiting for a worker
	Inspecting PageState = "inspecting" // a worker has it; Step says how far
	Reported   PageState = "reported"   // the newest request is answered
	// Quarantined: the page has crashed its inspector several times, and is not
	// inspected until it is released.
	Quarantined PageState = "quarantined"
)

// Step is what the worker of a page does right now.
type Step string

// The steps of an inspection, in order.
const (
	Fetching    Step = "fetching"    // asking for the page itself
	Discovering Step = "discovering" // reading it for assets
	Weighing    Step = "weighing"    // asking for its assets
	Reporting   Step = "reporting"   // handing the report to the bus
)

// Page is one URL that Libra was asked to inspect, with the newest report.
type Page struct {
	ID    string    `json:"id"`
	URL   string    `json:"url"`
	State PageState `json:"state"`
	Step  Step      `json:"step"` // "" unless inspecting
	// Stale says that Report is not the newest answer of the page; Reasons why.
	Stale bool `json:"stale"`
	ReasonList
	Asked  time.Time `json:"asked,omitzero"`
	Report *Report   `json:"report"` // null until there is one
}

// MaxURLBytes bounds a page's URL. Chromium's address bar shows no more, and
// servers refuse far less.
const MaxURLBytes = 8192

// knownScheme holds what people paste that is a URL but no web page; anything
// else before a colon is a host ("localhost:8080").
var knownScheme = map[string]bool{"http": true, "https": true, "file": true, "data": true, "javascript": true, "mailto": true, "about": true, "blob": true}

// ParseURL checks that s can name a page and returns its normal form: lower
// case scheme and host, an IP address in its usual form, no default port, no
// fragment, "/" for an empty path.
// The error is a [Reason] with CodeInvalidURL; its text has the value at fault.
func ParseURL(s string) (string, error) {
	const example = "give one such as https://example.org/"
	s = strings.TrimSpace(s)
	if s == "" {
		return "", invalidURL(example, "the URL is empty")
	}
	if len(s) > MaxURLBytes {
		return "", invalidURL("", "URL %.40q… is %d bytes long: must be at most %d", s, len(s), MaxURLBytes)
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", invalidURL(example, "%q is not a URL", s)
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if !strings.Contains(s, "://") && !knownScheme[u.Scheme] {
		return "", invalidURL("start it with https:// or http://", "%q is not a URL", s)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", invalidURL("only http and https can be inspected", "URL %q has scheme %q", s, u.Scheme)
	}
	if u.Hostname() == "" {
		return "", invalidURL(example, "URL %q names no host", s)
	}
	if u.User != nil {
		return "", invalidURL("remove what stands before the @", "URL %q carries a user name", u.Redacted())
	}
	host, err := normalHost(strings.ToLower(u.Hostname()))
	if err != nil {
		return "", invalidPart(s, err)
	}
	port, err := normalPort(u.Port(), u.Scheme)
	if err != nil {
		return "", invalidPart(s, err)
	}
	u.Host = host + port
	u.Fragment, u.RawFragment = "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	return u.String(), nil
}

func invalidURL(remedy, format string, args ...any) error {
	return Reason{Code: CodeInvalidURL, Text: fmt.Sprintf(format, args...), Remedy: remedy}
}

// invalidPart names the URL that has the part at fault.
func invalidPart(s string, err error) error {
	r := ReasonOf(err)
	r.Text = fmt.Sprintf("invalid URL %.200q: %s", s, r.Text)
	return r
}

// PageID names a page by its URL in normal form: the same URL is the same
// page, for every client and after every loss. 20 characters of a-z and 2-7.
func PageID(url string) string {
	sum := sha256.Sum256([]byte(url))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:20]
}

// ParsePrefix reads an IP prefix such as 10.0.0.0/8; one address is a prefix
// of its own length.
func ParsePrefix(s string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(s); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return p, Reason{Code: CodeInvalidPrefix, Text: fmt.Sprintf("invalid IP prefix %q", s), Remedy: "write it like 10.0.0.0/8 or 127.0.0.1"}
	}
	return p.Masked(), nil
}
