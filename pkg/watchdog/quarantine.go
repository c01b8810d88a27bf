package watchdog

import (
	"context"
	"crypto/rand"
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/trace"
)

const quarantinePrefix = "quarantine."

func quarantineAlarm(page, url string) libra.Alarm {
	return libra.Alarm{
		ID: quarantinePrefix + page, Scope: libra.ScopePage, Target: url, Page: page, Group: "quarantine:" + hostname(url), Severity: libra.Major,
		Summary: "The page is quarantined: it is not inspected any more", Runbook: "#quarantine",
	}
}

// quarantine holds the pages in quarantine, by their newest report. Of the others
// it holds no more than its time, because reports come twice and, after a bus has
// lost its store, out of order.
type quarantine struct {
	seed maphash.Seed

	mu     sync.Mutex
	ready  bool                   // under mu; every report on the bus was read
	newest map[uint64]int64       // under mu; unix nanoseconds, by hashed page id
	pages  map[string]quarantined // under mu; by page id
}

// quarantined is one page in quarantine.
type quarantined struct {
	url   string
	why   libra.ReasonList
	since time.Time
	// traceparent is of the request whose report quarantined the page.
	traceparent string
}

func newQuarantine() *quarantine {
	return &quarantine{seed: maphash.MakeSeed(), newest: map[uint64]int64{}, pages: map[string]quarantined{}}
}

// consume receives reports until ctx ends.
func (q *quarantine) consume(ctx context.Context, bus Bus) {
	_ = bus.ConsumeReports(ctx, func() { // it ends with ctx
		q.mu.Lock()
		defer q.mu.Unlock()
		q.ready = true
	}, q.receive)
}

func (q *quarantine) receive(r event.Reported) {
	page := r.Request.Page
	if !isPage(page) {
		return // the alarm would have no valid subject
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	hash := maphash.String(q.seed, page)
	now := time.Now()
	if at, known := q.newest[hash]; known && r.At.UnixNano() <= at && at <= now.UnixNano() { // a clock may have been ahead
		return
	}
	q.newest[hash] = r.At.UnixNano()
	delete(q.pages, page)
	if r.Quarantined && r.Report.Outcome == libra.Error {
		q.pages[page] = quarantined{url: r.Request.URL, since: earliest(r.At, now), why: r.Report.ReasonList, traceparent: trace.Traceparent(r.Request)}
	}
}

// list returns the pages in quarantine. ok is false until all are known.
func (q *quarantine) list() (inside map[string]quarantined, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	inside = make(map[string]quarantined, len(q.pages))
	for page, w := range q.pages {
		inside[page] = w
	}
	return inside, q.ready
}

// released returns when a page that is not in quarantine had its newest report.
func (q *quarantine) released(page string) (at time.Time, known bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	ns, known := q.newest[maphash.String(q.seed, page)]
	_, inside := q.pages[page]
	return time.Unix(0, ns).UTC(), known && !inside
}

func (q *quarantine) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.pages)
}

// remembered is for how long the end of a quarantine is remembered: longer than
// the bus stores a report that could raise it again.
const remembered = 30 * 24 * time.Hour

// checkQuarantine raises and clears the alarms of pages in quarantine. What was
// published before is in the publisher's state, so that it is neither published
// twice nor forgotten.
func (ev *evaluator) checkQuarantine() {
	inside, ok := ev.quarantine.list()
	if !ok || !ev.publisher.Known() && !ev.caughtUp {
		return
	}
	published := map[string]libra.Transition{}
	var over []string
	for _, t := range ev.publisher.WithPrefix(quarantinePrefix) {
		page := strings.TrimPrefix(t.Alarm.ID, quarantinePrefix)
		published[page] = t
		at, free := ev.quarantine.released(page)
		switch {
		case t.Alarm.State == libra.Raised && free && at.After(t.Alarm.Since):
			ev.clearQuarantine(t, at)
		case t.Alarm.State == libra.Cleared && time.Since(t.At) > remembered:
			over = append(over, t.Alarm.ID)
		}
	}
	ev.publisher.Forget(over)
	for page, w := range inside {
		// An end that is newer than the report has been published: this is old.
		if t, ok := published[page]; !ok || t.Alarm.State == libra.Cleared && w.since.After(t.Alarm.Until) {
			ev.raiseQuarantine(page, w)
		}
	}
}

func (ev *evaluator) raiseQuarantine(page string, w quarantined) {
	a := quarantineAlarm(page, w.url)
	a.State, a.Since, a.Evidence = libra.Raised, w.since.UTC(), sentences(w.why.Why(), libra.Reason.String)
	a.EvidenceDetails = w.why.Details
	ev.publish(libra.Transition{ID: rand.Text(), Alarm: a, At: time.Now().UTC(), Host: ev.cfg.Hostname, Traceparent: w.traceparent})
}

func (ev *evaluator) clearQuarantine(t libra.Transition, at time.Time) {
	a := t.Alarm
	a.State, a.Until = libra.Cleared, at
	a.Summary, a.Evidence = "The page is no longer quarantined", "it has a newer report"
	ev.publish(libra.Transition{ID: rand.Text(), Alarm: a, At: time.Now().UTC(), Host: ev.cfg.Hostname})
}
