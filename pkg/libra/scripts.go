package libra

import "fmt"

// Scripts counts scripts: each in a document, and each URL once.
type Scripts struct {
	Count int   `json:"count"`
	Bytes int64 `json:"bytes"` // decoded
	// ThirdParty and ThirdPartyBytes are the part of them from another
	// registrable domain than the page's.
	ThirdParty      int   `json:"third_party"`
	ThirdPartyBytes int64 `json:"third_party_bytes"`
}

// AtLeast says that a browser may request more than Totals has, although the
// report may be complete: a script of the page can make requests, or a version
// that did not look at scripts wrote the report. Such a page weighs at least its
// totals, scores at most its score, and has no rank among other pages.
func (r Report) AtLeast() bool {
	return r.MayFetchMore || r.ScriptsNotExecuted == nil && r.Totals.ByType[Script].Requests > 0
}

// Weight is the transfer size for people: "1.4 MB", or "at least 1.4 MB".
func (r Report) Weight() string { return r.Bounded(FormatBytes(r.Totals.TransferBytes)) }

// Bounded is a figure of the totals for people: as it is, or "at least" that.
func (r Report) Bounded(figure string) string {
	if r.AtLeast() {
		return "at least " + figure
	}
	return figure
}

// ScriptsText says in one sentence what was not executed and whether it may fetch
// more, "" without scripts.
func (r Report) ScriptsText() string {
	s := r.ScriptsNotExecuted
	switch {
	case s == nil && r.AtLeast():
		return "Scripts were not executed: an older version of Libra did not look whether they may fetch more"
	case s == nil || s.Count == 0 && !r.MayFetchMore:
		return ""
	case s.Count == 0:
		return "Scripts that are not known, or event handlers, may fetch more"
	}
	text := fmt.Sprintf("%s not executed (%s decoded", Plural(s.Count, "script was", "scripts were"), FormatBytes(s.Bytes))
	if s.ThirdParty > 0 {
		text += fmt.Sprintf(", %d third-party with %s", s.ThirdParty, FormatBytes(s.ThirdPartyBytes))
	}
	switch {
	case r.MayFetchMore && s.Count == 1:
		return text + "): it may fetch more"
	case r.MayFetchMore:
		return text + "): they may fetch more"
	case s.Count == 1:
		return text + "): nothing in it makes requests"
	}
	return text + "): nothing in them makes requests"
}
