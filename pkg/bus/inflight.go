package bus

import (
	"context"
	"sync"
)

// inFlight are the messages that wait for the bus to have stored them. When the connection
// is lost their answers do not come any more: to wait for them would take the time in which
// they can be sent again.
type inFlight struct {
	mu     sync.Mutex
	losses int64                        // under mu; how often the connection was lost
	last   int64                        // under mu; the newest key of calls
	calls  map[int64]context.CancelFunc // under mu; one for each message
}

// add has cancel called when the connection is lost, or when done is called.
func (f *inFlight) add(cancel context.CancelFunc) (done func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls == nil {
		f.calls = map[int64]context.CancelFunc{}
	}
	f.last++
	key := f.last
	f.calls[key] = cancel
	return func() {
		f.mu.Lock()
		delete(f.calls, key)
		f.mu.Unlock()
		cancel()
	}
}

// lost ends all calls: the connection is lost.
func (f *inFlight) lost() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.losses++
	for _, cancel := range f.calls {
		cancel()
	}
}

// Losses counts how often the connection was lost.
func (c *Conn) Losses() int64 {
	c.inFlight.mu.Lock()
	defer c.inFlight.mu.Unlock()
	return c.inFlight.losses
}
