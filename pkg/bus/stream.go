package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/event"
)

// How long the bus keeps what it was given; SQLite keeps it for good.
const (
	reportAge = 7 * 24 * time.Hour
	alarmAge  = 30 * 24 * time.Hour
	// duplicateWindow is how long a message id is remembered.
	duplicateWindow = 10 * time.Minute
)

// streams shares space (bytes) out between the streams.
func streams(space int64, replicas int) []jetstream.StreamConfig {
	return []jetstream.StreamConfig{
		{
			Name: event.RequestStream, Subjects: []string{event.AllRequests},
			Description: "accepted requests, until a report answers them",
			Retention:   jetstream.WorkQueuePolicy, Storage: jetstream.FileStorage, Replicas: replicas,
			// One open request per client and page: the second is refused.
			MaxMsgsPerSubject: 1, Discard: jetstream.DiscardNew, DiscardNewPerSubject: true,
			MaxBytes: space / 8, MaxConsumers: -1, AllowDirect: true, Duplicates: duplicateWindow,
		},
		{
			Name: event.ReportStream, Subjects: []string{event.AllReports},
			Description: "reports of the last days; the last of a subject is a page's newest",
			Retention:   jetstream.LimitsPolicy, Storage: jetstream.FileStorage, Replicas: replicas,
			MaxAge: reportAge, MaxBytes: space / 8 * 6, Discard: jetstream.DiscardOld,
			MaxConsumers: -1, AllowDirect: true, Duplicates: duplicateWindow,
		},
		{
			Name: event.AlarmStream, Subjects: []string{event.AllAlarms},
			Description: "alarms raised and cleared",
			// Limits, not Interest: with Interest a transition that nobody
			// consumes yet would be answered and dropped.
			Retention: jetstream.LimitsPolicy, Storage: jetstream.FileStorage, Replicas: replicas,
			MaxAge: alarmAge, MaxBytes: space / 16, Discard: jetstream.DiscardOld,
			MaxConsumers: -1, AllowDirect: true, Duplicates: duplicateWindow,
		},
	}
}

// EnsureStreams makes the streams what this version wants them to be, within
// space bytes, as soon as the bus answers.
func (c *Conn) EnsureStreams(ctx context.Context, space int64) error {
	for _, cfg := range streams(space, 1) {
		err := c.retry(ctx, "make stream "+cfg.Name, func() error {
			ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
			defer cancel()
			_, err := c.js.CreateOrUpdateStream(ctx, cfg)
			return err
		})
		if err != nil {
			return fmt.Errorf("make stream %s: %w", cfg.Name, err)
		}
	}
	return nil
}

// publish stores v on a stream: when it returns nil, v is on disk. The id makes
// the second attempt harmless.
func (c *Conn) publish(ctx context.Context, subject, id string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("encode message for %s: %w", subject, err)
	}
	msg := &nats.Msg{Subject: subject, Data: data}
	for attempt := 1; ; attempt++ {
		try, cancel := context.WithTimeout(ctx, patience)
		_, err = c.js.PublishMsg(try, msg, jetstream.WithMsgID(id), jetstream.WithRetryAttempts(0))
		cancel()
		if err == nil {
			return nil
		}
		if err = unavailable(err); attempt == 2 || ctx.Err() != nil || !isUnavailable(err) || !c.Connected() {
			return err
		}
	}
}

// consume calls fn for every message of an ordered consumer, from what cfg
// says, until ctx ends. After trouble it starts over, so fn sees messages
// again and must not mind.
func (c *Conn) consume(ctx context.Context, stream string, cfg jetstream.OrderedConsumerConfig, started func(pending uint64), fn func(jetstream.Msg)) error {
	for ctx.Err() == nil {
		var cons jetstream.Consumer
		err := c.retry(ctx, "read stream "+stream, func() (err error) {
			try, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			cons, err = c.js.OrderedConsumer(try, stream, cfg)
			return err
		})
		if err != nil {
			return err
		}
		if info := cons.CachedInfo(); info != nil {
			started(info.NumPending)
		}
		cc, err := cons.Consume(fn, jetstream.PullHeartbeat(time.Second), jetstream.PullExpiry(5*time.Second),
			jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
				c.log.Debug("reading stream", "stream", stream, "err", err)
			}))
		if err != nil {
			c.log.Warn("read stream, trying again", "stream", stream, "err", err)
			continue
		}
		select {
		case <-ctx.Done():
			cc.Stop()
			<-cc.Closed()
		case <-cc.Closed():
			c.log.Warn("reading a stream ended, starting over", "stream", stream)
		}
	}
	return ctx.Err()
}

