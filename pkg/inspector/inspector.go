// Package inspector claims requests from the bus, inspects their pages and
// publishes the reports. It stores nothing: a request that it had claimed when it
// was killed is claimed by another instance, and answered once in the history.
//
// A page may be what ended it. So a process of its own inspects a page that is
// delivered a second time; when that ends without a report, too, repeatedly, the
// page is reported as quarantined and not inspected until it is released.
package inspector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"libra/pkg/bus"
	"libra/pkg/event"
	"libra/pkg/inspect"
	"libra/pkg/inspect/address"
	"libra/pkg/inspector/limit"
	"libra/pkg/inspector/profile"
	"libra/pkg/libra"
	"libra/pkg/meter"
	"libra/pkg/trace"
)

// Config of an inspector.
type Config struct {
	Instance string // "1"
	Workers  int    // pages at a time, at most; fewer while memory is short
	Inspect  inspect.Config
	// Memory is what the process may use, in bytes; beyond that it ends itself. 0:
	// no limit.
	Memory int64
	// Program and Args start a process that inspects one page alone: this one,
	// to which "--weigh URL" is added.
	Program string
	Args    []string
	// Status takes one line for systemctl status, every second. May be nil.
	Status func(string)
	// Traces exports the spans of what was inspected; nil exports none.
	Traces *trace.Exporter
	// Proc is where the kernel says how long processes wait for memory and CPU: /proc.
	// "": the host is never short of them.
	Proc string
	// Before is called with each page's URL before its inspection. May be nil.
	Before func(ctx context.Context, url string) error
}

// grace is what a worker may take beyond its page's deadline to publish the report
// before another worker gets the request.
const grace = 10 * time.Second

// Inspector inspects pages for the bus.
type Inspector struct {
	cfg     Config
	conn    *bus.Conn
	log     *slog.Logger
	engine  *inspect.Inspector
	hosts   *hosts
	slots   *slotLimit
	rooms   *rooms
	places  *places
	crowd   bus.Crowd     // those that it has no room for
	alone   chan struct{} // holds one for each lone process: assuredSlots, as each takes memory
	done    atomic.Int64
	running atomic.Int64
	busy    meter.Meter // pages that occupy a slot
	light   atomic.Int64

	began   chan struct{} // of one: an inspection has begun
	ends    chan *worker  // those that an operator has ended, from then on
	stuck   atomic.Int64  // that did not end
	loneCPU atomic.Int64  // nanoseconds that lone processes have used that have ended

	mu      sync.Mutex
	workers map[*worker]struct{} // under mu; those that inspect in this process
	claimed map[*worker]struct{} // under mu; all, also those that wait
}

// errExhausted says that the process has exceeded its memory.
var errExhausted = errors.New("exhausted")

// New makes an inspector.
func New(cfg Config, conn *bus.Conn, log *slog.Logger) *Inspector {
	cfg.Inspect.AllowRemedy = address.AskOperator // reports are read on the pages of the appliance
	return &Inspector{
		cfg: cfg, conn: conn, log: log, engine: inspect.New(cfg.Inspect), hosts: newHosts(cfg, conn, log),
		slots: newSlotLimit(cfg), rooms: newRooms(), places: &places{log: log, proc: cfg.Proc},
		crowd: bus.Crowd{Every: 10 * time.Millisecond, Least: time.Second, Most: time.Minute},
		alone: make(chan struct{}, assuredSlots), workers: map[*worker]struct{}{}, claimed: map[*worker]struct{}{}, began: make(chan struct{}, 1), ends: make(chan *worker),
	}
}

