package budget

import (
	"fmt"
	"strings"

	"golang.org/x/net/publicsuffix"

	"libra/pkg/libra"
	"libra/pkg/weburl"
)

// Kind is the list of a budget that a line is in.
type Kind string

// The kinds, named as in the file.
const (
	Sizes  Kind = "resourceSizes"
	Counts Kind = "resourceCounts"
	Deltas Kind = "maxDeltaVsLast"
)

// Outcome is one line of a budget checked against a report.
type Outcome struct {
	Kind     Kind   `json:"kind"`
	Type     string `json:"type"`
	Unit     string `json:"unit"`     // "bytes" or "requests"
	Budgeted int64  `json:"budgeted"` // what is allowed
	Actual   int64  `json:"actual"`   // the size or count; of a delta, the growth, negative if it shrank
	Over     int64  `json:"over"`     // Actual - Budgeted if that is positive, else 0
	// AtLeast says that Actual is a lower bound ([libra.Report.AtLeast]); growth,
	// of which this is true in both directions, does not have it.
	AtLeast bool `json:"at_least,omitempty"`
	// Given is a size or share as the file has it, "300 KB" or "5%"; "" for
	// counts.
	Given string `json:"given,omitempty"`
	// Skipped says why the line could not be judged, "" if it was.
	Skipped string `json:"skipped,omitempty"`
}

// Result is a report checked against the budget for its page.
type Result struct {
	URL string `json:"url"`
	// Path is the budget's, "" if no budget matches this page.
	Path  string    `json:"path"`
	Lines []Outcome `json:"lines"` // never null, in the file's order
	Over  bool      `json:"over"`  // at least one line is
	// Unjudged says why the page is not within its budget although no line is
	// over, and what to do; "" where it is within, or over.
	Unjudged string `json:"unjudged,omitempty"`
	// Details is Unjudged by code; those of a page that was not had are the report's.
	Details []libra.Reason `json:"unjudged_details,omitempty"`
	Partial bool           `json:"partial"`
	// Notes qualify the result, each in one line; never null.
	Notes []string `json:"notes"`
}

// Check checks a report against the last budget that matches its final URL.
// previous is the page's last complete report before it, nil without one. A page
// that is an error is not checked: it has no Lines.
func Check(budgets []Budget, r libra.Report, previous *libra.Report) Result {
	res := Result{URL: r.URL, Lines: []Outcome{}, Notes: []string{}, Partial: r.Outcome != libra.Complete}
	switch {
	case r.ErrorPage():
		res.unjudged(libra.CodeErrorPage, fmt.Sprintf("the page answered %d, and an error page has no budget", r.Status), "check the address and the server")
		return res
	case r.Outcome == libra.Error:
		res.Unjudged, res.Details = "the page could not be fetched", r.Why()
		if len(r.Reasons) > 0 {
			res.Unjudged = r.Reasons[0]
		}
		return res
	}
	page := r.FinalURL
	if page == "" {
		page = r.URL
	}
	b, ok := Match(budgets, page)
	if !ok {
		res.unjudged(libra.CodeNoBudget, "no budget matches "+page, `give one whose path matches, such as "/*"`)
		return res
	}
	res.Path = b.Path
	if res.Partial {
		res.Notes = append(res.Notes, "the report is "+string(r.Outcome)+": the figures are a lower bound")
	}
	if r.AtLeast() {
		res.Notes = append(res.Notes, "at least: "+r.ScriptsText())
	}
	now := sizes(r, b.FirstParty)
	for _, l := range b.Sizes {
		res.add(Outcome{Kind: Sizes, Type: l.Type, Unit: "bytes", Budgeted: l.Max, Given: l.Given, Actual: now[l.Type].TransferBytes, AtLeast: r.AtLeast()})
	}
	for _, l := range b.Counts {
		res.add(Outcome{Kind: Counts, Type: l.Type, Unit: "requests", Budgeted: l.Max, Actual: int64(now[l.Type].Requests), AtLeast: r.AtLeast()})
	}
	known := previous != nil && previous.Outcome == libra.Complete
	var last map[string]libra.Size
	if known && len(b.Deltas) > 0 {
		last = sizes(*previous, b.FirstParty)
	}
	for _, l := range b.Deltas {
		o := Outcome{Kind: Deltas, Type: l.Type, Unit: "bytes", Budgeted: l.Max, Given: l.Given}
		if !known {
			o.Skipped = "no earlier complete report to compare with"
			res.Lines = append(res.Lines, o)
			continue
		}
		before := last[l.Type].TransferBytes
		if l.IsShare {
			o.Budgeted = before * l.Share / 1000
		}
		o.Actual = now[l.Type].TransferBytes - before
		res.add(o)
	}
	if res.Partial && !res.Over {
		res.unjudged(libra.CodePartialReport, "the report is partial, so the page may be larger",
			"fix what its reasons name and retry, or check it as it is with --allow-partial")
	}
	return res
}

func (res *Result) unjudged(code libra.Code, text, remedy string) {
	why := libra.Reason{Code: code, Text: text, Remedy: remedy}
	res.Unjudged, res.Details = why.String(), []libra.Reason{why}
}

// AllowPartial accepts the lower bound of a partial report.
func (res *Result) AllowPartial() {
	if len(res.Details) == 1 && res.Details[0].Code == libra.CodePartialReport {
		res.Unjudged, res.Details = "", nil
	}
}

func (res *Result) add(o Outcome) {
	o.Over = max(o.Actual-o.Budgeted, 0)
	res.Over = res.Over || o.Over > 0
	res.Lines = append(res.Lines, o)
}

// sizes sums a report by resource types.
func sizes(r libra.Report, firstParty []string) map[string]libra.Size {
	sums := map[string]libra.Size{}
	all := r.Totals // the list may be cut
	sums[Total] = all.Size
	for t, s := range all.ByType {
		sums[string(t)] = s
	}
	page := r.FinalURL
	if page == "" {
		page = r.URL
	}
	home := hostname(page)
	var foreign []libra.Asset
	for _, a := range r.Assets {
		if !first(hostname(a.URL), home, firstParty) {
			foreign = append(foreign, a)
		}
	}
	sums[ThirdParty] = libra.Sum(foreign).Size
	return sums
}

// first says whether host is first-party for a page at home.
func first(host, home string, listed []string) bool {
	for _, pattern := range listed {
		bare, wild := strings.CutPrefix(pattern, "*.")
		if host == bare || wild && strings.HasSuffix(host, "."+bare) {
			return true
		}
	}
	if len(listed) > 0 {
		return false
	}
	return host == home || domain(host) == domain(home)
}

// domain is the registrable domain, or the host itself without one: an IP
// address, "localhost".
func domain(host string) string {
	if d, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil && strings.ContainsAny(host, "abcdefghijklmnopqrstuvwxyz") {
		return d
	}
	return host
}

func hostname(raw string) string {
	u, _ := weburl.Parse(raw)
	return u.Hostname()
}
