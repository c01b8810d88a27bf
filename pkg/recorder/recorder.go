// Package recorder is the one writer of SQLite: it consumes reports, alarms, notes,
// the board and watches from the bus, in order, and stores each once. While the database
// cannot be written, the bus keeps them and the recorder retries. A damaged
// database is set aside under a dated name, and a new one is filled from the bus; a
// bus that has lost its store gets back from the database what it needs: the newest
// reports, the watches, the silences, the notes on open alarms and the newest on the
// board.
package recorder

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"libra/pkg/bus"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/meter"
	"libra/pkg/store"
	"libra/pkg/trace"
)

// Durable is the name under which the bus shows how far the recorder is.
const Durable = bus.RecorderDurable

// Config of a recorder.
type Config struct {
	Path string // of the database
	// PruneAt is how full its file system may be, in per cent, before the
	// oldest reports are removed. 0: they never are.
	PruneAt float64
	// Traces exports a span for each report that is stored; nil exports none.
	Traces *trace.Exporter
}

// Recorder stores in SQLite what is published on the bus.
type Recorder struct {
	cfg    Config
	conn   *bus.Conn
	log    *slog.Logger
	status func(string) // for systemctl status

	// turn is held by the one that uses the writer: the loop of a stream, or what
	// prunes or restores. supervised says that the holder is a supervised loop.
	turn       chan struct{}
	supervised atomic.Bool

	mu      sync.Mutex
	writer  *store.Writer   // under mu; nil until the database could be opened
	opening *opening        // under mu; the one in progress; nil for none
	opened  int             // under mu; how often; a loop rewinds when it has changed
	failing map[string]bool // under mu; the loops whose last attempt failed, by stream

	openStore func(context.Context, string) (*store.Writer, error)
	unusable  chan error // ends Run: the database is of a later version of Libra

	losses losses

	recorded  atomic.Int64
	restored  atomic.Int64
	grown     atomic.Int64
	busy      meter.Meter // the writer
	restoring restorations
	behind    atomic.Int64 // unix time since when a loop fails; 0: none does
	why       atomic.Value // string: the last failure, which stands while behind is not 0
}

// New makes a recorder that reports its state to status.
func New(cfg Config, conn *bus.Conn, log *slog.Logger, status func(string)) *Recorder {
	return &Recorder{
		cfg: cfg, conn: conn, log: log, status: status, turn: make(chan struct{}, 1), failing: map[string]bool{}, openStore: store.Open, unusable: make(chan error, 1),
		losses: losses{known: map[string]event.Position{}, found: make(chan struct{}, 1)},
	}
}

// Recorded counts the reports stored since the start.
func (r *Recorder) Recorded() int64 { return r.recorded.Load() }

// Restored counts the messages published again, for a bus that had lost them.
func (r *Recorder) Restored() int64 { return r.restored.Load() }

// Grown is by how many bytes the reports stored since the start have made the history
// larger.
func (r *Recorder) Grown() int64 { return r.grown.Load() }

// Busy is how long the one writer has been at work, in microseconds.
func (r *Recorder) Busy() int64 { return r.busy.Spent() }

// BehindSince is the unix time since when the database cannot be written; 0 while
// it can.
func (r *Recorder) BehindSince() int64 { return r.behind.Load() }

// RestoringSince is the unix time since when something is published again that the bus
// has lost; 0 while nothing is.
func (r *Recorder) RestoringSince() int64 { return r.restoring.since() }

// Reasons says why the database cannot be written, and what is being restored to the
// bus; none while all is well.
func (r *Recorder) Reasons() (list []libra.Reason) {
	if r.behind.Load() != 0 {
		why, _ := r.why.Load().(string)
		list = append(list, libra.Reason{Code: libra.CodeHistoryBehind, Text: why})
	}
	return append(list, r.restoring.reasons()...)
}

// Loops supervise the loops of a recorder, one for each stream; each may be
// nil.
type Loops struct{ Reports, Alarms, Notes, Board, Watches bus.Loop }

