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
	// Quarantined: the page has ended its inspector again and again, and is
	// not inspected until it is released.
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

// Page is one URL that Libra was asked to weigh, with the newest report.
type Page struct {
	ID    string    `json:"id"`
	URL   string    `json:"url"`
	State PageState `json:"state"`
	Step  Step      `json:"step"` // "" unless inspecting
	// Stale says that Report is not the latest word on the page; Reasons why.
	Stale   bool      `json:"stale"`
	Reasons []string  `json:"reasons"` // never null
	Asked   time.Time `json:"asked,omitzero"`
	Report  *Report   `json:"report"` // null until there is one
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
// The error names the value and the remedy.
func ParseURL(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" {
		return "", fmt.Errorf("the URL is empty: give one such as https://example.org/")
	}
	if len(s) > MaxURLBytes {
		return "", fmt.Errorf("URL %.40q… is %d bytes long: at most %d are taken", s, len(s), MaxURLBytes)
	}
	u, err := url.Parse(s)
	if err != nil {
		return "", fmt.Errorf("%q is not a URL: give one such as https://example.org/", s)
	}
	u.Scheme = strings.ToLower(u.Scheme)
	if !strings.Contains(s, "://") && !knownScheme[u.Scheme] {
		return "", fmt.Errorf("%q is not a URL: start it with https:// or http://", s)
	}
	if u.Scheme != "http" && u.Scheme != "https" {
		return "", fmt.Errorf("URL %q has scheme %q: only http and https can be weighed", s, u.Scheme)
	}
	if u.Hostname() == "" {
		return "", fmt.Errorf("URL %q names no host: give one such as https://example.org/", s)
	}
	if u.User != nil {
		return "", fmt.Errorf("URL %q carries a user name: remove what stands before the @", u.Redacted())
	}
	host, err := normalHost(strings.ToLower(u.Hostname()))
	if err != nil {
		return "", fmt.Errorf("URL %.200q cannot be: %w", s, err)
	}
	port, err := normalPort(u.Port(), u.Scheme)
	if err != nil {
		return "", fmt.Errorf("URL %.200q cannot be: %w", s, err)
	}
	u.Host = host + port
	u.Fragment, u.RawFragment = "", ""
	if u.Path == "" {
		u.Path = "/"
	}
	return u.String(), nil
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
		return p, fmt.Errorf("%q is no IP prefix: write it like 10.0.0.0/8 or 127.0.0.1", s)
	}
	return p.Masked(), nil
}
