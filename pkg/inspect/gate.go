package inspect

import (
	"context"
	"sync"
)

// gate hands out a budget of bytes to whoever comes first. A share that was
// waited for is held only while a processor works, never while something is
// fetched, so that nobody waits for long and nobody for ever.
type gate struct {
	mu      sync.Mutex
	size    int64
	free    int64    // under mu
	waiting []*share // under mu, in the order come
}

// share is a part of the budget that is waited for.
type share struct {
	n    int64
	done chan struct{} // closed when it is had
}

func newGate(size int64) *gate { return &gate{size: size, free: size} }

// enter waits for n bytes, or for all where there are not as many, and returns
// what leaves again. It returns false if ctx ends first.
func (g *gate) enter(ctx context.Context, n int64) (leave func(), ok bool) {
	n = min(n, g.size)
	leave = func() { g.give(n) }
	g.mu.Lock()
	if len(g.waiting) == 0 && g.free >= n {
		g.free -= n
		g.mu.Unlock()
		return leave, true
	}
	s := &share{n: n, done: make(chan struct{})}
	g.waiting = append(g.waiting, s)
	g.mu.Unlock()
	select {
	case <-s.done:
		return leave, true
	case <-ctx.Done():
		g.give(g.forget(s))
		return nil, false
	}
}

// try takes n bytes if they are free now.
func (g *gate) try(n int64) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) > 0 || g.free < n {
		return false
	}
	g.free -= n
	return true
}

// forget takes s off the list; what it returns was given to s meanwhile.
func (g *gate) forget(s *share) int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, w := range g.waiting {
		if w == s {
			g.waiting = append(g.waiting[:i], g.waiting[i+1:]...)
			return 0
		}
	}
	return s.n
}

// give returns n bytes and lets in who can enter now.
func (g *gate) give(n int64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.free += n
	for len(g.waiting) > 0 && g.waiting[0].n <= g.free {
		s := g.waiting[0]
		g.waiting = g.waiting[1:]
		g.free -= s.n
		close(s.done)
	}
}
