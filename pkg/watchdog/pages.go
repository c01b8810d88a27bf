package watchdog

import (
	"context"
	"strings"
	"sync/atomic"
	"time"

	"libra/pkg/bus"
	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/trace"
	"libra/pkg/watchdog/asyncfile"
)

// pages is the part of the evaluator that judges watched pages. Its tallies and the
// position in the stream up to which reports are judged are saved in one file, so
// that each report counts once, however often the watchdog is killed.
type pages struct {
	state pageState
	// runtimeFile is written after every batch; stateFile, on a disk, every
	// stateEvery.
	runtimeFile, stateFile asyncfile.File
	stateSaved             time.Time
	dirty                  bool
	checkedAt              time.Time // by the clock, when pages were last checked
	watches                *watches
	network                network
	position               atomic.Pointer[event.Position] // state.Position, for the goroutine that reads the stream
	batches                chan batch
	rechecks               chan recheck
}

// pageState is what pages.json holds.
type pageState struct {
	At       time.Time      `json:"at"`
	Position event.Position `json:"position"`
	// From is when judging began: earlier reports are not judged.
	From time.Time `json:"from"`
	// Quiet is when the absence of reports began to count, for all pages.
	Quiet time.Time `json:"quiet"`
	// Seen is the time of each watched page's newest report, in unix
	// nanoseconds, Answered the request that it answers.
	Seen     map[string]int64  `json:"seen"`
	Answered map[string]string `json:"answered"`
	// Tallies are those that differ from that of a page without failures.
	Tallies map[string]Tally `json:"tallies"`
	// Within are the sizes of pages when they were last within their budgets.
	Within map[string]weight `json:"within"`
}

// batch is some reports in order, and the position after them.
type batch struct {
	reports []event.Reported
	after   event.Position
	done    chan<- struct{}
}

// stateEvery is how often the copy that outlives a reboot is written.
const stateEvery = time.Minute

func newPages(cfg Config, deps Deps, w *watches) *pages {
	p := &pages{
		runtimeFile: asyncfile.File{Path: join(cfg.Runtime, "pages.json"), Log: deps.Log}, stateFile: asyncfile.File{Path: join(cfg.State, "pages.json"), Log: deps.Log},
		watches: w, batches: make(chan batch), rechecks: make(chan recheck, 256), stateSaved: time.Now(),
	}
	var far pageState
	here, there := p.runtimeFile.Load(&p.state), p.stateFile.Load(&far)
	if there && (!here || far.At.After(p.state.At)) {
		p.state = far
	}
	now := time.Now()
	p.checkedAt = now.Round(0)
	if !here && !there {
		p.state = pageState{From: now.Add(-resumeWithin), Quiet: now}
	}
	if now.Sub(p.state.At) > resumeWithin {
		p.state.Quiet = now // pages were not checked meanwhile
	}
	p.state.Seen, p.state.Answered = orMake(p.state.Seen), orMake(p.state.Answered)
	p.state.Tallies, p.state.Within = orMake(p.state.Tallies), orMake(p.state.Within)
	p.limitTimes(now)
	p.position.Store(&p.state.Position)
	return p
}

