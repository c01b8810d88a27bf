package main

import (
	"cmp"
	"sync"
	"time"

	"libra/pkg/daemon"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// storing says in heartbeats since when a stream of the bus stores nothing, and why.
type storing struct {
	serving string // the status while all streams store

	mu    sync.Mutex
	good  time.Time // when all streams stored, at the last look
	since time.Time // the zero time while all streams store
	why   string
}

// declare adds it to the heartbeats of the process.
func (s *storing) declare(p *daemon.Process) {
	p.Count(event.StoppedCounter, func() int64 {
		s.mu.Lock()
		defer s.mu.Unlock()
		return unix(s.since)
	})
	p.Reasons(func() []libra.Reason {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.why == "" {
			return nil
		}
		return []libra.Reason{libra.Because(libra.CodeNotStored, s.why)}
	})
}

// look takes in the server's reason, "" for none, and sets the status.
func (s *storing) look(why string, status func(string), now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if why == "" {
		s.good = now
	}
	switch {
	case why == s.why:
		return
	case why == "":
		s.since = time.Time{}
		status(s.serving)
	default:
		if s.since.IsZero() { // since some moment after the last good look
			s.since = cmp.Or(s.good, now)
		}
		status("not everything is stored: " + why)
	}
	s.why = why
}
