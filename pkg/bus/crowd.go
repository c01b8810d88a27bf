package bus

import (
	"sync"
	"time"
)

// Crowd has what is given back to the bus come back one after the other: to deliver each
// of thousands that wait every second would be most of what the box does. It may be used
// concurrently.
type Crowd struct {
	Every       time.Duration // one comes back so often
	Least, Most time.Duration // after which each does

	mu   sync.Mutex
	last time.Time // under mu; when the last of them comes back
}

// Pause is for how long the next of them is given back.
func (c *Crowd) Pause(now time.Time) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.last.Add(c.Every)
	c.last = now.Add(min(max(at.Sub(now), c.Least), c.Most))
	return c.last.Sub(now)
}
