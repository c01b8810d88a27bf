package watchdog

import (
	"context"
	"crypto/rand"
	"fmt"
	"hash/maphash"
	"strings"
	"sync"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

const quarantinePrefix = "quarantine."

func quarantineAlarm(page, url string) libra.Alarm {
	return libra.Alarm{
		ID: quarantinePrefix + page, Scope: libra.ScopePage, Target: url, Page: page, Group: "quarantine:" + hostname(url), Severity: libra.Major,
		Summary: fmt.Sprintf("The page %s ended its inspector again and again: it is in quarantine", url), Runbook: "#quarantine",
	}
}

// wards knows which pages are in quarantine by their newest answer. Of the
// others it keeps no more than its time, because answers come twice and, after
// a bus has lost its store, out of order.
type wards struct {
	seed maphash.Seed

	mu     sync.Mutex
	ready  bool             // under mu; every page on the bus was looked at
	newest map[uint64]int64 // under mu; unix nanoseconds, by hashed page id
	inside map[string]ward  // under mu; by page id
}

// ward is one page in quarantine.
type ward struct {
	url   string
	why   libra.ReasonList
	since time.Time
}

func newWards() *wards {
	return &wards{seed: maphash.MakeSeed(), newest: map[uint64]int64{}, inside: map[string]ward{}}
}

// watch takes answers until ctx ends.
func (q *wards) watch(ctx context.Context, bus Bus) {
	_ = bus.ConsumeReports(ctx, func() { // it ends with ctx
		q.mu.Lock()
		defer q.mu.Unlock()
		q.ready = true
	}, q.take)
}

func (q *wards) take(r event.Reported) {
	page := r.Request.Page
	if page == "" || strings.Trim(page, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return // no page of ours: its alarm would have no subject
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	hash := maphash.String(q.seed, page)
	now := time.Now()
	if at, known := q.newest[hash]; known && r.At.UnixNano() <= at && at <= now.UnixNano() { // a clock may have been ahead
		return
	}
	q.newest[hash] = r.At.UnixNano()
	delete(q.inside, page)
	if r.Quarantined && r.Report.Outcome == libra.Failed {
		q.inside[page] = ward{url: r.Request.URL, since: earliest(r.At, now), why: r.Report.ReasonList}
	}
}

// list copies out the pages in quarantine. ok is false until all are known.
func (q *wards) list() (inside map[string]ward, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	inside = make(map[string]ward, len(q.inside))
	for page, w := range q.inside {
		inside[page] = w
	}
	return inside, q.ready
}

// answered says when a page that is not in quarantine had its newest answer.
func (q *wards) answered(page string) (at time.Time, known bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	ns, known := q.newest[maphash.String(q.seed, page)]
	_, inside := q.inside[page]
	return time.Unix(0, ns).UTC(), known && !inside
}

func (q *wards) count() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.inside)
}

// remembered is for how long the end of a quarantine is: longer than the bus
// keeps an answer that could raise it again.
const remembered = 30 * 24 * time.Hour

// visit raises and clears the alarms of pages in quarantine. What was told
// before is in the outbox, so that it is neither told twice nor forgotten.
func (b *board) visit() {
	inside, ok := b.wards.list()
	if !ok || !b.out.known && !b.caughtUp {
		return
	}
	told := map[string]libra.Transition{}
	var over []string
	for _, t := range b.out.begin(quarantinePrefix) {
		page := strings.TrimPrefix(t.Alarm.ID, quarantinePrefix)
		told[page] = t
		at, free := b.wards.answered(page)
		switch {
		case t.Alarm.State == libra.Raised && free && at.After(t.Alarm.Since):
			b.release(t, at)
		case t.Alarm.State == libra.Cleared && time.Since(t.At) > remembered:
			over = append(over, t.Alarm.ID)
		}
	}
	b.out.forget(over)
	for page, w := range inside {
		// An end that is newer than the answer has been told: this is old.
		if t, ok := told[page]; !ok || t.Alarm.State == libra.Cleared && w.since.After(t.Alarm.Until) {
			b.confine(page, w)
		}
	}
}

func (b *board) confine(page string, w ward) {
	a := quarantineAlarm(page, w.url)
	a.State, a.Since, a.Evidence = libra.Raised, w.since.UTC(), sentences(w.why.Why())
	a.EvidenceDetails = w.why.Details
	b.hand(libra.Transition{ID: rand.Text(), Alarm: a, At: time.Now().UTC(), Host: b.cfg.Hostname})
}

func (b *board) release(t libra.Transition, at time.Time) {
	a := t.Alarm
	a.State, a.Until = libra.Cleared, at
	a.Summary, a.Evidence = fmt.Sprintf("The page %s is not in quarantine any more", a.Target), "it had a newer answer"
	b.hand(libra.Transition{ID: rand.Text(), Alarm: a, At: time.Now().UTC(), Host: b.cfg.Hostname})
}
