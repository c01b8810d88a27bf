package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// A watch is one message on its page's subject: the bus repeats it on the due
// subject at every interval (its own schedules), and forgets the schedule when
// the next word on the page carries none. Schedules cannot stand among the
// requests, where one too many is refused and not dropped, so that inspectors
// carry what is due from the one stream to the other.

// SetWatch stores the newest word on a watch, which with EveryS 0 is its end:
// nil means that it is on disk and in force.
func (c *Conn) SetWatch(ctx context.Context, w event.Watch) error {
	if w.EveryS > 0 {
		if err := c.roomForWatches(ctx); err != nil {
			return err
		}
	}
	return c.publishWatch(ctx, w)
}

// RestoreWatch puts a watch back that the bus has lost: nil when it is there,
// or a newer word on it.
func (c *Conn) RestoreWatch(ctx context.Context, w event.Watch) error {
	return known(c.publishWatch(ctx, w, jetstream.WithExpectLastSequencePerSubject(0)))
}

func (c *Conn) publishWatch(ctx context.Context, w event.Watch, opts ...jetstream.PublishOpt) error {
	if w.EveryS > 0 {
		opts = append(opts, jetstream.WithScheduleEvery(time.Duration(w.EveryS)*time.Second), jetstream.WithScheduleTarget(event.DueSubject(w.Page)))
	}
	id := fmt.Sprintf("%s-%d-%d", w.Page, w.EveryS, w.At.UnixNano())
	return c.publish(ctx, event.WatchSubject(w.Page), id, w, opts...)
}

// roomForWatches refuses in time: the stream itself cannot refuse, it would
// drop its oldest watch.
func (c *Conn) roomForWatches(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := c.js.Stream(ctx, event.WatchStream)
	if err != nil {
		return unavailable(err)
	}
	if info := s.CachedInfo(); info.State.Bytes > uint64(info.Config.MaxBytes)/10*8 {
		return fmt.Errorf("%w: %d bytes of watches", libra.ErrFull, info.State.Bytes)
	}
	return nil
}

// WatchNow has a watched page weighed once beside its turns; occasion tells
// one such wish from the next.
func (c *Conn) WatchNow(ctx context.Context, w event.Watch, occasion string) error {
	return c.publish(ctx, event.DueSubject(w.Page), w.Page+"-now-"+occasion, w)
}

// WatchOf is the newest word on a page's watch, or libra.ErrNotFound.
func (c *Conn) WatchOf(ctx context.Context, page string) (event.Watch, error) {
	return lastOf[event.Watch](ctx, c, event.WatchStream, event.WatchSubject(page))
}

// FollowWatches calls fn with the newest word on every watch, those that have
// ended too, then with every change, as WatchReports does.
func (c *Conn) FollowWatches(ctx context.Context, caughtUp func(), fn func(event.Watch)) error {
	return follow(ctx, c, event.WatchStream, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{event.AllWatches}, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
	}, caughtUp, fn)
}

// RecordWatches hands every word on a watch to fn as RecordReports does.
func (c *Conn) RecordWatches(ctx context.Context, r Recording[event.Watch]) error {
	return record(ctx, c, event.WatchStream, event.AllWatches, r)
}

// dueConsumer is shared by all inspectors: each thing that is due is carried
// by one of them.
const dueConsumer = "due"

// dueAtOnce are carried at a time: the bus syncs each to disk, several
// together.
const dueAtOnce = 32

// RelayDue makes a request of every watch whose time has come, until ctx ends.
// Where the page's last request is still open, this time is left out. loop
// supervises the goroutine that calls it; it may be nil.
func (c *Conn) RelayDue(ctx context.Context, loop Loop) error {
	s := supervised{c, loop}
	for ctx.Err() == nil {
		var cons jetstream.Consumer
		err := s.retry(ctx, "make consumer "+dueConsumer, func() (err error) {
			try, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			cons, err = c.js.CreateOrUpdateConsumer(try, event.WatchStream, jetstream.ConsumerConfig{
				Durable: dueConsumer, FilterSubject: event.AllDue, AckPolicy: jetstream.AckExplicitPolicy, AckWait: lease, MaxDeliver: -1,
			})
			return err
		})
		for err == nil && ctx.Err() == nil {
			s.allow()
			err = s.relay(ctx, cons)
		}
		c.log.Debug("carrying what is due, starting over", "err", err)
	}
	return ctx.Err()
}

// relay waits up to a second for what is due. An error asks for the consumer
// to be looked up again.
func (s supervised) relay(ctx context.Context, cons jetstream.Consumer) error {
	try, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	batch, err := cons.Fetch(1, jetstream.FetchContext(try))
	if err != nil {
		return err
	}
	msgs := collect(nil, batch)
	if err := batch.Error(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if len(msgs) == 0 {
		return nil
	}
	if batch, err = cons.FetchNoWait(dueAtOnce - 1); err != nil {
		return err
	}
	msgs = collect(msgs, batch)
	s.allow()
	var wg sync.WaitGroup
	failed := make(chan error, len(msgs))
	for _, m := range msgs {
		wg.Go(func() { failed <- s.submitDue(ctx, m) }) // what fails comes again after its lease
	}
	wg.Wait()
	close(failed)
	for err := range failed {
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *Conn) submitDue(ctx context.Context, m jetstream.Msg) error {
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	var w event.Watch
	if err := json.Unmarshal(m.Data(), &w); err != nil {
		c.log.Error("message cannot be read, dropped", "subject", m.Subject(), "err", err)
		return m.TermWithReason("unreadable")
	}
	// The same occasion makes the same request, however often it is delivered.
	id := fmt.Sprintf("%s-%x-%d", w.Page, meta.Timestamp.Unix(), meta.Sequence.Stream)
	err = c.Submit(ctx, event.Request{ID: id, Page: w.Page, URL: w.URL, Site: w.Site, Client: w.Client, Asked: meta.Timestamp.UTC(), Watch: &w})
	switch {
	case errors.Is(err, libra.ErrOpen):
		c.log.Debug("page is due while its last request is open, left out", "page", w.Page)
	case err != nil:
		return err
	}
	try, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return m.DoubleAck(try)
}
