package web

import (
	"context"
	"errors"
	"fmt"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// historyBound is how long a read may wait for SQLite. A lock must not make
// every reader wait: the first one that meets it notes it for all.
const historyBound = 300 * time.Millisecond

// unreadable says that an error is of the database, not of what was asked for.
func unreadable(err error) bool { return err != nil && !errors.Is(err, libra.ErrNotFound) }

// ofHistory reads from SQLite within a bound, and not at all while SQLite is
// known to be out: checkHistory looks at it all the time.
func ofHistory[T any](ctx context.Context, s *Server, read func(context.Context) (T, error)) (T, error) {
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
	s.reads.Go(func() { // SQLite sits out a lock, whatever the context says
		v, err := read(ctx)
		done <- result{v, err}
	})
	select {
	case r := <-done:
		if unreadable(r.err) && ctx.Err() == nil {
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

func (s *Server) historyFault(fault string) {
	if s.health.setHistory(fault, time.Now()) {
		s.log.Info("SQLite seen from web", "fault", fault)
	}
}

// readReport is a page's newest good report in SQLite, else its newest failed
// one.
func (s *Server) readReport(ctx context.Context, page string) (event.Reported, error) {
	return ofHistory(ctx, s, func(ctx context.Context) (event.Reported, error) { return s.history.Report(ctx, page) })
}

func (s *Server) readFailure(ctx context.Context, page string) (event.Reported, error) {
	return ofHistory(ctx, s, func(ctx context.Context) (event.Reported, error) { return s.history.Failure(ctx, page) })
}

func (s *Server) readLatest(ctx context.Context, before time.Time, limit int) ([]event.Reported, error) {
	return ofHistory(ctx, s, func(ctx context.Context) ([]event.Reported, error) {
		return s.history.Latest(ctx, before, limit)
	})
}

// recorderName is the component that writes SQLite, and behindCounter what its
// beats say of it: since when it cannot, in Unix seconds; 0 is that it can.
const (
	recorderName  = "libra-recorder"
	behindCounter = "behind_since_unix"
)

// historyBehind says since when SQLite lacks the newest, and why; the zero time
// when it does not.
func (s *Server) historyBehind(now time.Time) (since time.Time, why string) {
	_, h := s.health.parts()
	if h.fault != "" {
		since, why = h.since.UTC(), h.fault
	}
	for _, b := range s.memory.instances() {
		seconds := b.beat.Counters[behindCounter]
		if b.beat.Component != recorderName || seconds <= 0 || now.Sub(b.at) > s.cfg.HeartbeatTimeout {
			continue
		}
		if at := time.Unix(seconds, 0).UTC(); since.IsZero() || at.Before(since) {
			since = at
		}
		if why == "" {
			why = "libra-recorder cannot write it"
			for _, r := range b.beat.Details {
				if r.Code == libra.CodeHistoryBehind {
					why = r.String()
				}
			}
		}
	}
	return since, why
}

// readAlarms lists the newest transitions in SQLite, newest first.
func (s *Server) readAlarms(ctx context.Context, limit int) ([]libra.Transition, error) {
	return ofHistory(ctx, s, func(ctx context.Context) ([]libra.Transition, error) { return s.history.Alarms(ctx, limit) })
}

// readTransitions lists the transitions of an alarm in SQLite, or of all where
// alarm is "", newest first, from after a place on.
func (s *Server) readTransitions(ctx context.Context, alarm string, after cursor, limit int) ([]libra.Transition, error) {
	return ofHistory(ctx, s, func(ctx context.Context) ([]libra.Transition, error) {
		return s.history.Transitions(ctx, alarm, historyMark(after), limit)
	})
}

// readNotes is readTransitions for notes.
func (s *Server) readNotes(ctx context.Context, alarm string, after cursor, limit int) ([]libra.Note, error) {
	return ofHistory(ctx, s, func(ctx context.Context) ([]libra.Note, error) {
		return s.history.Notes(ctx, alarm, historyMark(after), limit)
	})
}

// wait returns when no read of SQLite is under way any more.
func (s *Server) wait() { s.reads.Wait() }
