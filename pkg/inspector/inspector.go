// Package inspector takes requests from the bus, weighs their pages and
// publishes the reports. It keeps nothing: a request that it had in hand when
// it ended is weighed by another instance, and answered once in the history.
//
// A page may be what ended it. So a page that comes a second time is weighed by
// a process of its own; when that ends without a report too, again and again,
// the page is reported as quarantined and left alone until it is released.
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
	"libra/pkg/libra"
)

// Config of an inspector.
type Config struct {
	Instance string // "1"
	Workers  int    // pages at a time, at most; fewer while memory is short
	Inspect  inspect.Config
	// Memory is what the process may take, in bytes; beyond, it ends. 0: no
	// limit.
	Memory int64
	// Program and Args start a process that weighs one page alone: this one,
	// to which "--weigh URL" is added.
	Program string
	Args    []string
	// Status takes one line for systemctl status, every second. May be nil.
	Status func(string)
	// Before is called with each page's URL before it is weighed. May be nil.
	Before func(ctx context.Context, url string) error
}

// grace is what a worker may take beyond its page's deadline to hand the
// report over before another worker gets the request.
const grace = 10 * time.Second

// Inspector weighs pages for the bus.
type Inspector struct {
	cfg    Config
	conn   *bus.Conn
	log    *slog.Logger
	engine *inspect.Inspector
	hosts  *breakers
	room   *room
	lone   chan struct{} // holds one for each lone process
	done   atomic.Int64
	inHand atomic.Int64

	mu      sync.Mutex
	workers map[*worker]struct{} // under mu; those that weigh in this process
}

// errExhausted says that the process took more memory than it was given.
var errExhausted = errors.New("exhausted")

// New makes an inspector.
func New(cfg Config, conn *bus.Conn, log *slog.Logger) *Inspector {
	return &Inspector{cfg: cfg, conn: conn, log: log, engine: inspect.New(cfg.Inspect), hosts: newBreakers(log), room: newRoom(cfg), lone: make(chan struct{}, assured), workers: map[*worker]struct{}{}}
}

// Done counts the reports published since the start.
func (i *Inspector) Done() int64 { return i.done.Load() }

// InHand counts the pages being weighed.
func (i *Inspector) InHand() int64 { return i.inHand.Load() }

// Loops supervise the loops of an inspector; each may be nil.
type Loops struct {
	Work bus.Loop // takes requests
	Due  bus.Loop // makes requests of watches whose time has come
}

// Run takes requests until ctx ends; what it has in hand then goes back to
// the bus.
func (i *Inspector) Run(ctx context.Context, loops Loops) error {
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
	beside.Go(func() { _ = i.conn.RelayDue(ctx, loops.Due) }) // it ends with ctx
	// Lone attempts come one after the other under one lease.
	longest := crashes*(i.cfg.Inspect.PageTimeout+aloneGrace) + grace
	err := i.conn.Work(ctx, i.room.slots, longest, loops.Work, func(ctx context.Context, job bus.Job) {
		i.inHand.Add(1)
		defer i.inHand.Add(-1)
		defer i.room.ended()
		newWorker(i, job).run(ctx)
	})
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}

// overdue names a page whose worker is beyond its deadline and all grace.
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

