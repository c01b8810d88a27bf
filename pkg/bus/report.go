package bus

import (
	"context"
	"encoding/json"

	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// PublishReport stores a report. Publishing the same request's report again
// within ten minutes changes nothing.
func (c *Conn) PublishReport(ctx context.Context, r event.Reported) error {
	return c.publish(ctx, event.ReportSubject(r.Request.Page), r.Request.ID, r)
}

// LastReport is a page's newest report on the bus, or libra.ErrNotFound.
func (c *Conn) LastReport(ctx context.Context, page string) (event.Reported, error) {
	return lastOf[event.Reported](ctx, c, event.ReportStream, event.ReportSubject(page))
}

// WatchReports calls fn with the newest report of every page, then with every
// new one, until ctx ends; caughtUp once the first are through. After a
// disturbance it may start over.
func (c *Conn) WatchReports(ctx context.Context, caughtUp func(), fn func(event.Reported)) error {
	return watchLatest(ctx, c, event.ReportStream, caughtUp, fn)
}

// ConsumeReports hands every report to fn, in batches and in order, under a
// durable name that remembers what fn has taken (by returning nil). While fn
// fails, the same batch comes again. tick is called at least once a second.
func (c *Conn) ConsumeReports(ctx context.Context, durable string, tick func(), fn func(context.Context, []event.Reported) error) error {
	return consumeBatches(ctx, c, event.ReportStream, jetstream.ConsumerConfig{Durable: durable, MaxAckPending: 2 * batchSize}, tick, fn)
}

// PublishAlarm stores a transition, once per transition id.
func (c *Conn) PublishAlarm(ctx context.Context, t libra.Transition) error {
	return c.publish(ctx, event.AlarmSubject(t.Alarm.ID), t.ID, t)
}

// WatchAlarms calls fn with the newest transition of every alarm, then with
// every new one, as WatchReports does.
func (c *Conn) WatchAlarms(ctx context.Context, caughtUp func(), fn func(libra.Transition)) error {
	return watchLatest(ctx, c, event.AlarmStream, caughtUp, fn)
}

// ConsumeAlarms hands every transition to fn as ConsumeReports does.
func (c *Conn) ConsumeAlarms(ctx context.Context, durable string, tick func(), fn func(context.Context, []libra.Transition) error) error {
	return consumeBatches(ctx, c, event.AlarmStream, jetstream.ConsumerConfig{Durable: durable, MaxAckPending: 2 * batchSize}, tick, fn)
}

func watchLatest[T any](ctx context.Context, c *Conn, stream string, caughtUp func(), fn func(T)) error {
	cfg := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy}
	return c.consume(ctx, stream, cfg, func(pending uint64) {
		if pending == 0 {
			caughtUp()
		}
	}, func(m jetstream.Msg) {
		var v T
		if err := json.Unmarshal(m.Data(), &v); err != nil {
			c.log.Error("message cannot be read, skipped", "subject", m.Subject(), "err", err)
		} else {
			fn(v)
		}
		if meta, err := m.Metadata(); err == nil && meta.NumPending == 0 {
			caughtUp()
		}
	})
}
