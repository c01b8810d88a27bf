package web

import (
	"cmp"
	"fmt"
	"strings"
	"sync"
	"time"

	"libra/pkg/libra"
)

// answers is what is known of a page's reports: the newest good one, which is
// shown for as long as there is one, the newest that says why the page could
// not be had, and the newest sound one (complete, no error page), whose score stands while
// the good one may not be judged. Each may be nil.
type answers struct {
	good, bad, complete *summary
}

// take keeps a summary, unless a newer one of its kind is there already.
func (a *answers) take(s *summary) (news bool) {
	if s.report.Sound() && (a.complete == nil || s.at.After(a.complete.at)) {
		a.complete = s
	}
	place := &a.good
	if s.report.Outcome == libra.Failed {
		place = &a.bad
	}
	if old := *place; old != nil && (old.request == s.request || s.at.Before(old.at)) {
		return false
	}
	*place = s
	return true
}

// to says whether a request is answered.
func (a answers) to(request string) bool {
	return a.good != nil && a.good.request == request || a.bad != nil && a.bad.request == request
}

// shown is the report that the page shows: a good one, however old.
func (a answers) shown() *summary { return cmp.Or(a.good, a.bad) }

// latest is the newest answer of either kind.
func (a answers) latest() *summary {
	if a.good != nil && a.bad != nil && a.bad.at.After(a.good.at) {
		return a.bad
	}
	return a.shown()
}

// stale says that the report shown is good, and could not be had again.
func (a answers) stale() bool { return a.good != nil && a.latest() == a.bad }

func (a answers) quarantined() bool { return a.bad != nil && a.bad.quarantined && a.latest() == a.bad }

// reasons say why the report shown is not the latest word on the page.
func (a answers) reasons(id string) libra.ReasonList {
	list := libra.NoReasons()
	switch {
	case a.quarantined():
		list.AddReason(libra.Reason{
			Code: libra.CodeQuarantined, Text: fmt.Sprintf("in quarantine since %s: %s", stamp(a.bad.at), a.bad.what()), Remedy: howToRelease(id),
		})
		if a.good != nil {
			list.AddReason(libra.Reason{Code: libra.CodeNotInspected, Text: "not weighed since " + stamp(a.good.report.Started)})
		}
	case a.stale():
		since := libra.Reason{Code: libra.CodeNotInspected, Text: "not weighed since " + stamp(a.good.report.Started)}
		list.AddSentence(since.Text+": "+a.bad.why(), append([]libra.Reason{since}, a.bad.report.Why()...)...)
	}
	return list
}

func howToRelease(id string) string {
	return fmt.Sprintf("release it with libra release %s, or POST /api/pages/%s/release", id, id)
}

// why is what a failed report says of itself, with the remedies.
func (s *summary) why() string { return s.say(libra.Reason.String) }

// what is why without the remedies.
func (s *summary) what() string { return s.say(func(r libra.Reason) string { return r.Text }) }

func (s *summary) say(one func(libra.Reason) string) string {
	var list []string
	for _, r := range s.report.Why() {
		list = append(list, one(r))
	}
	return cmp.Or(strings.Join(list, "; "), "the page could not be fetched")
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// latestDoc is the newest answer of a page, in its document.
type latestDoc struct {
	At          time.Time     `json:"at"`
	Outcome     libra.Outcome `json:"outcome"`
	Quarantined bool          `json:"quarantined"`
	libra.ReasonList
}

func (a answers) latestDoc() *latestDoc {
	s := a.latest()
	if s == nil {
		return nil
	}
	return &latestDoc{s.at, s.report.Outcome, s.quarantined, s.report.ReasonList}
}

// shortScore is a score in a list.
type shortScore struct {
	Score   int    `json:"score"`
	Verdict string `json:"verdict"`
}

// together runs functions at the same time and waits for all.
func together(do ...func()) {
	var wg sync.WaitGroup
	for _, fn := range do {
		wg.Go(fn)
	}
	wg.Wait()
}
