// Package inspector takes requests from the bus, weighs their pages and
// publishes the reports. It keeps nothing: a request that it had in hand when
// it ended is weighed by another instance, and answered once in the history.
package inspector

import (
	"context"
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
	Workers  int    // pages at a time
	Inspect  inspect.Config
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
	done   atomic.Int64
	inHand atomic.Int64
}

// New makes an inspector.
func New(cfg Config, conn *bus.Conn, log *slog.Logger) *Inspector {
	return &Inspector{cfg: cfg, conn: conn, log: log, engine: inspect.New(cfg.Inspect)}
}

// Done counts the reports published since the start.
func (i *Inspector) Done() int64 { return i.done.Load() }

// InHand counts the pages being weighed.
func (i *Inspector) InHand() int64 { return i.inHand.Load() }

// Run takes requests until ctx ends; what it has in hand then goes back to
// the bus. tick is called at least once a second.
func (i *Inspector) Run(ctx context.Context, tick func()) error {
	defer i.engine.Close()
	longest := i.cfg.Inspect.PageTimeout + grace
	return i.conn.Work(ctx, i.cfg.Workers, longest, tick, func(ctx context.Context, job bus.Job) {
		i.inHand.Add(1)
		defer i.inHand.Add(-1)
		newWorker(i, job).run(ctx)
	})
}

// state is one step of a worker's life; it returns the next, or nil at the end:
//
//	take -> weigh -> publish -> acknowledge
//	          |         |
//	          '---------'--> giveBack (asked to stop, or no bus to publish on)
type state func(context.Context) state

// worker has one page in hand.
type worker struct {
	*Inspector
	job     bus.Job
	log     *slog.Logger
	started time.Time
	report  *libra.Report // from weigh on

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
	stop, err := w.conn.ServeStep(w.job.Request.Page, w.now)
	if err != nil {
		w.log.Warn("cannot answer for the page while it is weighed", "err", err)
		return w.weigh
	}
	return func(ctx context.Context) state {
		defer stop()
		for next := w.weigh; next != nil; {
			next = next(ctx)
		}
		return nil
	}
}

func (w *worker) weigh(ctx context.Context) state {
	w.tell(inspect.Progress{Step: libra.Fetching})
	w.report = w.engine.Inspect(ctx, w.job.Request.URL, w.tell)
	if ctx.Err() != nil {
		return w.giveBack // cut short by us: not the page's fault
	}
	return w.publish
}

// publish hands the report over, for as long as the bus may take to come back
// before the request is another worker's.
func (w *worker) publish(ctx context.Context) state {
	w.tell(inspect.Progress{Step: libra.Reporting, Found: len(w.report.Assets), Done: len(w.report.Assets)})
	ctx, cancel := context.WithTimeout(ctx, grace)
	defer cancel()
	for attempt := 1; ; attempt++ {
		err := w.conn.PublishReport(ctx, event.Reported{
			Request: w.job.Request, Attempt: w.job.Attempt, Inspector: w.cfg.Instance, At: time.Now().UTC(), Report: *w.report,
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

func (w *worker) giveBack(context.Context) state {
	if err := w.job.Again(0); err != nil {
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

// Status is the line for systemctl status.
func (i *Inspector) Status() string {
	return fmt.Sprintf("weighing %d pages, %d done", i.InHand(), i.Done())
}
