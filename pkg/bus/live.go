package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// Steps and heartbeats are lossy by design: they reach those that subscribe at
// that moment, and are stored nowhere.

// PublishStep publishes how far the inspection of a page is.
func (c *Conn) PublishStep(s event.Step) { c.publishLossy(event.StepSubject(s.Page), s) }

// SubscribeSteps calls fn with every step that is published.
func (c *Conn) SubscribeSteps(fn func(event.Step)) (stop func(), err error) {
	return subscribe(c, event.AllSteps, fn)
}

// ServeStep answers AskStep for a page while this process inspects it. When the
// process is gone, AskStep fails at once.
func (c *Conn) ServeStep(page string, now func() event.Step) (stop func(), err error) {
	sub, err := c.nc.Subscribe(event.WorkerSubject(page), func(m *nats.Msg) {
		if data, err := json.Marshal(now()); err == nil {
			m.Respond(data)
		}
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return func() { sub.Unsubscribe() }, nil
}

// AskStep asks the worker of a page how far it is; libra.ErrUnavailable when no
// worker has it.
func (c *Conn) AskStep(ctx context.Context, page string) (event.Step, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	m, err := c.nc.RequestWithContext(ctx, event.WorkerSubject(page), nil)
	if err != nil {
		return event.Step{}, unavailable(err)
	}
	s, err := decode[event.Step](c, event.WorkerSubject(page), m.Data)
	if err != nil {
		err = fmt.Errorf("%w: %w", libra.ErrUnavailable, err)
	}
	return s, err
}

// heartbeatEvery is short enough that libra-web misses a component within a second,
// three heartbeats being late.
const heartbeatEvery = 250 * time.Millisecond

// PublishHeartbeats publishes a heartbeat every 250 ms until ctx ends, but none
// while stalled names a loop without progress.
func (c *Conn) PublishHeartbeats(ctx context.Context, stalled func() string, now func() event.Heartbeat) {
	tick := time.NewTicker(heartbeatEvery)
	defer tick.Stop()
	for {
		if stalled() == "" {
			b := now()
			b.EveryMS = int(heartbeatEvery.Milliseconds())
			c.publishLossy(event.HeartbeatSubject(b.Component, b.Instance), b)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// SubscribeHeartbeats calls fn with every heartbeat.
func (c *Conn) SubscribeHeartbeats(fn func(event.Heartbeat)) (stop func(), err error) {
	return subscribe(c, event.AllHeartbeats, fn)
}

// publishLossy publishes v to those that subscribe at this moment.
func (c *Conn) publishLossy(subject string, v any) {
	data, err := json.Marshal(v)
	if err == nil {
		err = c.nc.Publish(subject, data)
	}
	if err != nil {
		c.log.Debug("publish", "subject", subject, "err", err)
	}
}

func subscribe[T any](c *Conn, subject string, fn func(T)) (stop func(), err error) {
	sub, err := c.nc.Subscribe(subject, func(m *nats.Msg) {
		if v, err := decode[T](c, m.Subject, m.Data); err == nil {
			fn(v)
		}
	})
	if err != nil {
		return nil, unavailable(err)
	}
	if err := sub.SetPendingLimits(aheadLossy, aheadBytes); err != nil {
		return nil, unavailable(err)
	}
	return func() { sub.Unsubscribe() }, nil
}

// aheadLossy is how many messages wait for a handler before further ones are dropped.
const aheadLossy = 8192