func orMake[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// readReports submits every report to the evaluator until ctx ends.
func (p *pages) readReports(ctx context.Context, b Bus) {
	_ = b.RecordReports(ctx, bus.Recording[event.Reported]{ // it ends with ctx
		Durable: "watchdog",
		From:    func(context.Context) (event.Position, error) { return *p.position.Load(), nil },
		Store:   p.submit,
		Most:    16, // reports can be large, and this process is small
	})
}

// submit returns when the batch is judged and saved.
func (p *pages) submit(ctx context.Context, reports []event.Reported, after event.Position) error {
	if after.Sequence == 0 {
		return nil // an empty batch
	}
	done := make(chan struct{})
	select {
	case p.batches <- batch{reports, after, done}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// judgeBatch judges a batch.
func (ev *evaluator) judgeBatch(reports batch) {
	ev.publisher.BeginBatch()
	for _, r := range reports.reports {
		ev.judge(r)
	}
	ev.publisher.EndBatch()
	ev.pages.state.Position = reports.after
	ev.pages.position.Store(&reports.after)
	ev.pages.dirty = true
	ev.savePages()
	close(reports.done)
}

// judge judges one report. One that no watch requested only shows that the page is
// inspected.
func (ev *evaluator) judge(r event.Reported) {
	p, page, asked := ev.pages, r.Request.Page, r.Request.Watch
	p.network.see(r)
	known, ok := p.watches.of(page)
	if !isPage(page) || asked == nil && !ok || ok && known.every == 0 ||
		r.At.Before(p.state.From) || r.At.UnixNano() <= p.state.Seen[page] || r.Request.ID != "" && r.Request.ID == p.state.Answered[page] {
		return
	}
	p.state.Seen[page], p.state.Answered[page] = r.At.UnixNano(), r.Request.ID
	if asked == nil {
		return
	}
	at, ours, of := r.At.UTC(), p.network.ours(r), trace.Traceparent(r.Request)
	down := pageProbe(pageDown, page, r.Request.URL)
	ev.observe(observation{down, down.readDown(r, ours), at, of})
	if len(asked.Budget) > 0 && (known.budget || !ok) {
		budget := pageProbe(pageBudget, page, r.Request.URL)
		reading := budget.readBudget(r, ours, p.state.Within[page])
		if reading.Verdict == Pass && r.Report.Outcome == libra.Complete {
			p.state.Within[page] = weightOf(r)
		}
		ev.observe(observation{budget, reading, at, of})
	}
	ev.recheck(r, pageProbe(pageBudget, page, "").alarm.ID, down.alarm.ID)
	certificate := pageProbe(pageCertificate, page, r.Request.URL)
	ev.observe(observation{certificate, certificate.readCertificate(r.Report.CertificateUntil, at, ev.cfg.Certificate), at, of})
}

// checkPages finds, once a second, pages that are not inspected on schedule, and
// clears the alarms of watches that have ended.
func (ev *evaluator) checkPages() {
	list, since := ev.pages.watches.list()
	if since.IsZero() || !ev.mayJudge(pagePrefix) {
		return
	}
	now := time.Now()
	ev.pages.adjustToClock(now, ev.cfg.Interval)
	if !ev.heartbeats.arriving(component.Inspector) {
		ev.pages.state.Quiet = now // inspectors that are down have alarms of their own
	}
	cause := ""
	if ev.tally(queueAlarm).State == Bad {
		cause = queueAlarm
	}
	left := mostPageAlarms
	for page, w := range list {
		if w.every > 0 && left > 0 && ev.checkPage(page, w, now, cause) {
			left--
		}
	}
	for _, t := range ev.publisher.WithPrefix(pagePrefix) {
		if left > 0 && ev.settlePage(t, list, since, now) {
			left--
		}
	}
	for page := range ev.pages.state.Seen {
		if w, ok := list[page]; ok && w.every == 0 || !ok && now.Sub(since) > resumeWithin {
			ev.forgetPage(page)
		}
	}
}

// mostPageAlarms bounds the alarms that one round of checkPages changes: the round
// has to end in time, and what is pending is bounded, too. The next round goes on.
const mostPageAlarms = 250

// checkPage finds one page that is not inspected on schedule. It reports whether
// that changed its alarm.
func (ev *evaluator) checkPage(page string, w watch, now time.Time, cause string) (changed bool) {
	seen := time.Unix(0, ev.pages.state.Seen[page])
	last := latest(seen, w.since, ev.pages.state.Quiet)
	limit := time.Duration(ev.cfg.Missed)*w.every + ev.cfg.PageTimeout
	p := pageProbe(pageMissed, page, w.url)
	switch {
	case now.Sub(last) > limit:
		quiet, bound := libra.FormatDurationBoth(now.Sub(last), limit)
		r := p.fail("no report for %s; one is due every %s, limit %s",
			quiet, libra.FormatDuration(w.every), bound)
		r.Cause = cause
		return ev.observe(observation{p, r, now, ""})
	case now.Sub(seen) <= limit && ev.tally(p.alarm.ID).State == Bad:
		return ev.observe(observation{p, Reading{Verdict: Pass}, now, ""})
	}
	return false
}

func latest(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// adjustToClock keeps a clock that was set, and a machine that was suspended, from
// looking like pages that are not inspected.
func (p *pages) adjustToClock(now time.Time, interval time.Duration) {
	now = now.Round(0) // by the clock, which goes on while the machine is suspended
	gap := now.Sub(p.checkedAt)
	if p.checkedAt = now; gap < 0 {
		p.limitTimes(now)
	}
	if gap < 0 || gap > interval+sleptAfter {
		p.state.Quiet = now
	}
}

// sleptAfter is how much later than due pages are checked when the machine must
// have been suspended, or its clock set.
const sleptAfter = 5 * time.Second

// limitTimes limits times that were saved while the clock was ahead to now: until
// they were past, no report would count, and none would be missed.
func (p *pages) limitTimes(now time.Time) {
	p.state.From, p.state.Quiet = earliest(p.state.From, now.Add(-resumeWithin)), earliest(p.state.Quiet, now)
	for page, at := range p.state.Seen {
		p.state.Seen[page] = min(at, now.UnixNano())
	}
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// settlePage clears the alarm of a page that is no longer watched for it, which
// it reports, and forgets those that were cleared long ago.
func (ev *evaluator) settlePage(t libra.Transition, list map[string]watch, since, now time.Time) (cleared bool) {
	kind, page, ok := pageOf(t.Alarm.ID)
	if !ok {
		return false
	}
	w, known := list[page]
	why := ""
	switch {
	case known && w.every == 0, !known && now.Sub(since) > resumeWithin:
		why = "The page is no longer watched"
	case known && kind == pageBudget && !w.budget:
		why = "The page has no budget any more"
	}
	switch {
	case t.Alarm.State == libra.Raised && why != "":
		ev.clearUnwatched(t, why, "its watch has ended, or was changed")
		delete(ev.pages.state.Tallies, t.Alarm.ID)
		ev.pages.dirty = true
		return true
	case t.Alarm.State == libra.Cleared && now.Sub(t.At) > time.Hour:
		ev.publisher.Forget([]string{t.Alarm.ID})
	}
	return false
}

func (ev *evaluator) forgetPage(page string) {
	delete(ev.pages.state.Seen, page)
	delete(ev.pages.state.Answered, page)
	delete(ev.pages.state.Within, page)
	for _, kind := range pageKinds() {
		delete(ev.pages.state.Tallies, pagePrefix+string(kind)+"."+page)
	}
	ev.pages.dirty = true
}

// raisedPages counts the alarms of watched pages.
func (ev *evaluator) raisedPages() (n int) {
	for _, t := range ev.pages.state.Tallies {
		if t.State == Bad {
			n++
		}
	}
	return n
}

// savePages writes what has changed.
func (ev *evaluator) savePages() {
	p, now := ev.pages, time.Now()
	if p.dirty {
		p.state.At = now
		p.runtimeFile.Save(p.state)
		p.dirty = false
	}
	if now.Sub(p.stateSaved) >= stateEvery && p.state.At.After(p.stateSaved) {
		p.stateFile.Save(p.state)
		p.stateSaved = now
	}
}

// savePagesAtStop is for an orderly stop: the tallies go on after it.
func (ev *evaluator) savePagesAtStop() {
	ev.pages.state.At = time.Now()
	ev.pages.runtimeFile.Save(ev.pages.state)
	ev.pages.stateFile.Save(ev.pages.state)
}

// worthKeeping reports whether a page's tally differs from that of a page without
// failures.
func (t Tally) worthKeeping(now time.Time, l Limits) bool {
	return t.State == Bad || t.Fails > 0 || len(t.Raises) > 0 && now.Sub(t.Raises[len(t.Raises)-1]) < l.Within
}

// isPage reports whether id is that of a page, which fits into a subject.
func isPage(id string) bool {
	return id != "" && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}
