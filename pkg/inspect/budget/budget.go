// Package budget reads performance budgets and holds reports against them.
//
// The file is LightWallet's budget.json, which Lighthouse read until version
// 12: an array of budgets, each for the pages whose path it matches, sizes in
// KB of 1024 bytes as Lighthouse counts them. They become bytes as the file is
// read, and are shown in kB of 1000 bytes with the file's figure beside them.
//
//	[{
//	  "path": "/*",
//	  "options": {"firstPartyHostnames": ["example.org", "*.cdn.example.net"]},
//	  "resourceSizes":  [{"resourceType": "total", "budget": 300}],
//	  "resourceCounts": [{"resourceType": "third-party", "budget": 10}],
//	  "maxDeltaVsLast": [{"resourceType": "total", "budget": "5%"}]
//	}]
//
// path is written as in robots.txt: it matches from the start, one * stands
// for anything, a $ at the end for the end. The default is "/", every page. Of
// the budgets that match a page, the last one counts, as in Lighthouse.
//
// maxDeltaVsLast is ours: how much a page may have grown since its last
// complete report, in KB (50) or as a share ("5%"), for one resource type a
// line. A number or a share alone is for "total".
//
// Third-party is what comes from another registrable domain than the page; if
// firstPartyHostnames is given, what comes from none of these.
package budget

import (
	"fmt"
	"net/url"
	"strings"

	"libra/pkg/libra"
)

// Types of resources that budgets name beside libra.ResourceTypes.
const (
	Total      = "total"
	ThirdParty = "third-party"
)

// resourceTypes lists what may stand as a resourceType.
func resourceTypes() []string {
	names := []string{Total}
	for _, t := range libra.ResourceTypes() {
		names = append(names, string(t))
	}
	return append(names, ThirdParty)
}

// Budget is for the pages whose path it matches.
type Budget struct {
	Path       string   `json:"path"`
	FirstParty []string `json:"first_party,omitempty"` // host names; "*.example.org" takes subdomains too
	Sizes      []Line   `json:"sizes"`
	Counts     []Line   `json:"counts"`
	Deltas     []Line   `json:"deltas"`
}

// Line bounds one type of resource.
type Line struct {
	Type  string `json:"type"`            // a libra.ResourceType, "total" or "third-party"
	Max   int64  `json:"max"`             // bytes, or requests
	Share int64  `json:"share,omitempty"` // of a delta, in thousandths of the last report's; then Max is 0
	// IsShare tells a share of 0 from none.
	IsShare bool `json:"is_share,omitempty"`
	// Given is a size or share as the file has it, "300 KB" or "5%"; "" for
	// counts.
	Given string `json:"given,omitempty"`
}

// Match returns the budget for the page at pageURL: the last whose path
// matches. ok is false if there is none.
func Match(budgets []Budget, pageURL string) (b Budget, ok bool) {
	u, err := url.Parse(pageURL)
	if err != nil {
		return Budget{}, false
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	for i := len(budgets) - 1; i >= 0; i-- {
		if matches(path, budgets[i].Path) {
			return budgets[i], true
		}
	}
	return Budget{}, false
}

// matches tells whether path fits pattern, which checkPath has seen.
func matches(path, pattern string) bool {
	pattern, anchored := strings.CutSuffix(pattern, "$")
	before, after, wild := strings.Cut(pattern, "*")
	rest, ok := strings.CutPrefix(path, before)
	switch {
	case !ok:
		return false
	case wild && anchored:
		return strings.HasSuffix(rest, after)
	case wild:
		return strings.Contains(rest, after)
	}
	return !anchored || rest == ""
}

// checkPath says what is wrong with pattern, "" if nothing.
func checkPath(pattern string) string {
	switch {
	case !strings.HasPrefix(pattern, "/"):
		return fmt.Sprintf("path %q does not start with /: write it as in robots.txt, such as \"/blog/*\"", pattern)
	case strings.Count(pattern, "*") > 1:
		return fmt.Sprintf("path %q has more than one *: one is allowed", pattern)
	case strings.Contains(strings.TrimSuffix(pattern, "$"), "$"):
		return fmt.Sprintf("path %q has a $ before its end: it stands for the end of the path", pattern)
	}
	return ""
}
