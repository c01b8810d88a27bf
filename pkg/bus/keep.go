package bus

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/event"
)

// Keeper makes Libra's streams, and makes one again that the bus has lost while it
// runs: publishing to it fails until then, and its consumers get nothing. It belongs to
// one goroutine.
type Keeper struct {
	conn  *Conn
	space Space
	sizes map[string]int64            // of the streams when they were last there
	ends  map[string][]event.Position // and where they ended, with those that they replaced
}

// KeepStreams returns a keeper of the streams, which has not looked at them yet.
func (c *Conn) KeepStreams(space Space) *Keeper {
	return &Keeper{conn: c, space: space, sizes: map[string]int64{}, ends: map[string][]event.Position{}}
}

// Ensure is Conn.EnsureStreams, but for a stream that was there: where Space does not give
// its size, that is what it was, and what is made again says how far the lost one had come.
func (k *Keeper) Ensure(ctx context.Context) error {
	space := k.space
	space.ends = k.ends
	if space.Keep {
		space.sizes = k.sizes
	}
	return k.conn.EnsureStreams(ctx, space)
}

// Lost lists the streams that the bus does not have. An error says that the bus has not
// answered.
func (k *Keeper) Lost(ctx context.Context) (lost []string, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	for _, name := range event.Streams() {
		s, why := k.conn.js.Stream(ctx, name)
		switch {
		case why == nil:
			info := s.CachedInfo()
			k.sizes[name] = info.Config.MaxBytes
			k.ends[name] = endsWith(info)
		case errors.Is(why, jetstream.ErrStreamNotFound):
			lost = append(lost, name)
		default:
			return nil, unavailable(why)
		}
	}
	slices.Sort(lost)
	return lost, nil
}

// StreamMade is when the bus made a stream. A stream that was lost and made again has
// another time, and nothing of what it held.
func (c *Conn) StreamMade(ctx context.Context, name string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	s, err := c.js.Stream(ctx, name)
	if err != nil {
		return time.Time{}, unavailable(err)
	}
	return s.CachedInfo().Created, nil
}
