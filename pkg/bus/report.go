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
	return c.publish(ctx, r.Subject(), r.Request.ID, r)
}

// LastReport is a page's newest good report on the bus, or libra.ErrNotFound.
func (c *Conn) LastReport(ctx context.Context, page string) (event.Reported, error) {
	return lastOf[event.Reported](ctx, c, event.ReportStream, event.ReportSubject(page))
}

// LastFailure is a page's newest failed report on the bus, or
// libra.ErrNotFound.
func (c *Conn) LastFailure(ctx context.Context, page string) (event.Reported, error) {
	return lastOf[event.Reported](ctx, c, event.ReportStream, event.FailureSubject(page))
}

// RestoreReport puts a report back that the bus has lost: nil when it is there,
// or a newer one of its page.
func (c *Conn) RestoreReport(ctx context.Context, r event.Reported) error {
	return known(c.publish(ctx, r.Subject(), r.Request.ID, r, jetstream.WithExpectLastSequencePerSubject(0)))
}

// WatchReports calls fn with the newest good and the newest failed report of
// every page, then with every new one, until ctx ends; caughtUp once the first are through. After a
// disturbance it may start over.
func (c *Conn) WatchReports(ctx context.Context, caughtUp func(), fn func(event.Reported)) error {
	return follow(ctx, c, event.ReportStream, latest, caughtUp, fn)
}

// RecordReports hands every report to fn, in batches and in order, from where
// the recorder's own store says it stands. See record.
func (c *Conn) RecordReports(ctx context.Context, r Recording[event.Reported]) error {
	return record(ctx, c, event.ReportStream, event.AllReports, r)
}

// PublishAlarm stores a transition, once per transition id.
func (c *Conn) PublishAlarm(ctx context.Context, t libra.Transition) error {
	return c.publish(ctx, event.AlarmSubject(t.Alarm.ID), t.ID, t)
}

// WatchAlarms calls fn with the newest transition of every alarm, then with
// every new one, as WatchReports does.
func (c *Conn) WatchAlarms(ctx context.Context, caughtUp func(), fn func(libra.Transition)) error {
	return follow(ctx, c, event.AlarmStream, latest, caughtUp, fn)
}

// RecordAlarms hands every transition to fn as RecordReports does.
func (c *Conn) RecordAlarms(ctx context.Context, r Recording[libra.Transition]) error {
	return record(ctx, c, event.AlarmStream, event.AllAlarms, r)
}

// latest reads the last message of every subject first.
var latest = jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy}

// follow decodes what an ordered consumer reads, and says once it has caught up.
func follow[T any](ctx context.Context, c *Conn, stream string, cfg jetstream.OrderedConsumerConfig, caughtUp func(), fn func(T)) error {
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
