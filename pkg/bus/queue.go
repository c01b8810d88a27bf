package bus

import (
	"context"
	"fmt"
	"time"

	"libra/pkg/event"
)

// Queue is what stream REQUESTS holds.
type Queue struct {
	Open   int       // requests
	Oldest time.Time // when the first of them was stored; the zero time without one
	Bytes  int64     // of them
	Most   int64     // bytes that it may hold
}

// Queue looks at the open requests.
func (c *Conn) Queue(ctx context.Context) (q Queue, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	s, err := c.js.Stream(ctx, event.RequestStream)
	if err != nil {
		return q, fmt.Errorf("ask stream %s: %w", event.RequestStream, unavailable(err))
	}
	info := s.CachedInfo()
	q = Queue{Open: int(info.State.Msgs), Bytes: int64(info.State.Bytes), Most: info.Config.MaxBytes}
	if q.Open > 0 {
		q.Oldest = info.State.FirstTime
	}
	return q, nil
}
