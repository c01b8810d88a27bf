package fetch

import (
	"context"
	"slices"
	"sync"
)

// streams bounds the requests that are in flight to a host over HTTP/2 by what its
// server allows (SETTINGS_MAX_CONCURRENT_STREAMS). net/http waits for a stream,
// too, but counts requests that wait as if they had one: with more of them than
// the server allows, none gets one again (golang/go#70809). So requests wait here,
// first come, first served. Until the server's settings are known, it is one.
type streams struct {
	mu      sync.Mutex
	limit   int             // under mu; 0 is 1
	used    int             // under mu
	waiting []chan struct{} // under mu; closed when the request may be sent
}

// acquire waits for a stream, until ctx ends.
func (s *streams) acquire(ctx context.Context) error {
	s.mu.Lock()
	turn := make(chan struct{})
	s.waiting = append(s.waiting, turn)
	s.grant()
	s.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.waiting, turn); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
	} else {
		s.used--
		s.grant()
	}
	return context.Cause(ctx)
}

func (s *streams) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used--
	s.grant()
}

// allow sets how many requests may be in flight. With 0, which servers may say for
// a time, one request waits in net/http, within its own time limits.
func (s *streams) allow(limit int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limit = limit
	s.grant()
}

// grant gives turns to those that wait. s.mu is held.
func (s *streams) grant() {
	for len(s.waiting) > 0 && s.used < max(s.limit, 1) {
		s.used++
		close(s.waiting[0])
		s.waiting = slices.Delete(s.waiting, 0, 1)
	}
}