// Run records until ctx ends. It returns store.ErrSchema where the database is of a later
// version of Libra.
func (r *Recorder) Run(ctx context.Context, loops Loops) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var beside sync.WaitGroup
	defer r.close()
	defer beside.Wait()
	beside.Go(func() { r.prune(ctx) })
	beside.Go(func() { r.noteLosses(ctx) })
	restored := func(what string, restore func(context.Context, *restoration)) func(context.Context, bool) {
		return func(ctx context.Context, fresh bool) {
			if fresh {
				run := r.restoring.begin(what)
				beside.Go(func() { defer r.restoring.end(run); restore(ctx, run) })
			}
		}
	}
	reports := loop[event.Reported]{Recorder: r, stream: event.ReportStream, loop: loops.Reports, add: r.addReports}
	alarms := loop[libra.Transition]{Recorder: r, stream: event.AlarmStream, loop: loops.Alarms, add: (*store.Writer).AddAlarms}
	notes := loop[libra.Note]{Recorder: r, stream: event.NoteStream, loop: loops.Notes, add: r.addNotes}
	board := loop[libra.Note]{Recorder: r, stream: event.BoardStream, loop: loops.Board, add: (*store.Writer).AddBoard}
	watches := loop[event.Watch]{Recorder: r, stream: event.WatchStream, loop: loops.Watches, add: (*store.Writer).AddWatches}
	record := []func() error{
		func() error {
			return r.conn.RecordReports(ctx, reports.findGaps(reports.recording(restored("newest reports", r.restoreReports))))
		},
		func() error {
			recording := alarms.findGaps(alarms.recording(nil))
			recording.Republished = true // by libra-watchdog, what is still raised
			return r.conn.RecordAlarms(ctx, recording)
		},
		func() error {
			return r.conn.RecordNotes(ctx, notes.findGaps(notes.recording(restored("silences and notes on open alarms", r.restoreNotes))))
		},
		func() error {
			return r.conn.RecordBoard(ctx, board.findGaps(board.recording(restored("newest notes on the board", r.restoreBoard))))
		},
		func() error {
			return r.conn.RecordWatches(ctx, watches.recording(restored("watches", r.restoreWatches)))
		},
	}
	ends := make(chan error, len(record))
	for _, stream := range record {
		go func() { ends <- stream() }()
	}
	var err error
	running := len(record)
	select {
	case err = <-ends:
		running--
	case err = <-r.unusable:
	}
	cancel()
	for range running {
		if other := <-ends; !errors.Is(other, context.Canceled) {
			err = errors.Join(err, other)
		}
	}
	return err
}

// loop records one stream. It belongs to the goroutine that runs it.
type loop[T any] struct {
	*Recorder
	stream string
	loop   bus.Loop
	add    func(*store.Writer, context.Context, []T, event.Position) error
	opened int         // the opening of the database that this loop's position is of
	gaps   []event.Gap // were found and are not stored yet
}

func (l *loop[T]) recording(began func(context.Context, bool)) bus.Recording[T] {
	return bus.Recording[T]{Durable: Durable, From: l.from, Store: l.store, Began: began, Loop: l.loop}
}

// from is the position of the database.
func (l *loop[T]) from(ctx context.Context) (p event.Position, err error) {
	err = l.write(ctx, l.stream, l.loop, func(w *store.Writer, opened int) error {
		l.opened = opened
		p, err = w.Position(ctx, l.stream)
		if err == nil {
			l.beginGaps(ctx, w, p)
		}
		return err
	})
	return p, err
}

// store stores a batch, which is empty where all of it was refused; without a position
// it only checks the database.
func (l *loop[T]) store(ctx context.Context, batch []T, after event.Position) error {
	return l.write(ctx, l.stream, l.loop, func(w *store.Writer, opened int) error {
		if opened != l.opened {
			return bus.ErrRewind
		}
		if err := l.storeGaps(ctx, w); err != nil || after == (event.Position{}) {
			return err
		}
		if err := l.add(w, ctx, batch, after); err != nil {
			return err
		}
		l.losses.known[l.stream] = after
		return nil
	})
}

