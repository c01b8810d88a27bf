package inspect

import (
	"context"
	"sync"
)

// semaphore is a weighted semaphore of bytes, first come, first served. Bytes that
// were waited for are held only while a processor works, never during a fetch, so
// that waits are short and end.
type semaphore struct {
	mu      sync.Mutex
	size    int64
	free    int64     // under mu
	waiters []*waiter // under mu, the first to come first
}

// waiter is an acquisition that waits for n bytes.
type waiter struct {
	n     int64
	ready chan struct{} // closed when acquired
}

func newSemaphore(size int64) *semaphore { return &semaphore{size: size, free: size} }

// acquire waits for n bytes, or for all if n is more, and returns what releases
// them. It returns false if ctx ends first.
func (g *semaphore) acquire(ctx context.Context, n int64) (release func(), ok bool) {
	n = min(n, g.size)
	release = func() { g.release(n) }
	g.mu.Lock()
	if len(g.waiters) == 0 && g.free >= n {
		g.free -= n
		g.mu.Unlock()
		return release, true
	}
	s := &waiter{n: n, ready: make(chan struct{})}
	g.waiters = append(g.waiters, s)
	g.mu.Unlock()
	select {
	case <-s.ready:
		return release, true
	case <-ctx.Done():
		g.release(g.cancel(s))
		return nil, false
	}
}

// tryAcquire takes n bytes if they are free now.
func (g *semaphore) tryAcquire(n int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiters) > 0 || g.free < n {
		return false
	}
	g.free -= n
	return true
}

// cancel removes s from the waiters and returns the bytes that it was given
// meanwhile.
func (g *semaphore) cancel(s *waiter) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range g.waiters {
		if w == s {
			g.waiters = append(g.waiters[:i], g.waiters[i+1:]...)
			return 0
		}
	}
	return s.n
}

// release returns n bytes and wakes the waiters that they suffice for.
func (g *semaphore) release(n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free += n
	for len(g.waiters) > 0 && g.waiters[0].n <= g.free {
		s := g.waiters[0]
		g.waiters = g.waiters[1:]
		g.free -= s.n
		close(s.ready)
	}
}
