package state

import (
	"context"
	"errors"
	"fmt"
	"time"

	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/store"
)

// historyBound is how long a read may wait for SQLite. A lock must not make
// every reader wait: the first one that meets it notes it for all.
const historyBound = 300 * time.Millisecond

// Unreadable reports whether an error is of the database, not ErrNotFound.
func Unreadable(err error) bool { return err != nil && !errors.Is(err, libra.ErrNotFound) }

// ofHistory reads from SQLite within a bound, and not at all while SQLite is
// known to be unreadable: checkHistory reads it at an interval.
func ofHistory[T any](ctx context.Context, s *State, read func(context.Context) (T, error)) (T, error) {
	type result struct {
		v   T
		err error
	}
	if _, h := s.health.parts(); h.tried && h.fault != "" {
		return *new(T), fmt.Errorf("%w: %s", libra.ErrUnavailable, h.fault)
	}
	ctx, cancel := context.WithTimeout(ctx, historyBound)
	defer cancel()
	done := make(chan result, 1)
	s.reads.Go(func() { // SQLite waits for a lock, whether or not ctx has ended
		v, err := read(ctx)
		done <- result{v, err}
	})
	select {
	case r := <-done:
		if Unreadable(r.err) && ctx.Err() == nil {
			s.historyFault(r.err.Error())
		}
		return r.v, r.err
	case <-ctx.Done():
		if ctx.Err() == context.DeadlineExceeded {
			s.historyFault(fmt.Sprintf("no answer within %v", historyBound))
		}
		return *new(T), fmt.Errorf("%w: %w", libra.ErrUnavailable, ctx.Err())
	}
}

func (s *State) historyFault(fault string) {
	if s.health.setHistory(fault, time.Now()) {
		s.log.Info("SQLite seen from web", "fault", fault)
	}
}

// readReport is a page's newest good report in SQLite, else its newest failed
// one.
func (s *State) readReport(ctx context.Context, page string) (event.Reported, error) {
	return ofHistory(ctx, s, func(ctx context.Context) (event.Reported, error) { return s.history.Report(ctx, page) })
}

func (s *State) readFailure(ctx context.Context, page string) (event.Reported, error) {
	return ofHistory(ctx, s, func(ctx context.Context) (event.Reported, error) { return s.history.Failure(ctx, page) })
}

func (s *State) readLatest(ctx context.Context, before time.Time, limit int) ([]event.Reported, error) {
	return ofHistory(ctx, s, func(ctx context.Context) ([]event.Reported, error) {
		return s.history.Latest(ctx, before, limit)
	})
}

// BehindCounter is the counter of the recorder's heartbeats that says since when it
// cannot write SQLite, in Unix seconds; 0 while it can.
const BehindCounter = "behind_since_unix"

// historyBehind is since when SQLite lacks the newest, and why; the zero time if it
// does not.
func (s *State) historyBehind(now time.Time) (since time.Time, why string) {
	_, h := s.health.parts()
	if h.fault != "" {
		since, why = h.since.UTC(), h.fault
	}
	for _, b := range s.Memory.instancesOf(component.Recorder) {
		seconds := b.Heartbeat.Counters[BehindCounter]
		if seconds <= 0 || !s.arriving(b, now) {
			continue
		}
		if at := time.Unix(seconds, 0).UTC(); since.IsZero() || at.Before(since) {
			since = at
		}
		if why == "" {
			why = "libra-recorder cannot write it"
			for _, r := range b.Heartbeat.Details {
				if r.Code == libra.CodeHistoryBehind {
					why = r.String()
				}
			}
		}
	}
	return since, why
}

// ReadAlarms lists the newest transitions in SQLite, newest first.
func (s *State) ReadAlarms(ctx context.Context, limit int) ([]libra.Transition, error) {
	return ofHistory(ctx, s, func(ctx context.Context) ([]libra.Transition, error) { return s.history.Alarms(ctx, limit) })
}

// ReadTransitions lists the transitions of an alarm in SQLite, or of all where
// alarm is "", newest first, from after a place on.
func (s *State) ReadTransitions(ctx context.Context, alarm string, after Cursor, limit int) ([]libra.Transition, error) {
	return ofHistory(ctx, s, func(ctx context.Context) ([]libra.Transition, error) {
		return s.history.Transitions(ctx, alarm, historyMark(after), limit)
	})
}

// ReadNotes is ReadTransitions for notes.
func (s *State) ReadNotes(ctx context.Context, alarm string, after Cursor, limit int) ([]libra.Note, error) {
	return ofHistory(ctx, s, func(ctx context.Context) ([]libra.Note, error) {
		return s.history.Notes(ctx, alarm, historyMark(after), limit)
	})
}

// Wait returns when no read of SQLite is under way any more.
func (s *State) Wait() { s.reads.Wait() }

func historyMark(c Cursor) store.Mark { return store.Mark{At: c.At, ID: c.ID} }

// History is SQLite as web reads it. It may be missing, locked or broken at
// any time: errors are libra.ErrNotFound or libra.ErrUnavailable.
type History interface {
	// Report is a page's newest good report, else its newest failed one.
	Report(ctx context.Context, page string) (event.Reported, error)
	// Complete is a page's newest complete report.
	Complete(ctx context.Context, page string) (event.Reported, error)
	// Failure is a page's newest failed report.
	Failure(ctx context.Context, page string) (event.Reported, error)
	// Latest lists for each page the newest good report, else the newest
	// failed one, of those published before a time, newest first.
	Latest(ctx context.Context, before time.Time, limit int) ([]event.Reported, error)
	// Alarms lists the newest transitions, newest first.
	Alarms(ctx context.Context, limit int) ([]libra.Transition, error)
	// Transitions and Notes list those of an alarm, or of all where alarm is
	// "", newest first, from after a mark on.
	Transitions(ctx context.Context, alarm string, after store.Mark, limit int) ([]libra.Transition, error)
	Notes(ctx context.Context, alarm string, after store.Mark, limit int) ([]libra.Note, error)
	// Board lists the notes on the board about an alarm and a page, "" is any, as Notes does;
	// BoardNote is the one with an id.
	Board(ctx context.Context, alarm, page string, after store.Mark, limit int) ([]libra.Note, error)
	BoardNote(ctx context.Context, id string) (libra.Note, error)
	// OpenAlarms lists the newest transition of every alarm that is raised.
	OpenAlarms(ctx context.Context) ([]libra.Transition, error)
	// Silences lists the newest note of each silence that has not ended.
	Silences(ctx context.Context, at time.Time) ([]libra.Note, error)
	// Watches lists the pages that are watched.
	Watches(ctx context.Context) ([]event.Watch, error)
	// Since is the time from which on it is complete.
	Since(ctx context.Context) (time.Time, error)
	// Size says how large it is, and how fast it grows.
	Size(ctx context.Context, now time.Time) (store.Size, error)
	// Check reads something.
	Check(ctx context.Context) error
}

// HistorySince is since when the history goes; the zero time while that is not
// known.
func (s *State) HistorySince() (at time.Time) {
	if seconds := s.birth.Load(); seconds != 0 {
		at = time.Unix(seconds, 0).UTC()
	}
	return at
}
