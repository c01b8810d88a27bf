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

// What inspectors share of the hosts that they inspect: stream HOSTS has the newest
// message of each subject, and drops by itself what has had its time. An inspector
// reads a host's messages when it needs them, and subscribes to changes; its key lets
// it create no consumer.

const (
	// hostTime is how long a state is remembered after its pause.
	hostTime = time.Hour
	// probeRest is how long a claim lasts once the probe is over: the bus knows no
	// shorter time.
	probeRest = time.Second
)

// HostOf is the newest state of a host's breaker and its place on the stream, or
// libra.ErrNotFound, with 0.
func (c *Conn) HostOf(ctx context.Context, host string) (event.Host, uint64, error) {
	return newest[event.Host](ctx, c, event.HostStream, event.HostSubject(host))
}

// HoldOf is what an operator wants of a host's breaker, or libra.ErrNotFound.
func (c *Conn) HoldOf(ctx context.Context, host string) (event.Hold, error) {
	return lastOf[event.Hold](ctx, c, event.HostStream, event.HoldSubject(host))
}

// PublishHost stores the state of a host's breaker, if last is still the place of the
// one before; libra.ErrOpen says that another inspector was first.
func (c *Conn) PublishHost(ctx context.Context, h event.Host, last uint64) error {
	ttl := hostTime
	if left := time.Until(h.Until); left > 0 {
		ttl += left
	}
	return c.replace(ctx, event.HostSubject(h.Host), h, ttl, jetstream.WithExpectLastSequencePerSubject(last))
}

// ClaimProbe claims the one probe of a host for at most longest; libra.ErrOpen says
// that another inspector has it. Where the claim is not ended, because its inspector is
// gone, it ends by itself.
func (c *Conn) ClaimProbe(ctx context.Context, p event.Probe, longest time.Duration) error {
	return c.replace(ctx, event.ProbeSubject(p.Host), p, longest, jetstream.WithExpectLastSequencePerSubject(0))
}

// EndProbe ends the claim within about a second.
func (c *Conn) EndProbe(ctx context.Context, p event.Probe) error {
	return c.replace(ctx, event.ProbeSubject(p.Host), p, probeRest)
}

// SetHold stores what an operator wants of a host's breaker: nil means that it is on
// disk. A hold stays until it is replaced; its end is remembered for a while.
func (c *Conn) SetHold(ctx context.Context, h event.Hold) error {
	ttl := time.Duration(0)
	if h.State == "" {
		ttl = hostTime
	}
	return c.replace(ctx, event.HoldSubject(h.Host), h, ttl)
}

// replace stores v for ttl, 0 for good, in place of the message before.
func (c *Conn) replace(ctx context.Context, subject string, v any, ttl time.Duration, opts ...jetstream.PublishOpt) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode message for %s: %w", subject, err)
	}
	if ttl > 0 {
		opts = append(opts, jetstream.WithMsgTTL(max(ttl, time.Second).Round(time.Second)))
	}
	try, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	_, err = c.js.PublishMsg(try, &nats.Msg{Subject: subject, Data: data}, append(opts, jetstream.WithRetryAttempts(0))...)
	if err = unavailable(err); errors.Is(err, errExists) {
		return fmt.Errorf("%w: another has stored it on %s", libra.ErrOpen, subject)
	}
	return err
}

// SubscribeHosts calls the functions with every change of a host's breaker or hold, also
// with one that the stream refuses because another inspector was first. It is lossy while
// the bus is away.
func (c *Conn) SubscribeHosts(state func(event.Host), hold func(event.Hold)) (stop func(), err error) {
	stopStates, err := subscribe(c, event.AllHosts, state)
	if err != nil {
		return nil, err
	}
	stopHolds, err := subscribe(c, event.AllHolds, hold)
	if err != nil {
		stopStates()
		return nil, err
	}
	return func() { stopStates(); stopHolds() }, nil
}

// ConsumeHosts calls state with the newest state of every host's breaker, then with
// every change, as ConsumeReports does, until ctx ends.
func (c *Conn) ConsumeHosts(ctx context.Context, caughtUp func(), state func(event.Host)) error {
	return consumeDecoded(ctx, c, event.HostStream, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{event.AllHosts}, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
	}, caughtUp, state)
}

// ConsumeHolds does the same with what operators want.
func (c *Conn) ConsumeHolds(ctx context.Context, caughtUp func(), hold func(event.Hold)) error {
	return consumeDecoded(ctx, c, event.HostStream, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{event.AllHolds}, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
	}, caughtUp, hold)
}
