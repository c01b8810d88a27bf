package bus

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// CheckStreams asks the bus for every stream.
func (c *Conn) CheckStreams(ctx context.Context) error {
	for _, name := range event.Streams() {
		try, cancel := context.WithTimeout(ctx, callTime)
		_, err := c.js.Stream(try, name)
		cancel()
		if err != nil {
			return fmt.Errorf("ask stream %s: %w", name, unavailable(err))
		}
	}
	return nil
}

// AlarmDelivery is a transition on its way to a channel.
type AlarmDelivery struct {
	Transition libra.Transition
	// Attempt is the delivery number, from 1. Above 1, a notifier that was killed
	// before it acknowledged may have sent it already.
	Attempt int
}

// mostAlarms are delivered at once, and acknowledged together.
const mostAlarms = 1000

// alarmLease is how long a consumer may hold a transition without a sign of
// progress.
const alarmLease = 3 * time.Second

// AlarmConsumer says how DeliverAlarms consumes transitions.
type AlarmConsumer struct {
	// Durable names the consumer on the bus, which remembers how far it is.
	Durable string
	// Since is where a durable that is new to the bus begins: with what was stored
	// then, with everything where it is zero.
	Since time.Time
	// Most returns how many transitions one call of Deliver takes when so many
	// are waiting.
	Most func(waiting int) int
	// Deliver handles transitions. It may block for as long as it needs, and
	// then declares that to Loop itself.
	Deliver func(context.Context, []AlarmDelivery) error
	// Loop supervises the goroutine that calls DeliverAlarms; may be nil.
	Loop Loop
}

// DeliverAlarms calls a.Deliver with transitions in order, until ctx ends, and
// acknowledges them when it returns nil; until then nothing overtakes.
func (c *Conn) DeliverAlarms(ctx context.Context, a AlarmConsumer) error {
	return alarmReader{supervised{c, a.Loop}, a}.run(ctx)
}

// alarmReader is one call of DeliverAlarms.
type alarmReader struct {
	supervised
	AlarmConsumer
}

func (r alarmReader) run(ctx context.Context) error {
	for ctx.Err() == nil {
		cons, err := r.consumer(ctx)
		if err != nil {
			return err
		}
		for err == nil && ctx.Err() == nil {
			r.allow()
			var batch []jetstream.Msg
			if batch, err = fetchAlarms(ctx, cons, r.Most); len(batch) > 0 {
				r.deliver(ctx, batch)
			}
		}
		r.log.Debug("consuming alarms, starting over", "durable", r.Durable, "err", err)
	}
	return ctx.Err()
}

// consumer finds or creates the consumer. What an earlier process had claimed is
// redelivered first, not when its lease runs out: newer transitions would
// overtake it.
func (r alarmReader) consumer(ctx context.Context) (cons jetstream.Consumer, err error) {
	makeIt := func(lease time.Duration) func() error {
		return func() (err error) {
			try, cancel := context.WithTimeout(ctx, callTime)
			defer cancel()
			cfg := jetstream.ConsumerConfig{
				Durable: r.Durable, AckPolicy: jetstream.AckExplicitPolicy, AckWait: lease, MaxDeliver: -1, MaxAckPending: 2 * mostAlarms,
			}
			old, err := r.js.Consumer(try, event.AlarmStream, r.Durable)
			switch {
			case err == nil: // where it began cannot be changed
				was := old.CachedInfo().Config
				cfg.DeliverPolicy, cfg.OptStartTime = was.DeliverPolicy, was.OptStartTime
			case !errors.Is(err, jetstream.ErrConsumerNotFound):
				return err
			case !r.Since.IsZero():
				cfg.DeliverPolicy, cfg.OptStartTime = jetstream.DeliverByStartTimePolicy, &r.Since
			}
			cons, err = r.js.CreateOrUpdateConsumer(try, event.AlarmStream, cfg)
			return err
		}
	}
	what := "make consumer " + r.Durable
	if err := r.retry(ctx, what, makeIt(alarmLease)); err != nil {
		return nil, err
	}
	if cons.CachedInfo().NumAckPending == 0 {
		return cons, nil
	}
	const short = 10 * time.Millisecond
	if err := r.retry(ctx, what, makeIt(short)); err != nil {
		return nil, err
	}
	select { // the server looks 100 ms after such a change
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-time.After(150 * time.Millisecond):
	}
	return cons, r.retry(ctx, what, makeIt(alarmLease))
}

// DropAlarms deletes a durable of DeliverAlarms, for a channel that is gone.
func (c *Conn) DropAlarms(ctx context.Context, durable string) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	err := c.js.DeleteConsumer(ctx, event.AlarmStream, durable)
	if err == nil || errors.Is(err, jetstream.ErrConsumerNotFound) {
		return nil
	}
	return fmt.Errorf("drop consumer %s: %w", durable, unavailable(err))
}

// fetchAlarms waits up to a second for a message, and takes more that are
// there. Messages and an error can come together.
func fetchAlarms(ctx context.Context, cons jetstream.Consumer, take func(waiting int) int) ([]jetstream.Msg, error) {
	try, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	first, err := cons.Fetch(1, jetstream.FetchContext(try))
	if err != nil {
		return nil, err
	}
	batch := collect(nil, first)
	if err = first.Error(); errors.Is(err, context.DeadlineExceeded) {
		err = nil // nothing came
	}
	if err != nil || len(batch) == 0 {
		return batch, err
	}
	meta, err := batch[0].Metadata()
	if err != nil {
		return batch, err
	}
	more := min(take(1+int(meta.NumPending)), mostAlarms) - 1
	if more <= 0 {
		return batch, nil
	}
	rest, err := cons.FetchNoWait(more)
	if err != nil {
		return batch, err
	}
	return collect(batch, rest), rest.Error()
}

func collect(batch []jetstream.Msg, from jetstream.MessageBatch) []jetstream.Msg {
	for m := range from.Messages() {
		batch = append(batch, m)
	}
	return batch
}

// deliver passes one batch to Deliver, extends its lease meanwhile, and
// acknowledges it.
func (r alarmReader) deliver(ctx context.Context, batch []jetstream.Msg) {
	var deliveries []AlarmDelivery
	for _, m := range batch {
		t, err := decode[libra.Transition](r.Conn, m.Subject(), m.Data())
		if err != nil {
			continue
		}
		d := AlarmDelivery{Transition: t, Attempt: 1}
		if meta, err := m.Metadata(); err == nil {
			d.Attempt = int(meta.NumDelivered)
		}
		deliveries = append(deliveries, d)
	}
	if len(deliveries) > 0 {
		release := extendLeases(ctx, batch)
		err := r.retry(ctx, "deliver alarms", func() error { return r.Deliver(ctx, deliveries) })
		release()
		if err != nil {
			return // ctx has ended
		}
	}
	for _, m := range batch {
		r.allow()
		try, cancel := context.WithTimeout(ctx, callTime)
		err := m.DoubleAck(try)
		cancel()
		if err != nil && !errors.Is(err, jetstream.ErrMsgAlreadyAckd) {
			r.log.Warn("cannot acknowledge alarms, they are redelivered", "err", err)
			return
		}
	}
}

// extendLeases extends the lease of a batch until it is released.
func extendLeases(ctx context.Context, batch []jetstream.Msg) (release func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		tick := time.NewTicker(alarmLease / 4)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				for _, m := range batch {
					_ = m.InProgress() // lost with the connection: then it is redelivered
				}
			}
		}
	})
	return func() { cancel(); wg.Wait() }
}
