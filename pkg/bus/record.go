package bus

import (
	"context"
	"errors"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"golang.org/x/sync/semaphore"

	"libra/pkg/event"
)

// What is read ahead of a store, at most, besides the few messages that the client of the
// bus reads ahead: messages of one call of Store, and what those and the next ones take in
// memory once they are read. A message that takes more is stored alone.
const (
	batchSize  = 256
	batchBytes = 16 << 20
)

// ErrRewind is what Recording.Store returns when its store is not the one it
// was: reading starts again from Recording.From.
var ErrRewind = errors.New("the store has changed: start over from where it stands")

// Recording says how a stream is recorded.
type Recording[T any] struct {
	// Durable names the reader; the bus shows under it how far it is.
	Durable string
	// From returns the position of the store. It is called at the start, after
	// every ErrRewind, and again while it fails.
	From func(context.Context) (event.Position, error)
	// Store stores a batch, and the position after it, in one transaction.
	// While it fails, the same batch is tried again: nothing overtakes. While
	// there is nothing to store, it is called with an empty batch every second,
	// to check the store.
	Store func(ctx context.Context, batch []T, after event.Position) error
	// Began is called whenever reading begins; fresh is set where the store's
	// position is of another incarnation of the stream. May be nil.
	Began func(ctx context.Context, fresh bool)
	// Lost is called with each gap in what is read, before Store is with what follows it:
	// messages that the bus has discarded before they were recorded, or has lost with the
	// stream. After From it is called again with those before what is not stored. May be nil:
	// where the newest of a subject replaces the others, gaps are usual.
	Lost func(event.Gap)
	// Republished says that others publish again what a lost stream held: it is no gap.
	Republished bool
	// Known returns the newest position that an earlier store is known to have had. It
	// is asked where the position of the store is of another incarnation of the stream,
	// or zero: what the bus has discarded after the known one is a gap. May be nil.
	Known func() event.Position
	// Loop supervises the goroutine that records; may be nil. From and Store
	// each return within a second or two, or declare more to it themselves.
	Loop Loop
	// Most is how many messages a batch has, for a reader with little memory:
	// 256.
	Most int
}

func (r Recording[T]) most() int {
	if r.Most > 0 {
		return r.Most
	}
	return batchSize
}

// record reads a stream from the position of the store until ctx ends. The
// store, not the bus, holds that position: whatever happens to either of them,
// what the store lacks is read again, and what it has is not.
func record[T any](ctx context.Context, c *Conn, stream, subjects string, r Recording[T]) error {
	s, what := supervised{c, r.Loop}, "record stream "+stream
	var believe event.Position
	for ctx.Err() == nil {
		var from event.Position
		var b begun
		err := s.retry(ctx, what, func() (err error) {
			if from, err = r.From(ctx); err != nil {
				return err
			}
			s.allow()
			b, err = c.consumerFrom(ctx, stream, subjects, r.Durable, from)
			return err
		})
		if err != nil {
			return err
		}
		if r.Began != nil {
			r.Began(ctx, b.fresh)
		}
		seen := r.gapsFrom(stream, from, b, believe)
		if err := pull(ctx, s, b.cons, seen, r); err != nil {
			return err
		}
		believe = event.Position{Created: b.created, Sequence: seen.doubted}
	}
	return ctx.Err()
}

// begun is a reader of a stream that begins after a position.
type begun struct {
	cons    jetstream.Consumer
	created time.Time        // of the incarnation of the stream
	first   uint64           // sequence that it has
	fresh   bool             // the position is of another one, or one that it has not reached
	lost    []event.Position // where those before it ended, as far as the bus knows
}

// consumerFrom makes the durable again, to begin after from; at the beginning of a
// stream that is fresh.
func (c *Conn) consumerFrom(ctx context.Context, stream, subjects, durable string, from event.Position) (b begun, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*callTime)
	defer cancel()
	s, err := c.js.Stream(ctx, stream)
	if err != nil {
		return b, unavailable(err)
	}
	info := s.CachedInfo()
	b.created, b.first, b.lost = info.Created, info.State.FirstSeq, endsOf(info.Config.Metadata)
	b.fresh = !info.Created.Equal(from.Created) || from.Sequence > info.State.LastSeq
	if b.fresh {
		from.Sequence = 0
	}
	if err := s.DeleteConsumer(ctx, durable); err != nil && !errors.Is(err, jetstream.ErrConsumerNotFound) {
		return b, unavailable(err)
	}
	b.cons, err = s.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: durable, AckPolicy: jetstream.AckExplicitPolicy, AckWait: 30 * time.Second, MaxDeliver: -1, MaxAckPending: 2 * batchSize,
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: from.Sequence + 1, FilterSubject: subjects,
	})
	if err != nil {
		return b, unavailable(err)
	}
	return b, nil
}

