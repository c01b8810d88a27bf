package bus

import (
	"context"
	"errors"
	"fmt"

	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// WriteBoard stores a note on the board, once per note id, and returns the one that is
// stored: n, or the one that an earlier attempt has stored with its id.
func (c *Conn) WriteBoard(ctx context.Context, n libra.Note) (libra.Note, error) {
	err := c.publishFirst(ctx, n)
	if !errors.Is(err, errExists) {
		return n, err
	}
	stored, err := lastOf[libra.Note](ctx, c, event.BoardStream, event.BoardSubject(n.ID))
	if errors.Is(err, libra.ErrNotFound) { // discarded meanwhile, or refused
		err = fmt.Errorf("%w: bus: note %s is not there any more", libra.ErrUnavailable, n.ID)
	}
	return stored, err
}

// RestoreBoard stores a note on the board again that the bus has lost: nil also when it is
// there already.
func (c *Conn) RestoreBoard(ctx context.Context, n libra.Note) error {
	return ignoreExisting(c.publishFirst(ctx, n))
}

// publishFirst stores a note on a subject that has none. It has no message id: the server
// would take a repeat for a success, and what it has stored may be another note.
func (c *Conn) publishFirst(ctx context.Context, n libra.Note) error {
	return c.publish(ctx, event.BoardSubject(n.ID), "", n, jetstream.WithExpectLastSequencePerSubject(0))
}

// ConsumeBoard calls fn with every note on the board as ConsumeNotes does.
func (c *Conn) ConsumeBoard(ctx context.Context, caughtUp func(), fn func(libra.Note)) error {
	return consumeDecoded(ctx, c, event.BoardStream, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy}, caughtUp, fn)
}

// RecordBoard passes every note on the board to r.Store as RecordReports does.
func (c *Conn) RecordBoard(ctx context.Context, r Recording[libra.Note]) error {
	return record(ctx, c, event.BoardStream, event.AllBoard, r)
}