// atWork lists the pages being weighed in this process.
func (i *Inspector) atWork() string {
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
//	take -> weighHere --.-> publish -> acknowledge
//	   '--> weighAlone -'      |
//	             '-------------'--> giveBack (asked to stop, no turn to be alone, or no bus)
type state func(context.Context) state

// worker has one page in hand.
type worker struct {
	*Inspector
	job     bus.Job
	log     *slog.Logger
	started time.Time
	report  *libra.Report // from weighing on
	poison  bool          // the page ends whoever weighs it

	mu   sync.Mutex
	step event.Step // under mu
}

func newWorker(i *Inspector, job bus.Job) *worker {
	return &worker{
		Inspector: i, job: job, started: time.Now(),
		log:  i.log.With("request", job.Request.ID, "page", job.Request.Page, "attempt", job.Attempt),
		step: event.Step{Request: job.Request.ID, Page: job.Request.Page, Step: libra.Fetching, Inspector: i.cfg.Instance},
	}
}

func (w *worker) run(ctx context.Context) {
	for next := w.take; next != nil; {
		next = next(ctx)
	}
}

// take begins to answer for the page, so that everybody can ask how far it is.
func (w *worker) take(ctx context.Context) state {
	w.log.Info("inspection begins", "url", w.job.Request.URL, "client", w.job.Request.Client)
	weigh := w.weighHere
	if w.job.Attempt > 1 || w.job.Request.Release {
		weigh = w.weighAlone
	}
	stop, err := w.conn.ServeStep(w.job.Request.Page, w.now)
	if err != nil {
		w.log.Warn("cannot answer for the page while it is weighed", "err", err)
		return weigh
	}
	return func(ctx context.Context) state {
		defer stop()
		for next := state(weigh); next != nil; {
			next = next(ctx)
		}
		return nil
	}
}

func (w *worker) weighHere(ctx context.Context) state {
	w.Inspector.mu.Lock()
	w.workers[w] = struct{}{}
	w.Inspector.mu.Unlock()
	defer func() {
		w.Inspector.mu.Lock()
		delete(w.workers, w)
		w.Inspector.mu.Unlock()
	}()
	w.tell(inspect.Progress{Step: libra.Fetching})
	w.report = w.weigh(ctx, w.job.Request.URL, w.previous, w.tell)
	if ctx.Err() != nil {
		return w.giveBack // cut short by us: not the page's fault
	}
	return w.publish
}

// weighAlone has the page weighed by a process of its own, until it is weighed
// or has ended crashes of them, the one that lost it first included.
func (w *worker) weighAlone(ctx context.Context) state {
	w.tell(inspect.Progress{Step: libra.Fetching})
	select {
	case w.lone <- struct{}{}:
		defer func() { <-w.lone }()
	case <-ctx.Done():
		return w.giveBack
	case <-time.After(turn): // let others have the slot
		return w.giveBack
	}
	ended := 0
	if !w.job.Request.Release {
		ended = 1
	}
	for {
		report, err := w.alone(ctx)
		if err == nil {
			w.report = report
			return w.publish
		}
		if errors.Is(err, errNotStarted) {
			w.log.Error("cannot weigh the page alone, weighing it among the others", "err", err)
			return w.weighHere
		}
		if !errors.Is(err, errCrashed) {
			return w.giveBack
		}
		ended++
		w.log.Error("a page ended its inspector", "url", w.job.Request.URL, "crashes", ended, "err", err)
		if ended >= crashes {
			w.poison, w.report = true, quarantined(w.job.Request.URL, ended, err)
			return w.publish
		}
	}
}

// quarantined is the report of a page that is left alone from now on.
func quarantined(url string, ended int, err error) *libra.Report {
	r := failed(url)
	r.AddReason(libra.Reason{
		Code:   libra.CodeQuarantined,
		Text:   fmt.Sprintf("the page ended its inspector %d times and is in quarantine, the last time: %v", ended, err),
		Remedy: "release it with: libra release " + url,
	})
	return r
}

// publish hands the report over, for as long as the bus may take to come back
// before the request is another worker's.
func (w *worker) publish(ctx context.Context) state {
	w.tell(inspect.Progress{Step: libra.Reporting, Found: len(w.report.Assets), Done: len(w.report.Assets)})
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	judged := w.judge(ctx)
	for attempt := 1; ; attempt++ {
		err := w.conn.PublishReport(ctx, event.Reported{
			Request: w.job.Request, Attempt: w.job.Attempt, Inspector: w.cfg.Instance, At: time.Now().UTC(), Report: *w.report, Quarantined: w.poison, Budget: judged,
		})
		if err == nil {
			return w.acknowledge
		}
		if attempt == 1 {
			w.log.Warn("publish report, trying again", "err", err)
		}
		select {
		case <-ctx.Done():
			return w.giveBack
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (w *worker) acknowledge(ctx context.Context) state {
	if err := w.job.Done(context.WithoutCancel(ctx)); err != nil {
		w.log.Warn("acknowledge request, it will come again", "err", err)
	}
	w.done.Add(1)
	w.log.Info("inspection ends", "outcome", w.report.Outcome, "status", w.report.Status, "requests", w.report.Totals.Requests,
		"transfer_bytes", w.report.Totals.TransferBytes, "dur", time.Since(w.started).Round(time.Millisecond))
	return nil
}

func (w *worker) giveBack(ctx context.Context) state {
	pause := turn
	if ctx.Err() != nil {
		pause = 0 // another inspector may have it at once
	}
	if err := w.job.Retry(pause); err != nil {
		w.log.Warn("give request back, it comes again by itself", "err", err)
	} else {
		w.log.Info("request given back")
	}
	return nil
}

// tell notes how far the page is, for those who ask and those who listen.
func (w *worker) tell(p inspect.Progress) {
	w.mu.Lock()
	w.step.Step, w.step.Found, w.step.Done, w.step.At = p.Step, p.Found, p.Done, time.Now().UTC()
	now := w.step
	w.mu.Unlock()
	w.conn.PublishStep(now)
}

func (w *worker) now() event.Step {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.step
}

// showStatus keeps the line for systemctl status until ctx ends.
func (i *Inspector) showStatus(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		i.cfg.Status(fmt.Sprintf("pages: %d in progress, %d done", i.InHand(), i.Done()))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