// pull stores batches until ctx ends (an error), or reading has to begin again
// (nil).
func pull[T any](ctx context.Context, s supervised, cons jetstream.Consumer, seen *gaps, r Recording[T]) error {
	room := semaphore.NewWeighted(batchBytes)
	msgs := make(chan received, r.most())
	reading, end := context.WithCancel(ctx)
	defer end()
	cc, err := cons.Consume(func(m jetstream.Msg) {
		takes := min(taken(m.Data()), batchBytes)
		if room.Acquire(reading, takes) != nil {
			return
		}
		select {
		case msgs <- received{m, takes}:
		case <-reading.Done():
		}
	}, jetstream.PullMaxMessages(aheadMessages), jetstream.PullHeartbeat(time.Second), jetstream.PullExpiry(5*time.Second),
		jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
			s.log.Debug("recording", "durable", r.Durable, "err", err)
		}))
	if err != nil {
		s.log.Warn("record, trying again", "durable", r.Durable, "err", err)
		return ctx.Err()
	}
	defer cc.Stop()
	idle := time.NewTicker(time.Second)
	defer idle.Stop()
	for {
		s.allow()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-cc.Closed():
			s.log.Warn("recording ended, starting over", "durable", r.Durable)
			return nil
		case <-idle.C:
			if err := r.Store(ctx, nil, event.Position{}); errors.Is(err, ErrRewind) || s.consumerLost(ctx, cons) {
				return nil
			}
		case m := <-msgs:
			batch, takes := drain(m, msgs, r.most())
			again, err := take(ctx, s, batch, seen, r)
			room.Release(takes)
			if again || err != nil {
				return err
			}
		}
	}
}

// take stores a batch; again says that reading has to begin again instead.
func take[T any](ctx context.Context, s supervised, batch []jetstream.Msg, seen *gaps, r Recording[T]) (again bool, err error) {
	found, last := seen.in(batch)
	if len(found) > 0 && r.Lost != nil {
		if s.doubts(ctx, seen, found[len(found)-1]) {
			s.log.Warn("messages are missing, reading again", "stream", seen.stream, "first", found[0].First)
			return true, nil
		}
		for _, g := range found {
			r.Lost(g)
		}
	}
	seen.after = last
	err = s.store(ctx, batch, event.Position{Created: seen.created, Sequence: last}, decoder(s.Conn, r.Store))
	if errors.Is(err, ErrRewind) {
		return true, nil
	}
	return false, err
}

// consumerLost reports that the bus has no such consumer: it has lost its store.
// Consuming would wait forever, without an error.
func (c *Conn) consumerLost(ctx context.Context, cons jetstream.Consumer) bool {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	_, err := cons.Info(ctx)
	return errors.Is(err, jetstream.ErrConsumerNotFound) || errors.Is(err, jetstream.ErrStreamNotFound)
}

// received is a message, and what it takes in memory.
type received struct {
	jetstream.Msg
	takes int64
}

func drain(first received, more <-chan received, most int) (batch []jetstream.Msg, takes int64) {
	batch, takes = append(batch, first.Msg), first.takes
	for len(batch) < most {
		select {
		case m := <-more:
			batch, takes = append(batch, m.Msg), takes+m.takes
		default:
			return batch, takes
		}
	}
	return batch, takes
}

// decoder turns messages into values for store. A message that is refused
// does not block what comes after it.
func decoder[T any](c *Conn, store func(context.Context, []T, event.Position) error) func(context.Context, []jetstream.Msg, event.Position) error {
	return func(ctx context.Context, batch []jetstream.Msg, after event.Position) error {
		var values []T
		for _, m := range batch {
			if v, err := decode[T](c, m.Subject(), m.Data()); err == nil {
				values = append(values, v)
			}
		}
		return store(ctx, values, after)
	}
}

// store calls do with a batch, and the position after it, until it succeeds, and
// acknowledges the batch.
func (s supervised) store(ctx context.Context, batch []jetstream.Msg, after event.Position, do func(context.Context, []jetstream.Msg, event.Position) error) error {
	var rewind error
	first := true
	err := s.retry(ctx, "store messages", func() error {
		for _, m := range batch {
			if !first {
				_ = m.InProgress() // lost with the connection: then it is redelivered
			}
		}
		first = false
		err := do(ctx, batch, after)
		if errors.Is(err, ErrRewind) {
			rewind, err = err, nil
		}
		return err
	})
	if err = errors.Join(err, rewind); err != nil {
		return err
	}
	for _, m := range batch {
		if err := m.Ack(); err != nil {
			s.log.Warn("cannot acknowledge, it is redelivered", "subject", m.Subject(), "err", err)
		}
	}
	return nil
}