// Run claims requests until ctx ends; it gives those in progress back to the bus
// then. loop supervises the loop that claims; it may be nil. Where an inspection does not
// end that an operator has ended, Run returns while its goroutine goes on: the process is
// to end then.
func (i *Inspector) Run(ctx context.Context, loop bus.Loop) error {
	defer i.engine.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go i.guard(ctx, cancel)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer cancel(nil)
	if i.cfg.Status != nil {
		beside.Go(func() { i.showStatus(ctx) })
	}
	beside.Go(func() { i.hosts.follow(ctx) })
	beside.Go(func() { i.places.follow(ctx) })
	beside.Go(func() { i.show(ctx) })
	unserve, err := i.conn.ServeInspector(i.cfg.Instance, i.answer)
	if err != nil {
		return err
	}
	defer unserve()
	abandoned := make(chan struct{}, 1)
	beside.Go(func() {
		i.followEnds(ctx, func(w *worker) {
			w.reportStuck(context.WithoutCancel(ctx))
			i.stuck.Add(1)
			cancel(errStuck(w))
			i.awaitHandBack()
			select {
			case abandoned <- struct{}{}:
			default:
			}
		})
	})
	worked := make(chan error, 1)
	go func() { worked <- i.work(ctx, loop) }()
	select {
	case err = <-worked:
	case <-abandoned:
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// work claims requests until ctx ends, and returns when all its workers have.
func (i *Inspector) work(ctx context.Context, loop bus.Loop) error {
	// Attempts to inspect a page alone follow each other under one lease.
	longest := 2*hostWait + deferredWait + crashes*(i.cfg.Inspect.PageTimeout+aloneGrace) + grace
	slots := func() int { return i.room() + i.hosts.limits.Waiting() + i.places.deferred() } // who waits takes no slot
	return i.conn.Work(ctx, slots, longest, loop, func(ctx context.Context, job bus.Job) {
		i.running.Add(1)
		defer i.running.Add(-1)
		select {
		case i.began <- struct{}{}:
		default:
		}
		defer i.slots.ended()
		newWorker(i, job).run(ctx)
	})
}

// room is how many pages may be inspected at a time.
func (i *Inspector) room() int { return i.slots.slots() + i.places.extra() }

// overdue names a page whose worker has exceeded its deadline and the grace.
func (i *Inspector) overdue() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	for w := range i.workers {
		if since := time.Since(w.started); since > i.cfg.Inspect.PageTimeout+aloneGrace {
			return fmt.Sprintf("request %s, page %s, %s after its start", w.job.Request.ID, w.job.Request.URL, since.Round(time.Second))
		}
	}
	return ""
}

// pagesInProgress lists the pages being inspected in this process.
func (i *Inspector) pagesInProgress() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	text := ""
	for w := range i.workers {
		text += ", weighing " + w.job.Request.URL
	}
	return text
}

// state is one step of a worker's life; it returns the next, or nil at the end:
//
//	claim -> admit --> inspectHere ---.-> publish -> acknowledge
//	         ^ | |---> inspectAlone --|    |
//	         | | |---> inspectLight --'    |
//	         | | |      | answers          |
//	         '---+----- wait               |
//	           | '------ refused ----------'
//	           '------------'--> giveBack (asked to stop, too many wait, no slot to be alone, or no bus)
//
// An operator may end it: publishEnded follows then, whatever else would have.
type state func(context.Context) state

// worker inspects one page.
type worker struct {
	*Inspector
	job     bus.Job
	log     *slog.Logger
	started time.Time
	busy    func()        // ends its time in a slot
	report  *libra.Report // set by the inspection
	poison  bool          // the page ends its inspectors
	minimal bool          // the report has nothing but a reason: the bus takes no other
	visit   *visit        // the page's place at its host; nil before it has one
	placed  bool          // it may be inspected whole, whatever the host is short of
	view    *inspect.View

	claimedAt time.Time
	stopped   chan struct{}           // closed when the inspection goes no further
	stop      context.CancelCauseFunc // ends the inspection

	mu      sync.Mutex
	step    event.Step       // under mu
	steps   []event.StepTime // under mu; event.MostSteps at most
	lone    *lone            // under mu; the process of its own that inspects the page, or nil
	isEnded bool             // under mu; an operator has ended it
	endedBy string           // under mu; the operator's name, "" without one
}

func newWorker(i *Inspector, job bus.Job) *worker {
	now := time.Now()
	return &worker{
		Inspector: i, job: job, started: now, claimedAt: now, view: &inspect.View{}, stopped: make(chan struct{}), stop: func(error) {},
		log:  i.log.With("request", job.Request.ID, "trace_id", trace.ID(job.Request), "page", job.Request.Page, "attempt", job.Attempt),
		step: event.Step{Request: job.Request.ID, Page: job.Request.Page, Step: libra.Fetching, Inspector: i.cfg.Instance, Round: job.Round},
	}
}