func (r *Recorder) addReports(w *store.Writer, ctx context.Context, batch []event.Reported, after event.Position) error {
	start := time.Now()
	before, err := w.Used(ctx)
	if err != nil {
		return err
	}
	added, err := w.AddReports(ctx, batch, after)
	if err != nil {
		return err
	}
	if used, err := w.Used(ctx); err == nil { // else the next write shows what is wrong
		r.grown.Add(max(0, used-before))
	}
	r.recorded.Add(int64(added))
	end := time.Now()
	for _, b := range batch {
		if added == len(batch) { // else some were stored before: the bus has lost them, or delivers again
			r.cfg.Traces.Export(b.Request, func() []trace.Span { return trace.Recorded(b.Request, start, end, len(batch)) })
		}
		r.log.Debug("report recorded", "request", b.Request.ID, "trace_id", trace.ID(b.Request), "page", b.Request.Page, "outcome", b.Report.Outcome, "batch", len(batch), "dur", end.Sub(start).Round(time.Microsecond))
	}
	return nil
}

// write runs do on a writer whose file is intact, opening and replacing it as
// needed, and accounts for whether the loop of a stream can write; "" is no loop's.
// One loop may have nothing to write while another fails.
func (r *Recorder) write(ctx context.Context, stream string, supervised bus.Loop, do func(w *store.Writer, opened int) error) error {
	if err := r.awaitTurn(ctx, supervised); err != nil {
		return err
	}
	defer func() { <-r.turn }()
	err := r.open(ctx)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil && r.writer == nil {
		err = errOpening // another loop has closed it meanwhile
	}
	if err == nil {
		end := r.busy.Begin()
		if err = r.writer.Intact(); err == nil {
			err = do(r.writer, r.opened)
		}
		end()
	}
	switch {
	case errors.Is(err, bus.ErrRewind), errors.Is(err, errOpening):
		return err
	case errors.Is(err, store.ErrSchema):
		select {
		case r.unusable <- err:
		default: // another loop has said so
		}
	case errors.Is(err, store.ErrDamaged):
		err = errors.Join(err, r.setAside(ctx, err))
	case errors.Is(err, store.ErrReadOnly):
		r.closeWriter()
	}
	if stream != "" {
		r.account(stream, err)
	}
	return err
}

// writeTime is what a loop declares for its turn and for what package bus does
// until the next declaration: SQLite waits for a lock for a second.
const writeTime = 3500 * time.Millisecond

// awaitTurn waits for the turn, which the caller ends. A loop that waits for
// another one, which is supervised too, declares its time again: a database that is
// locked takes a second of each.
func (r *Recorder) awaitTurn(ctx context.Context, loop bus.Loop) error {
	poll := time.NewTicker(openWait)
	defer poll.Stop()
	for {
		if loop != nil && r.supervised.Load() {
			loop.Allow(writeTime)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case r.turn <- struct{}{}:
			r.supervised.Store(loop != nil)
			if loop != nil {
				loop.Allow(writeTime)
			}
			return nil
		case <-poll.C:
		}
	}
}

// setAside moves a damaged database out of the way, so that the next attempt
// makes a new one. Callers hold mu.
func (r *Recorder) setAside(ctx context.Context, damage error) error {
	_, statErr := os.Stat(r.cfg.Path)
	replaced := errors.Is(damage, store.ErrReplaced) && statErr == nil
	if !replaced {
		r.knowDamaged(ctx)
	}
	aside, err := store.SetAside(r.cfg.Path, replaced, time.Now())
	r.closeWriter()
	if err != nil {
		return err
	}
	if replaced {
		r.log.Warn("database was replaced: the new one is used, what it lacks is filled from the bus", "err", damage)
		return nil
	}
	if _, err := os.Stat(aside); err != nil { // it was deleted
		aside = "nothing left to set aside"
	}
	r.log.Error("database is damaged: a new one is filled from the bus", "err", damage, "aside", aside)
	return nil
}

// account notes whether a loop's last attempt failed, and logs once when the
// database cannot be written. Callers hold mu.
func (r *Recorder) account(stream string, err error) {
	if err == nil {
		delete(r.failing, stream)
		if len(r.failing) > 0 {
			return
		}
		if r.behind.Swap(0) != 0 {
			r.log.Info("database can be written again", "path", r.cfg.Path)
		}
		r.status("recording into " + r.cfg.Path)
		return
	}
	r.failing[stream] = true
	r.why.Store(err.Error())
	if r.behind.CompareAndSwap(0, time.Now().Unix()) {
		r.log.Error("database cannot be written, the bus keeps everything meanwhile", "err", err)
	}
	r.status(fmt.Sprintf("history is behind since %s: %v", libra.FormatTime(time.Unix(r.behind.Load(), 0)), err))
}
