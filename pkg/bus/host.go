package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
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
	// claimTime is how long a claim lasts that is not renewed, which it is every
	// claimEvery: so soon another inspector may probe when the one that did is gone.
	claimTime  = 4 * time.Second
	claimEvery = time.Second
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
// one before, and returns its place; libra.ErrOpen says that another inspector was first.
func (c *Conn) PublishHost(ctx context.Context, h event.Host, last uint64) (uint64, error) {
	ttl := hostTime
	if left := time.Until(h.Until); left > 0 {
		ttl += left
	}
	return c.replace(ctx, event.HostSubject(h.Host), h, ttl, jetstream.WithExpectLastSequencePerSubject(last))
}

// ClaimProbe claims the one probe of a host; libra.ErrOpen says that another inspector has
// it. The claim is renewed until it is ended, but for no more than longest; of an inspector
// that is gone it ends by itself after claimTime. end returns within about a second, and
// the claim ends a second later.
func (c *Conn) ClaimProbe(ctx context.Context, p event.Probe, longest time.Duration) (end func(), err error) {
	place, err := c.storeProbe(ctx, p, claimTime, 0)
	if err != nil {
		return nil, err
	}
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		c.renewProbe(p, place, time.Now().Add(longest), over)
	}()
	return sync.OnceFunc(func() { close(over); <-ended }), nil
}

// renewProbe renews a claim until over, and then ends it, or until it is not this
// inspector's any more: it never takes the place of another one's.
func (c *Conn) renewProbe(p event.Probe, place uint64, until time.Time, over <-chan struct{}) {
	ctx := context.Background() // each call has a time limit of its own
	tick := time.NewTicker(claimEvery)
	defer tick.Stop()
	for {
		select {
		case <-over:
			_, _ = c.storeProbe(ctx, p, probeRest, place) // else it ends by itself
			return
		case <-tick.C:
		}
		if !time.Now().Before(until) {
			return
		}
		switch next, err := c.storeProbe(ctx, p, claimTime, place); {
		case err == nil:
			place = next
		case errors.Is(err, libra.ErrOpen), c.nc.IsClosed():
			return
		}
	}
}

// storeProbe stores a claim for ttl in the place of the one at last, 0 for none.
func (c *Conn) storeProbe(ctx context.Context, p event.Probe, ttl time.Duration, last uint64) (uint64, error) {
	return c.replace(ctx, event.ProbeSubject(p.Host), p, ttl, jetstream.WithExpectLastSequencePerSubject(last))
}

// SetHold stores what an operator wants of a host's breaker: nil means that it is on
// disk. A hold stays until it is replaced; its end is remembered for a while.
func (c *Conn) SetHold(ctx context.Context, h event.Hold) error {
	ttl := time.Duration(0)
	if h.State == "" {
		ttl = hostTime
	}
	_, err := c.replace(ctx, event.HoldSubject(h.Host), h, ttl)
	return err
}

// RestoreHold stores a hold again that the bus has lost: nil also when it, or a newer one,
// is there already.
func (c *Conn) RestoreHold(ctx context.Context, h event.Hold) error {
	_, err := c.replace(ctx, event.HoldSubject(h.Host), h, 0, jetstream.WithExpectLastSequencePerSubject(0))
	if errors.Is(err, libra.ErrOpen) {
		return nil
	}
	return err
}

// replace stores v for ttl, 0 for good, in place of the message before, and returns its
// place on the stream.
func (c *Conn) replace(ctx context.Context, subject string, v any, ttl time.Duration, opts ...jetstream.PublishOpt) (uint64, error) {
	data, err := json.Marshal(v)
	if err != nil {
		return 0, fmt.Errorf("encode message for %s: %w", subject, err)
	}
	if ttl > 0 {
		opts = append(opts, jetstream.WithMsgTTL(max(ttl, time.Second).Round(time.Second)))
	}
	try, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	ack, err := c.js.PublishMsg(try, &nats.Msg{Subject: subject, Data: data}, append(opts, jetstream.WithRetryAttempts(0))...)
	if err = unavailable(err); errors.Is(err, errExists) {
		return 0, fmt.Errorf("%w: another has stored it on %s", libra.ErrOpen, subject)
	}
	if err != nil {
		return 0, err
	}
	return ack.Sequence, nil
}

// SubscribeHosts calls the functions with every change of a host's breaker or hold, before
// the stream has stored it and also where it refuses it, because another inspector was
// first: HostOf has what is stored. It is lossy while the bus is away.
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
