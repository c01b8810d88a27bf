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
)

// pages is the part of the board that judges watched pages. What it has judged
// and the place in the stream up to which it has are kept in one file, so that
// however often the watchdog is killed, each report counts once.
type pages struct {
	book pagebook
	// near is written after every batch; far, on a disk, now and then.
	near, far keeper
	farAt     time.Time
	dirty     bool
	visited   time.Time // by the clock, when pages were last looked at
	watches   *watches
	network   network
	position  atomic.Pointer[event.Position] // book.Position, for whoever reads the stream
	batches   chan batch
	doubts    chan doubted
}

// pagebook is what pages.json holds.
type pagebook struct {
	At       time.Time      `json:"at"`
	Position event.Position `json:"position"`
	// From is when judging began: what was reported before is history.
	From time.Time `json:"from"`
	// Quiet is when the absence of reports began to count, for all pages.
	Quiet time.Time `json:"quiet"`
	// Seen is the time of each watched page's newest report, in unix
	// nanoseconds, Answered the request that it answers.
	Seen     map[string]int64  `json:"seen"`
	Answered map[string]string `json:"answered"`
	// Tallies of those alarms of which there is something to remember.
	Tallies map[string]Tally `json:"tallies"`
	// Within is what pages weighed when they were last within their budgets.
	Within map[string]weight `json:"within"`
}

// batch is some reports in order, and the place after them.
type batch struct {
	reports []event.Reported
	after   event.Position
	done    chan<- struct{}
}

// farEvery is how often the copy that outlives a reboot is written.
const farEvery = time.Minute

func newPages(cfg Config, deps Deps, w *watches) *pages {
	p := &pages{
		near: keeper{file: join(cfg.Runtime, "pages.json"), log: deps.Log}, far: keeper{file: join(cfg.State, "pages.json"), log: deps.Log},
		watches: w, batches: make(chan batch), doubts: make(chan doubted, 256), farAt: time.Now(),
	}
	var far pagebook
	here, there := p.near.load(&p.book), p.far.load(&far)
	if there && (!here || far.At.After(p.book.At)) {
		p.book = far
	}
	now := time.Now()
	p.visited = now.Round(0)
	if !here && !there {
		p.book = pagebook{From: now.Add(-resume), Quiet: now}
	}
	if now.Sub(p.book.At) > resume {
		p.book.Quiet = now // nobody looked meanwhile
	}
	p.book.Seen, p.book.Answered = orMake(p.book.Seen), orMake(p.book.Answered)
	p.book.Tallies, p.book.Within = orMake(p.book.Tallies), orMake(p.book.Within)
	p.correct(now)
	p.position.Store(&p.book.Position)
	return p
}

func orMake[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return m
}

// read hands the board every report until ctx ends.
func (p *pages) read(ctx context.Context, b Bus) {
	_ = b.RecordReports(ctx, bus.Recording[event.Reported]{ // it ends with ctx
		Durable: "watchdog",
		From:    func(context.Context) (event.Position, error) { return *p.position.Load(), nil },
		Store:   p.hand,
		Most:    16, // reports can be large, and this process is small
	})
}

