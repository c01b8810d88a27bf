package bus

import (
	"context"
	"errors"
	"sync"
)

// inFlight are the messages that wait for the bus to have stored them. When the connection
// is lost their answers do not come any more: to wait for them would take the time in which
// they can be sent again.
type inFlight struct {
	mu     sync.Mutex
	losses int64                             // under mu; how often the connection was lost
	last   int64                             // under mu; the newest key of calls
	calls  map[int64]context.CancelCauseFunc // under mu; one for each message
}

// errLost is the cause of the end of a call whose connection was lost. context.Canceled
// would say that the caller has given up.
var errLost = errors.New("connection lost")

// begin returns a context that ends when the connection is lost, too, with errLost as its
// cause, until done is called.
func (f *inFlight) begin(ctx context.Context) (call context.Context, done func()) {
	call, cancel := context.WithCancelCause(ctx)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.calls == nil {
		f.calls = map[int64]context.CancelCauseFunc{}
	}
	f.last++
	key := f.last
	f.calls[key] = cancel
	return call, func() {
		f.mu.Lock()
		delete(f.calls, key)
		f.mu.Unlock()
		cancel(nil)
	}
}

// lost ends all calls: the connection is lost.
func (f *inFlight) lost() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.losses++
	for _, cancel := range f.calls {
		cancel(errLost)
	}
}

// Losses counts how often the connection was lost.
func (c *Conn) Losses() int64 {
	c.inFlight.mu.Lock()
	defer c.inFlight.mu.Unlock()
	return c.inFlight.losses
}
