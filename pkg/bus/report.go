package bus

import (
	"context"

	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// PublishReport stores a report. Publishing the same request's report again
// within ten minutes changes nothing.
func (c *Conn) PublishReport(ctx context.Context, r event.Reported) error {
	return c.publish(ctx, r.Subject(), r.Request.ID, r)
}

// LastReport is a page's newest good report on the bus, or libra.ErrNotFound. Earlier
// versions published a page that answered 404 as a good one: it is not found either,
// because what is good may be in the history.
func (c *Conn) LastReport(ctx context.Context, page string) (event.Reported, error) {
	r, err := lastOf[event.Reported](ctx, c, event.ReportStream, event.ReportSubject(page))
	if err == nil && r.Report.Outcome == libra.Error {
		return event.Reported{}, libra.ErrNotFound
	}
	return r, err
}

// LastFailure is the newest report on the bus of a page that is an error, or
// libra.ErrNotFound.
func (c *Conn) LastFailure(ctx context.Context, page string) (event.Reported, error) {
	return lastOf[event.Reported](ctx, c, event.ReportStream, event.FailureSubject(page))
}

// RestoreReport stores a report again that the bus has lost: nil also when the
// report, or a newer one of its page, is there already.
func (c *Conn) RestoreReport(ctx context.Context, r event.Reported) error {
	return ignoreExisting(c.publish(ctx, r.Subject(), r.Request.ID, r, jetstream.WithExpectLastSequencePerSubject(0)))
}

// ConsumeReports calls fn with the newest good report and the newest error of
// every page, then with every new one, until ctx ends, and caughtUp after the
// stored ones. After an interruption it may start over.
func (c *Conn) ConsumeReports(ctx context.Context, caughtUp func(), fn func(event.Reported)) error {
	return consumeDecoded(ctx, c, event.ReportStream, lastPerSubject, caughtUp, fn)
}

// RecordReports passes every report to r.Store, in batches and in order, from
// the position that r.From returns. See record.
func (c *Conn) RecordReports(ctx context.Context, r Recording[event.Reported]) error {
	return record(ctx, c, event.ReportStream, event.AllReports, r)
}

// PublishAlarm stores a transition, once per transition id.
func (c *Conn) PublishAlarm(ctx context.Context, t libra.Transition) error {
	return c.publish(ctx, event.AlarmSubject(t.Alarm.ID), t.ID, t)
}

// ConsumeAlarms calls fn with the newest transition of every alarm, then with
// every new one, as ConsumeReports does.
func (c *Conn) ConsumeAlarms(ctx context.Context, caughtUp func(), fn func(libra.Transition)) error {
	return consumeDecoded(ctx, c, event.AlarmStream, lastPerSubject, caughtUp, fn)
}

// RecordAlarms passes every transition to r.Store as RecordReports does.
func (c *Conn) RecordAlarms(ctx context.Context, r Recording[libra.Transition]) error {
	return record(ctx, c, event.AlarmStream, event.AllAlarms, r)
}

// lastPerSubject consumes the last message of every subject first.
var lastPerSubject = jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy}

// consumeDecoded decodes what an ordered consumer reads, and calls caughtUp when
// nothing is pending.
func consumeDecoded[T any](ctx context.Context, c *Conn, stream string, cfg jetstream.OrderedConsumerConfig, caughtUp func(), fn func(T)) error {
	return c.consume(ctx, stream, func() jetstream.OrderedConsumerConfig { return cfg }, func(pending uint64) {
		if pending == 0 {
			caughtUp()
		}
	}, func(m jetstream.Msg) {
		if v, err := decode[T](c, m.Subject(), m.Data()); err == nil {
			fn(v)
		}
		if meta, err := m.Metadata(); err == nil && meta.NumPending == 0 {
			caughtUp()
		}
	})
}
