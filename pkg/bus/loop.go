package bus

import (
	"context"
	"time"
)

// Loop supervises one loop of a process, for the functions of this package that
// loop until their context ends. Allow declares that the loop blocks for at
// most d before it calls Allow again; a loop that exceeds what it declared
// hangs. A nil Loop supervises nothing.
type Loop interface {
	Allow(d time.Duration)
}

// Unsupervised is a Loop that nothing supervises.
type Unsupervised struct{}

// Allow does nothing.
func (Unsupervised) Allow(time.Duration) {}

// Done does nothing: some loops say that they have ended.
func (Unsupervised) Done() {}

// roundTime is what a loop of this package declares for one round: it makes at
// most three calls of callTime each and pauses for half a second at most. What
// takes longer goes round, as waiting for a bus that is away does.
const roundTime = 3*callTime + 500*time.Millisecond

// supervised is a connection in the hands of one loop.
type supervised struct {
	*Conn
	loop Loop // nil: none
}

// allow declares the next round.
func (s supervised) allow() {
	if s.loop != nil {
		s.loop.Allow(roundTime)
	}
}

// retry is Conn.retry, each attempt of which is a round of the loop.
func (s supervised) retry(ctx context.Context, what string, do func() error) error {
	return s.Conn.retry(ctx, what, func() error {
		s.allow()
		return do()
	})
}