func (w *worker) run(ctx context.Context) {
	w.busy = w.Inspector.busy.Begin()
	defer w.enlist()()
	defer func() {
		w.busy()
		w.unplace()
		if w.visit != nil {
			w.visit.abandon() // unless it has ended
		}
	}()
	life, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	w.stop = stop
	unserve, err := w.conn.ServeStep(w.job.Request.Page, w.now)
	if err != nil {
		w.log.Warn("cannot answer for the page during its inspection", "err", err)
	} else {
		defer unserve()
	}
	next := state(w.claim)
	profile.Label(life, w.job.Request.ID, func(life context.Context) {
		for next != nil && !w.wasEnded() {
			next = next(life)
		}
	})
	close(w.stopped)
	if next != nil { // an operator has ended it
		w.follow(context.WithoutCancel(ctx), w.publishEnded)
	}
}

// follow goes from a state to the last one.
func (w *worker) follow(ctx context.Context, next state) {
	for next != nil {
		next = next(ctx)
	}
}

// enlist has the live view show the worker until its end.
func (w *worker) enlist() (end func()) {
	w.Inspector.mu.Lock()
	defer w.Inspector.mu.Unlock()
	w.Inspector.claimed[w] = struct{}{}
	return func() {
		w.Inspector.mu.Lock()
		defer w.Inspector.mu.Unlock()
		delete(w.Inspector.claimed, w)
	}
}

// claim begins the inspection.
func (w *worker) claim(context.Context) state {
	w.log.Debug("inspection begins", "url", w.job.Request.URL, "client", w.job.Request.Client)
	return w.admit
}

