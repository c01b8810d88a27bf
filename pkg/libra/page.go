package libra

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"net/netip"
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
	// Waiting comes before the first step, or in place of it: the page answers, and is
	// inspected later.
	Waiting Step = "waiting"
)

// Page is one URL that Libra was asked to inspect, with the newest report.
type Page struct {
	ID    string    `json:"id"`
	URL   string    `json:"url"`
	State PageState `json:"state"`
	Step  Step      `json:"step"` // "" unless inspecting
	// StepWhy says why the page waits; "" in any other step.
	StepWhy string `json:"step_why,omitempty"`
	// Stale says that Report is not the newest answer of the page; Reasons why.
	Stale bool `json:"stale"`
	ReasonList
	Asked  time.Time `json:"asked,omitzero"`
	Report *Report   `json:"report"` // null until there is one
}

// MaxURLBytes bounds a page's URL. Chromium's address bar shows no more, and
// servers refuse far less.
const MaxURLBytes = 8192

// PageID names a page by its URL, as weburl.ParsePage returns it: the same URL is the same
// page, for every client and after every loss. 20 characters of a-z and 2-7.
func PageID(url string) string {
	sum := sha256.Sum256([]byte(url))
	return strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:20]
}

// URLParts cuts the host with its port, and the path, out of a URL that is in
// normal form, as those of pages and assets are. Text that people or servers wrote
// is for package weburl.
func URLParts(normal string) (host, path string) {
	_, rest, _ := strings.Cut(normal, "://")
	rest, _, _ = strings.Cut(rest, "?")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[:i], rest[i:]
	}
	return rest, ""
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
