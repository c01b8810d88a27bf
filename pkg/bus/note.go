package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// PublishNote stores a note, once per note id.
func (c *Conn) PublishNote(ctx context.Context, n libra.Note) error {
	return c.publish(ctx, event.NoteSubject(n), n.ID, n)
}

// RestoreNote stores a note again that the bus has lost: nil also when the note,
// or a newer one, is on its subject already.
func (c *Conn) RestoreNote(ctx context.Context, n libra.Note) error {
	return ignoreExisting(c.publish(ctx, event.NoteSubject(n), n.ID, n, jetstream.WithExpectLastSequencePerSubject(0)))
}

// ConsumeNotes calls fn with every note that the bus has stored, in order, then
// with every new one, and caughtUp after the stored ones. After an interruption
// it may start over.
func (c *Conn) ConsumeNotes(ctx context.Context, caughtUp func(), fn func(libra.Note)) error {
	return consumeDecoded(ctx, c, event.NoteStream, jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy}, caughtUp, fn)
}

// RecordNotes passes every note to r.Store as RecordReports does.
func (c *Conn) RecordNotes(ctx context.Context, r Recording[libra.Note]) error {
	return record(ctx, c, event.NoteStream, event.AllNotes, r)
}

const (
	// longestTrial is how long a provider may take to answer a trial message.
	longestTrial = 20 * time.Second
	// mostTrials is how many trial messages a notifier sends at a time.
	mostTrials = 8
)

// TryChannel has the notifier send a trial message and returns the outcome;
// libra.ErrUnavailable when no notifier answers.
func (c *Conn) TryChannel(ctx context.Context, channel string) (event.Tried, error) {
	return c.tryChannel(ctx, channel, longestTrial)
}

func (c *Conn) tryChannel(ctx context.Context, channel string, longest time.Duration) (event.Tried, error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	m, err := c.nc.RequestWithContext(ctx, event.ChannelSubject(channel), []byte(channel))
	if err != nil {
		return event.Tried{}, unavailable(err)
	}
	t, err := decode[event.Tried](c, event.ChannelSubject(channel), m.Data)
	if err != nil {
		err = fmt.Errorf("%w: %w", libra.ErrUnavailable, err)
	}
	return t, err
}

// Channels returns the channels and routes that are in force; libra.ErrUnavailable
// when no notifier answers.
func (c *Conn) Channels(ctx context.Context) (event.Tried, error) {
	return c.tryChannel(ctx, "", callTime) // no channel has that name, so that no provider is asked
}

// ServeChannels answers TryChannel with what fn returns, each in a
// goroutine of its own, until stop is called. ctx ends them all. Beyond mostTrials at a
// time it answers at once that the message is not sent. Channels is answered meanwhile,
// one after the other: fn does not wait for a provider there.
func (c *Conn) ServeChannels(ctx context.Context, fn func(ctx context.Context, channel string) event.Tried) (stop func(), err error) {
	answer := func(m *nats.Msg, t event.Tried) {
		if data, err := json.Marshal(t); err == nil {
			m.Respond(data)
		}
	}
	trials := make(chan struct{}, mostTrials)
	sub, err := c.nc.Subscribe(event.AllChannels, func(m *nats.Msg) {
		channel := string(m.Data)
		if channel == "" {
			answer(m, fn(ctx, channel))
			return
		}
		select {
		case trials <- struct{}{}:
		default:
			answer(m, event.Tried{Channel: channel, Answer: fmt.Sprintf("not sent: %d trial messages are being sent already, try again in a few seconds", mostTrials)})
			return
		}
		go func() {
			defer func() { <-trials }()
			ctx, cancel := context.WithTimeout(ctx, longestTrial)
			defer cancel()
			answer(m, fn(ctx, channel))
		}()
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return func() { sub.Unsubscribe() }, nil
}

// ignoreExisting takes the error "the subject has a message already" for a
// success.
func ignoreExisting(err error) error {
	if errors.Is(err, errExists) {
		return nil
	}
	return err
}