// batchSize is how many messages a durable hands over at once, at most.
const batchSize = 256

// consumeBatches hands the messages of a durable consumer to fn, in order, as
// many as there are up to batchSize, and acknowledges them when fn says nil.
// While fn fails, the same batch is tried again: nothing overtakes. tick is
// called at least once a second.
func consumeBatches[T any](ctx context.Context, c *Conn, stream string, cfg jetstream.ConsumerConfig, tick func(), fn func(context.Context, []T) error) error {
	cfg.AckPolicy, cfg.AckWait, cfg.MaxDeliver = jetstream.AckExplicitPolicy, 30*time.Second, -1
	for ctx.Err() == nil {
		var cons jetstream.Consumer
		err := c.retryTicking(ctx, "make consumer "+cfg.Durable, tick, func() (err error) {
			try, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			cons, err = c.js.CreateOrUpdateConsumer(try, stream, cfg)
			return err
		})
		if err != nil {
			return err
		}
		msgs := make(chan jetstream.Msg, batchSize)
		cc, err := cons.Consume(func(m jetstream.Msg) {
			select {
			case msgs <- m:
			case <-ctx.Done():
			}
		}, jetstream.PullMaxMessages(batchSize), jetstream.PullHeartbeat(time.Second), jetstream.PullExpiry(5*time.Second),
			jetstream.ConsumeErrHandler(func(_ jetstream.ConsumeContext, err error) {
				c.log.Debug("consuming", "stream", stream, "durable", cfg.Durable, "err", err)
			}))
		if err != nil {
			c.log.Warn("consume, trying again", "stream", stream, "durable", cfg.Durable, "err", err)
			continue
		}
		err = pump(ctx, c, msgs, cc.Closed(), tick, fn)
		cc.Stop()
		if err != nil {
			return err
		}
		c.log.Warn("consuming ended, starting over", "stream", stream, "durable", cfg.Durable)
	}
	return ctx.Err()
}

// pump moves batches until ctx ends (an error) or the consumer is gone (nil).
func pump[T any](ctx context.Context, c *Conn, msgs <-chan jetstream.Msg, gone <-chan struct{}, tick func(), fn func(context.Context, []T) error) error {
	idle := time.NewTicker(500 * time.Millisecond)
	defer idle.Stop()
	for {
		tick()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-gone:
			return nil
		case <-idle.C:
		case m := <-msgs:
			if err := handle(ctx, c, drain(m, msgs), tick, fn); err != nil {
				return err
			}
		}
	}
}

func drain(first jetstream.Msg, more <-chan jetstream.Msg) []jetstream.Msg {
	batch := []jetstream.Msg{first}
	for len(batch) < batchSize {
		select {
		case m := <-more:
			batch = append(batch, m)
		default:
			return batch
		}
	}
	return batch
}

func handle[T any](ctx context.Context, c *Conn, batch []jetstream.Msg, tick func(), fn func(context.Context, []T) error) error {
	var values []T
	for _, m := range batch {
		var v T
		if err := json.Unmarshal(m.Data(), &v); err != nil {
			// Not ours to mend, and it must not block what comes after it.
			c.log.Error("message cannot be read, dropped", "subject", m.Subject(), "err", err)
			continue
		}
		values = append(values, v)
	}
	err := c.retryTicking(ctx, "handle messages", func() {
		tick()
		for _, m := range batch {
			m.InProgress()
		}
	}, func() error {
		if len(values) == 0 {
			return nil
		}
		return fn(ctx, values)
	})
	if err != nil {
		return err
	}
	for _, m := range batch {
		if err := m.Ack(); err != nil {
			c.log.Warn("acknowledge, it will come again", "subject", m.Subject(), "err", err)
		}
	}
	return nil
}

// retryTicking is retry for a loop that has to show progress meanwhile.
func (c *Conn) retryTicking(ctx context.Context, what string, tick func(), do func() error) error {
	first := true
	return c.retry(ctx, what, func() error {
		if !first {
			tick()
		}
		first = false
		return do()
	})
}
