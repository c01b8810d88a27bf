package state

import (
	"cmp"
	"fmt"
	"strings"
	"sync"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/trace"
)

// Answers is what is known of a page's reports: the newest good one, complete or
// partial, which is shown for as long as there is one, the newest error, and the
// newest complete one, whose score is shown while the good one has no score. Each
// may be nil.
type Answers struct {
	Good, Bad, Complete *Summary
	// failing is when the first of the newest errors in a row was reported, as far
	// as they were seen; the zero time where the newest answer is good.
	failing time.Time
}

// take keeps a summary, unless a newer one of its kind is there already, and
// reports whether it is news.
func (a *Answers) take(s *Summary) (news bool) {
	if s.Report.Sound() && (a.Complete == nil || s.At.After(a.Complete.At)) {
		a.Complete = s
	}
	place := &a.Good
	if s.Report.Outcome == libra.Error {
		place = &a.Bad
	}
	was := a.Latest()
	if old := *place; old != nil && (old.Request == s.Request || s.At.Before(old.At)) {
		return false
	}
	*place = s
	if a.Latest() != s { // it came late
		return true
	}
	switch {
	case s.Report.Outcome != libra.Error:
		a.failing = time.Time{}
	case was == nil || was.Report.Outcome != libra.Error:
		a.failing = s.At
	}
	return true
}

// to reports whether a request is answered.
func (a Answers) to(request string) bool {
	return a.Good != nil && a.Good.Request == request || a.Bad != nil && a.Bad.Request == request
}

// Shown is the report that the page shows: a good one, however old.
func (a Answers) Shown() *Summary { return cmp.Or(a.Good, a.Bad) }

// Latest is the newest answer of either kind.
func (a Answers) Latest() *Summary {
	if a.Good != nil && a.Bad != nil && a.Bad.At.After(a.Good.At) {
		return a.Bad
	}
	return a.Shown()
}

// stale reports whether the report shown is good, and later inspections failed.
func (a Answers) stale() bool { return a.Good != nil && a.Latest() == a.Bad }

// Quarantined reports whether the newest answer says that the page is in quarantine.
func (a Answers) Quarantined() bool { return a.Bad != nil && a.Bad.Quarantined && a.Latest() == a.Bad }

// reasons say why the report shown is not the newest answer about the page.
func (a Answers) reasons(id string) libra.ReasonList {
	list := libra.NoReasons()
	switch {
	case a.Quarantined():
		list.AddReason(libra.Reason{
			Code: libra.CodeQuarantined, Text: fmt.Sprintf("in quarantine since %s: %s", libra.FormatTime(a.Bad.At), a.Bad.What()), Remedy: HowToRelease(id),
		})
		if a.Good != nil {
			list.AddReason(libra.Reason{Code: libra.CodeNotInspected, Text: "not inspected since " + libra.FormatTime(a.Good.Report.Started)})
		}
	case a.stale():
		since := libra.Reason{Code: libra.CodeNotInspected, Text: "no good report since " + libra.FormatTime(a.Good.Report.Started)}
		list.AddSentence(since.Text+": "+a.Bad.why(), append([]libra.Reason{since}, a.Bad.Report.Why()...)...)
	}
	return list
}

// HowToRelease is the remedy for a page in quarantine.
func HowToRelease(id string) string {
	return fmt.Sprintf("release it with libra release %s, or POST /api/pages/%s/release", id, id)
}

// why is the reasons of a failed report, with the remedies.
func (s *Summary) why() string { return s.say(libra.Reason.String) }

// What is why without the remedies.
func (s *Summary) What() string { return s.say(func(r libra.Reason) string { return r.Text }) }

func (s *Summary) say(one func(libra.Reason) string) string {
	var list []string
	for _, r := range s.Report.Why() {
		list = append(list, one(r))
	}
	return cmp.Or(strings.Join(list, "; "), "the page could not be fetched")
}

// LatestDoc is the newest answer of a page, in its document.
type LatestDoc struct {
	At          time.Time     `json:"at"`
	Request     string        `json:"request"`  // that it answers
	TraceID     string        `json:"trace_id"` // of that
	Outcome     libra.Outcome `json:"outcome"`
	Quarantined bool          `json:"quarantined"`
	libra.ReasonList
}

// LatestDoc is the newest answer as a document; nil without one.
func (a Answers) LatestDoc() *LatestDoc {
	s := a.Latest()
	if s == nil {
		return nil
	}
	of := event.Request{ID: s.Request, Traceparent: s.Traceparent}
	return &LatestDoc{s.At, s.Request, trace.ID(of), s.Report.Outcome, s.Quarantined, s.Report.ReasonList}
}

// ShortScore is a score in a list.
type ShortScore struct {
	Score   int    `json:"score"`
	AtMost  bool   `json:"at_most,omitempty"` // as in score.Score
	Verdict string `json:"verdict"`
}

// Together runs functions at the same time and waits for all.
func Together(do ...func()) {
	var wg sync.WaitGroup
	for _, fn := range do {
		wg.Go(fn)
	}
	wg.Wait()
}

// LastInspection is when the page was last inspected; the zero time if never. The
// answer that quarantines a page is not an inspection.
func (a Answers) LastInspection() (at time.Time) {
	for _, s := range []*Summary{a.Good, a.Bad} {
		if s != nil && !s.Quarantined && s.At.After(at) {
			at = s.At
		}
	}
	return at
}
