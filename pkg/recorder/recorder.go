// Package recorder is the one writer of SQLite: it takes reports and alarms
// from the bus, in order, and stores each once. While the database cannot be
// written, the bus keeps them and the recorder tries again; nothing is
// acknowledged before it is on disk.
package recorder

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
	"libra/pkg/libra"
	"libra/pkg/store"
)

// Durable is the name under which the bus remembers what was recorded.
const Durable = "recorder"

// Config of a recorder.
type Config struct {
	Path string // of the database
}

// Recorder moves what the bus has into SQLite.
type Recorder struct {
	cfg    Config
	conn   *bus.Conn
	log    *slog.Logger
	status func(string) // for systemctl status

	mu     sync.Mutex    // one writer, two consumers
	writer *store.Writer // under mu; nil until the database could be opened

	recorded atomic.Int64
	behind   atomic.Bool
}

// New makes a recorder that reports its state to status.
func New(cfg Config, conn *bus.Conn, log *slog.Logger, status func(string)) *Recorder {
	return &Recorder{cfg: cfg, conn: conn, log: log, status: status}
}

// Recorded counts the reports stored since the start.
func (r *Recorder) Recorded() int64 { return r.recorded.Load() }

// Loops are the two loops of a recorder; each calls its own at least once a
// second.
type Loops struct{ Reports, Alarms func() }

// Run records until ctx ends.
func (r *Recorder) Run(ctx context.Context, loops Loops) error {
	defer r.close()
	if _, err := r.open(ctx); err != nil {
		r.trouble(err) // the loops try again
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ends := make(chan error, 2)
	go func() { ends <- r.conn.ConsumeReports(ctx, Durable, loops.Reports, r.reports) }()
	go func() { ends <- r.conn.ConsumeAlarms(ctx, Durable, loops.Alarms, r.alarms) }()
	err := <-ends
	cancel()
	return errors.Join(err, ignoreCanceled(<-ends))
}

func ignoreCanceled(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (r *Recorder) reports(ctx context.Context, batch []event.Reported) error {
	start := time.Now()
	added := 0
	err := r.write(ctx, func(w *store.Writer) (err error) {
		added, err = w.AddReports(ctx, batch)
		return err
	})
	if err != nil {
		return err
	}
	r.recorded.Add(int64(added))
	for _, b := range batch {
		r.log.Info("report recorded", "request", b.Request.ID, "page", b.Request.Page, "outcome", b.Report.Outcome, "batch", len(batch), "dur", time.Since(start).Round(time.Microsecond))
	}
	return nil
}

func (r *Recorder) alarms(ctx context.Context, batch []libra.Transition) error {
	return r.write(ctx, func(w *store.Writer) error { return w.AddAlarms(ctx, batch) })
}

// write runs do on the writer, opening the database if it is not open.
func (r *Recorder) write(ctx context.Context, do func(*store.Writer) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	w, err := r.open(ctx)
	if err == nil {
		err = do(w)
	}
	if err != nil {
		r.trouble(err)
		return err
	}
	if r.behind.CompareAndSwap(true, false) {
		r.log.Info("database takes writes again", "path", r.cfg.Path)
	}
	r.status(fmt.Sprintf("recording into %s", r.cfg.Path))
	return nil
}

// open returns the writer. Callers hold mu, or are the only ones yet.
func (r *Recorder) open(ctx context.Context) (*store.Writer, error) {
	if r.writer != nil {
		return r.writer, nil
	}
	w, err := store.Open(ctx, r.cfg.Path)
	if err != nil {
		return nil, err
	}
	r.writer = w
	return w, nil
}

// trouble tells of a database that cannot be written: once, when it begins.
func (r *Recorder) trouble(err error) {
	r.status("history is behind: " + err.Error())
	if r.behind.CompareAndSwap(false, true) {
		r.log.Error("database cannot be written, the bus keeps everything meanwhile", "err", err)
	}
}

func (r *Recorder) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.writer != nil {
		if err := r.writer.Close(); err != nil {
			r.log.Warn("close database", "err", err)
		}
		r.writer = nil
	}
}