// hand returns when the batch is judged and kept.
func (p *pages) hand(ctx context.Context, reports []event.Reported, after event.Position) error {
	if after.Sequence == 0 {
		return nil // nothing came
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

// take judges a batch.
func (b *board) take(reports batch) {
	b.out.hold()
	for _, r := range reports.reports {
		b.judge(r)
	}
	b.out.release()
	b.pages.book.Position = reports.after
	b.pages.position.Store(&reports.after)
	b.pages.dirty = true
	b.keepPages()
	close(reports.done)
}

// judge takes in one report. Those that nobody's watch asked for only show
// that the page is weighed.
func (b *board) judge(r event.Reported) {
	p, page, asked := b.pages, r.Request.Page, r.Request.Watch
	p.network.see(r)
	known, ok := p.watches.of(page)
	if !isPage(page) || asked == nil && !ok || ok && known.every == 0 ||
		r.At.Before(p.book.From) || r.At.UnixNano() <= p.book.Seen[page] || r.Request.ID != "" && r.Request.ID == p.book.Answered[page] {
		return
	}
	p.book.Seen[page], p.book.Answered[page] = r.At.UnixNano(), r.Request.ID
	if asked == nil {
		return
	}
	at, ours := r.At.UTC(), p.network.ours(r)
	down := pageProbe(pageDown, page, r.Request.URL)
	b.observe(observation{down, down.readDown(r, ours), at})
	if len(asked.Budget) > 0 && (known.budget || !ok) {
		budget := pageProbe(pageBudget, page, r.Request.URL)
		reading := budget.readBudget(r, ours, p.book.Within[page])
		if reading.Verdict == Pass && r.Report.Outcome == libra.Complete {
			p.book.Within[page] = weightOf(r)
		}
		b.observe(observation{budget, reading, at})
	}
	b.doubt(r, pageProbe(pageBudget, page, "").alarm.ID, down.alarm.ID)
	certificate := pageProbe(pageCertificate, page, r.Request.URL)
	b.observe(observation{certificate, certificate.readCertificate(r.Report.CertificateUntil, at, b.cfg.Certificate), at})
}

// visitPages looks, once a second, for pages that are not weighed when they
// should be, and ends what belongs to watches that have ended.
func (b *board) visitPages() {
	list, since := b.pages.watches.list()
	if since.IsZero() || !b.mayJudge(pagePrefix) {
		return
	}
	now := time.Now()
	b.pages.heed(now, b.cfg.Interval)
	if !b.beats.canHear(component.Inspector) {
		b.pages.book.Quiet = now // that nobody works has alarms of its own
	}
	cause := ""
	if b.tally(queueAlarm).State == Bad {
		cause = queueAlarm
	}
	for page, w := range list {
		if w.every > 0 {
			b.visitPage(page, w, now, cause)
		}
	}
	for _, t := range b.out.begin(pagePrefix) {
		b.settle(t, list, since, now)
	}
	for page := range b.pages.book.Seen {
		if w, ok := list[page]; ok && w.every == 0 || !ok && now.Sub(since) > resume {
			b.forgetPage(page)
		}
	}
}

func (b *board) visitPage(page string, w watched, now time.Time, cause string) {
	seen := time.Unix(0, b.pages.book.Seen[page])
	last := latest(seen, w.since, b.pages.book.Quiet)
	limit := time.Duration(b.cfg.Missed)*w.every + b.cfg.PageTimeout
	p := pageProbe(pageMissed, page, w.url)
	switch {
	case now.Sub(last) > limit:
		r := p.fail("no report for %s; one is due every %s, limit %s", now.Sub(last).Round(time.Second), w.every, limit)
		r.Cause = cause
		b.observe(observation{p, r, now})
	case now.Sub(seen) <= limit && b.tally(p.alarm.ID).State == Bad:
		b.observe(observation{p, Reading{Verdict: Pass}, now})
	}
}

func latest(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}

// heed keeps a clock that was set, and a machine that slept, from looking like
// pages that nobody weighs.
func (p *pages) heed(now time.Time, interval time.Duration) {
	now = now.Round(0) // by the clock, which goes on while the machine sleeps
	gap := now.Sub(p.visited)
	if p.visited = now; gap < 0 {
		p.correct(now)
	}
	if gap < 0 || gap > interval+slept {
		p.book.Quiet = now
	}
}

// slept is how much later than it should be pages are looked at when we have to
// suppose that the machine slept, or its clock was set.
const slept = 5 * time.Second

// correct takes back what was written down while the clock was ahead: until
// that time came, no report would count, and none would be missed.
func (p *pages) correct(now time.Time) {
	p.book.From, p.book.Quiet = earliest(p.book.From, now.Add(-resume)), earliest(p.book.Quiet, now)
	for page, at := range p.book.Seen {
		p.book.Seen[page] = min(at, now.UnixNano())
	}
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// settle ends the alarm of a page that is no longer watched for it, and
// forgets those that are long over.
func (b *board) settle(t libra.Transition, list map[string]watched, since, now time.Time) {
	kind, page, ok := pageOf(t.Alarm.ID)
	if !ok {
		return
	}
	w, known := list[page]
	why := ""
	switch {
	case known && w.every == 0, !known && now.Sub(since) > resume:
		why = "The page is no longer watched"
	case known && kind == pageBudget && !w.budget:
		why = "The page has no budget any more"
	}
	switch {
	case t.Alarm.State == libra.Raised && why != "":
		b.abandon(t, why, "its watch has ended, or was changed")
		delete(b.pages.book.Tallies, t.Alarm.ID)
		b.pages.dirty = true
	case t.Alarm.State == libra.Cleared && now.Sub(t.At) > time.Hour:
		b.out.forget([]string{t.Alarm.ID})
	}
}

func (b *board) forgetPage(page string) {
	delete(b.pages.book.Seen, page)
	delete(b.pages.book.Answered, page)
	delete(b.pages.book.Within, page)
	for _, kind := range pageKinds() {
		delete(b.pages.book.Tallies, pagePrefix+string(kind)+"."+page)
	}
	b.pages.dirty = true
}

// raisedPages counts the alarms of watched pages.
func (b *board) raisedPages() (n int) {
	for _, t := range b.pages.book.Tallies {
		if t.State == Bad {
			n++
		}
	}
	return n
}

// keepPages writes what has changed.
func (b *board) keepPages() {
	p, now := b.pages, time.Now()
	if p.dirty {
		p.book.At = now
		p.near.keep(p.book)
		p.dirty = false
	}
	if now.Sub(p.farAt) >= farEvery && p.book.At.After(p.farAt) {
		p.far.keep(p.book)
		p.farAt = now
	}
}

// leavePages is for an orderly stop: the rows go on after it.
func (b *board) leavePages() {
	b.pages.book.At = time.Now()
	b.pages.near.keep(b.pages.book)
	b.pages.far.keep(b.pages.book)
}

// worthKeeping says whether a page's tally differs from that of any page that is
// well.
func (t Tally) worthKeeping(now time.Time, l Limits) bool {
	return t.State == Bad || t.Fails > 0 || len(t.Raises) > 0 && now.Sub(t.Raises[len(t.Raises)-1]) < l.Within
}

// isPage tells a page's id from anything else, which would be no subject.
func isPage(id string) bool {
	return id != "" && strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}
