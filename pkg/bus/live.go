package bus

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go"

	"libra/pkg/event"
)

// What is live is lossy by design: steps and beats are told to whoever
// listens, and forgotten.

// PublishStep tells whoever listens how far a page is.
func (c *Conn) PublishStep(s event.Step) { c.tell(event.StepSubject(s.Page), s) }

// WatchSteps calls fn with every step that is told.
func (c *Conn) WatchSteps(fn func(event.Step)) (stop func(), err error) {
	return subscribe(c, event.AllSteps, fn)
}

// ServeStep answers for a page while this process works on it. When the
// process is gone, AskStep knows at once.
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

// AskStep asks the worker of a page how far it is; libra.ErrUnavailable when
// nobody works on it.
func (c *Conn) AskStep(ctx context.Context, page string) (s event.Step, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m, err := c.nc.RequestWithContext(ctx, event.WorkerSubject(page), nil)
	if err != nil {
		return s, unavailable(err)
	}
	return s, json.Unmarshal(m.Data, &s)
}

// Beat shows every second that the component lives, until ctx ends. While
// stalled names a loop without progress it stays silent.
func (c *Conn) Beat(ctx context.Context, stalled func() string, now func() event.Beat) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		if stalled() == "" {
			b := now()
			c.tell(event.BeatSubject(b.Component, b.Instance), b)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// WatchBeats calls fn with every beat.
func (c *Conn) WatchBeats(fn func(event.Beat)) (stop func(), err error) {
	return subscribe(c, event.AllBeats, fn)
}

func (c *Conn) tell(subject string, v any) {
	data, err := json.Marshal(v)
	if err == nil {
		err = c.nc.Publish(subject, data)
	}
	if err != nil {
		c.log.Debug("tell", "subject", subject, "err", err)
	}
}

func subscribe[T any](c *Conn, subject string, fn func(T)) (stop func(), err error) {
	sub, err := c.nc.Subscribe(subject, func(m *nats.Msg) {
		var v T
		if err := json.Unmarshal(m.Data, &v); err != nil {
			c.log.Warn("message cannot be read, skipped", "subject", m.Subject, "err", err)
			return
		}
		fn(v)
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return func() { sub.Unsubscribe() }, nil
}