// admit waits until the page may be asked of its host, and until there is room for it.
func (w *worker) admit(ctx context.Context) state {
	patience := hostWait
	if w.placed {
		patience = placedWait
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	w.busy()
	visit, refusal, err := w.hosts.admit(wait, w.job.Request.URL, w.job.Round)
	w.busy = w.Inspector.busy.Begin()
	switch {
	case err != nil && w.placed && ctx.Err() == nil:
		return w.deferAgain
	case errors.Is(err, limit.ErrCrowded):
		return w.crowded
	case err != nil:
		return w.retry
	case refusal != nil:
		w.report = failed(w.job.Request.URL)
		w.report.ReasonList = *refusal
		return w.publish
	}
	w.visit = visit
	leave, err := w.rooms.enter(ctx, w.room)
	if err != nil {
		return w.retry
	}
	weigh := w.choose()
	if weigh == nil {
		leave()
		return w.wait
	}
	return func(ctx context.Context) state {
		defer leave()
		defer w.unplace()
		w.started = time.Now()
		next := weigh(ctx)
		if w.report != nil && !w.poison && ctx.Err() == nil {
			w.visit.end(w.report)
		}
		return next
	}
}

// register has the guard look after the worker, which inspects in this process, until
// the end of that.
func (w *worker) register() (end func()) {
	w.Inspector.mu.Lock()
	defer w.Inspector.mu.Unlock()
	w.workers[w] = struct{}{}
	return func() {
		w.Inspector.mu.Lock()
		defer w.Inspector.mu.Unlock()
		delete(w.workers, w)
	}
}

func (w *worker) inspectHere(ctx context.Context) state {
	defer w.register()()
	w.begins(w.job.Round)
	w.progress(inspect.Progress{Step: libra.Fetching})
	page := w.page(ctx)
	page.Follow, page.Asked, page.View = w.visit.follow, w.visit.asked, w.view
	w.report = w.inspect(ctx, page, w.previous, w.progress)
	if ctx.Err() != nil {
		return w.retry // stopped by this process, which is not the page's fault
	}
	return w.publish
}

// publish publishes the report, for as long as the bus may take to come back before
// another worker gets the request.
func (w *worker) publish(ctx context.Context) state {
	w.progress(inspect.Progress{Step: libra.Reporting, Found: len(w.report.Assets), Done: len(w.report.Assets)})
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	judged := w.checkBudget(ctx)
	for attempt := 1; ; attempt++ {
		answer := event.Reported{
			Request: w.job.Request, Attempt: w.job.Attempt, Inspector: w.cfg.Instance, At: time.Now().UTC(), Claimed: w.claimedAt.UTC(), Report: *w.report, Quarantined: w.poison, Budget: judged,
		}
		err := w.conn.PublishReport(ctx, answer)
		if err == nil {
			w.cfg.Traces.Export(answer.Request, func() []trace.Span { return trace.Spans(answer) })
			return w.acknowledge
		}
		if errors.Is(err, libra.ErrTooLarge) { // at every attempt
			w.log.Error("the bus does not take the report, leaving something out", "err", err)
			if !w.shorten() {
				return w.acknowledge // else the request would come back for good
			}
			if w.report.Outcome == libra.Error {
				judged = nil
			}
			continue
		}
		if attempt == 1 {
			w.log.Warn("cannot publish the report, retrying", "err", err)
		}
		select {
		case <-ctx.Done():
			return w.retry
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (w *worker) acknowledge(ctx context.Context) state {
	if err := w.job.Done(context.WithoutCancel(ctx)); err != nil {
		w.log.Warn("cannot acknowledge the request, it is redelivered", "err", err)
	}
	w.done.Add(1)
	w.log.Info("inspection ends", "url", w.job.Request.URL, "client", w.job.Request.Client, "outcome", w.report.Outcome, "status", w.report.Status, "requests", w.report.Totals.Requests,
		"transfer_bytes", w.report.Totals.TransferBytes, "dur", time.Since(w.started).Round(time.Millisecond))
	return nil
}

// crowded gives back a request for which there is no room here: thousands may wait for a
// host that is slow, or to be inspected alone.
func (w *worker) crowded(ctx context.Context) state {
	return w.giveBack(ctx, w.crowd.Pause(time.Now()))
}

// retryPause is for how long a request is given back whose inspection did not work.
const retryPause = time.Second

func (w *worker) retry(ctx context.Context) state { return w.giveBack(ctx, retryPause) }

// giveBack gives the request back to the bus, which counts as no attempt.
func (w *worker) giveBack(ctx context.Context, pause time.Duration) state {
	if errors.Is(context.Cause(ctx), errEnded) {
		return w.publishEnded // run goes on with it
	}
	level := slog.LevelDebug // thousands may wait
	if ctx.Err() != nil {
		pause, level = 0, slog.LevelInfo // another inspector may claim it at once
	}
	if err := w.job.Retry(pause); err != nil {
		w.log.Warn("cannot give the request back, it is redelivered after its lease", "err", err)
	} else {
		w.log.Log(context.WithoutCancel(ctx), level, "request given back", "pause", pause)
	}
	return nil
}

// inspect inspects a page in this process. previous returns the report whose
// assets may be reused where they have not changed, or nil.
func (i *Inspector) inspect(ctx context.Context, page inspect.Page, previous func(context.Context) *libra.Report, watch func(inspect.Progress)) *libra.Report {
	if i.cfg.Before != nil {
		if err := i.cfg.Before(ctx, page.URL); err != nil {
			r := failed(page.URL)
			r.AddReason(libra.ReasonOf(err))
			return r
		}
	}
	page.Previous = previous(ctx)
	return i.engine.InspectPage(ctx, page, watch)
}

// progress stores how far the page is, for those that ask, and publishes it.
func (w *worker) progress(p inspect.Progress) {
	w.mu.Lock()
	w.step.Step, w.step.Found, w.step.Done, w.step.At, w.step.Why = p.Step, p.Found, p.Done, time.Now().UTC(), ""
	if p.Step == libra.Waiting {
		w.step.Why, _ = w.places.shortage()
	}
	now := w.step
	if n := len(w.steps); n < event.MostSteps && (n == 0 || w.steps[n-1].Step != now.Step) {
		w.steps = append(w.steps, event.StepTime{Step: now.Step, At: now.At})
	}
	w.mu.Unlock()
	w.conn.PublishStep(now)
}

// begins notes which round is served with the page from now on; 0: none yet.
func (w *worker) begins(round int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.step.Round = round
}

func (w *worker) now() event.Step {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.step
}
