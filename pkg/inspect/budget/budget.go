// Package budget reads performance budgets and checks reports against them.
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
// path is written as in robots.txt: it matches from the start, one * matches
// anything, a $ at the end matches the end. The default is "/", every page. Of
// the budgets that match a page, the last one applies, as in Lighthouse.
//
// maxDeltaVsLast is Libra's own: how much a page may have grown since its last
// complete report, in KB (50) or as a share ("5%"), one resource type per line. A
// number or a share alone is for "total".
//
// Third-party are assets from another registrable domain than the page's, or, with
// firstPartyHostnames, from none of these hosts.
package budget

import (
	"fmt"
	"strings"

	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// Types of resources that budgets name in addition to libra.ResourceTypes.
const (
	Total      = "total"
	ThirdParty = "third-party"
)

// resourceTypes lists the valid values of resourceType.
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
	// IsShare says that the line is a share, which may be 0.
	IsShare bool `json:"is_share,omitempty"`
	// Given is a size or share as the file has it, "300 KB" or "5%"; "" for
	// counts.
	Given string `json:"given,omitempty"`
}

// Match returns the budget for the page at pageURL: the last whose path
// matches. ok is false if no budget does.
func Match(budgets []Budget, pageURL string) (b Budget, ok bool) {
	u, err := weburl.Parse(pageURL)
	if err != nil {
		return Budget{}, false
	}
	path := u.Path()
	if u.Query() != "" {
		path += "?" + u.Query()
	}
	for i := len(budgets) - 1; i >= 0; i-- {
		if matches(path, budgets[i].Path) {
			return budgets[i], true
		}
	}
	return Budget{}, false
}

// matches says whether path matches pattern, which checkPath has accepted.
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

// checkPath returns the fault of pattern, "" for none.
func checkPath(pattern string) string {
	switch {
	case !strings.HasPrefix(pattern, "/"):
		return fmt.Sprintf("path %q does not start with /: write it as in robots.txt, such as \"/blog/*\"", pattern)
	case strings.Count(pattern, "*") > 1:
		return fmt.Sprintf("path %q has more than one *: one is allowed", pattern)
	case strings.Contains(strings.TrimSuffix(pattern, "$"), "$"):
		return fmt.Sprintf("path %q has a $ before its end: only the last character may be one", pattern)
	}
	return ""
}
