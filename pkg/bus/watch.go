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

// A watch is one message on its page's subject: the bus repeats it on the due
// subject at every interval (its own schedules), and forgets the schedule when
// the next word on the page carries none. Schedules cannot stand among the
// requests, where one too many is refused and not dropped, so that libra-bus
// carries what is due from the one stream to the other.

// SetWatch stores the newest state of a watch, which with EveryS 0 is its end:
// nil means that it is on disk and in force. Where there is no room left it returns ErrFull,
// but for one that takes no more than before.
func (c *Conn) SetWatch(ctx context.Context, w event.Watch) error {
	if w.EveryS > 0 {
		if err := c.checkWatchSpace(ctx, w); err != nil {
			return err
		}
	}
	return c.publishWatch(ctx, w)
}

// RestoreWatch stores a watch again that the bus has lost: nil also when it, or a
// newer state of it, is there already.
func (c *Conn) RestoreWatch(ctx context.Context, w event.Watch) error {
	return ignoreExisting(c.publishWatch(ctx, w, jetstream.WithExpectLastSequencePerSubject(0)))
}

func (c *Conn) publishWatch(ctx context.Context, w event.Watch, opts ...jetstream.PublishOpt) error {
	if w.EveryS > 0 {
		opts = append(opts, jetstream.WithScheduleEvery(time.Duration(w.EveryS)*time.Second), jetstream.WithScheduleTarget(event.DueSubject(w.Page)))
	}
	id := fmt.Sprintf("%s-%d-%d", w.Page, w.EveryS, w.At.UnixNano())
	return c.publish(ctx, event.WatchSubject(w.Page), id, w, opts...)
}

// checkWatchSpace refuses a watch before the stream is full: the stream itself
// would drop its oldest watch.
func (c *Conn) checkWatchSpace(ctx context.Context, w event.Watch) error {
	used, most, err := c.WatchSpace(ctx)
	if err != nil || used <= most {
		return err
	}
	switch was, err := c.WatchOf(ctx, w.Page); {
	case err == nil && was.EveryS > 0 && WatchBytes(w) <= WatchBytes(was):
		return nil
	case err != nil && !errors.Is(err, libra.ErrNotFound):
		return err
	}
	return fmt.Errorf("%w: %d bytes of watches", libra.ErrFull, used)
}

// WatchSpace is how many bytes the watches take, and how many they may: 80 % of their
// stream.
func (c *Conn) WatchSpace(ctx context.Context) (used, most int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	s, err := c.js.Stream(ctx, event.WatchStream)
	if err != nil {
		return 0, 0, unavailable(err)
	}
	info := s.CachedInfo()
	return int64(info.State.Bytes), info.Config.MaxBytes / 10 * 8, nil
}

// WatchBytes is about what the bus stores of a watch: the message, and the same again from
// when it was due first.
func WatchBytes(w event.Watch) int64 {
	const keys = 200 // of its JSON, and the numbers
	return 2 * int64(headerBytes+keys+2*len(w.Page)+len(w.URL)+len(w.Site)+len(w.Client)+len(w.Label)+len(w.Budget))
}

// InspectNow has a watched page inspected once, beside its schedule; occasion
// distinguishes one such request from the next.
func (c *Conn) InspectNow(ctx context.Context, w event.Watch, occasion string) error {
	return c.publish(ctx, event.DueSubject(w.Page), w.Page+"-now-"+occasion, w)
}

// WatchOf is the newest state of a page's watch, or libra.ErrNotFound.
func (c *Conn) WatchOf(ctx context.Context, page string) (event.Watch, error) {
	return lastOf[event.Watch](ctx, c, event.WatchStream, event.WatchSubject(page))
}

// ConsumeWatches calls fn with the newest state of every watch, those that have
// ended too, then with every change, as ConsumeReports does.
func (c *Conn) ConsumeWatches(ctx context.Context, caughtUp func(), fn func(event.Watch)) error {
	return consumeDecoded(ctx, c, event.WatchStream, jetstream.OrderedConsumerConfig{
		FilterSubjects: []string{event.AllWatches}, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy,
	}, caughtUp, fn)
}

// RecordWatches passes every change of a watch to r.Store as RecordReports does.
func (c *Conn) RecordWatches(ctx context.Context, r Recording[event.Watch]) error {
	return record(ctx, c, event.WatchStream, event.AllWatches, r)
}

// dueBatch is how many are relayed at a time: the bus syncs several to disk
// together.
const dueBatch = 32

// Due watches whose client has too many open requests are given back to the bus. What is
// known of the client is believed for fullFor: a thousand that wait are not each a list of
// its requests.
const fullFor = 100 * time.Millisecond

// RelayDue makes a request of every watch that is due, until ctx ends. Where the
// page's last request is still open, this occasion is skipped; where the watches of
// its client have too many open requests, it waits on the bus. loop supervises the
// goroutine that calls it; it may be nil.
func (c *Conn) RelayDue(ctx context.Context, loop Loop) error {
	s := supervised{c, loop}
	full := &Crowd{Every: 2 * time.Millisecond, Least: 200 * time.Millisecond, Most: time.Minute}
	c.rounds.follow(c)
	for ctx.Err() == nil {
		var cons jetstream.Consumer
		err := s.retry(ctx, "make consumer "+event.DueConsumer, func() (err error) {
			try, cancel := context.WithTimeout(ctx, callTime)
			defer cancel()
			cons, err = c.js.CreateOrUpdateConsumer(try, event.WatchStream, jetstream.ConsumerConfig{
				Durable: event.DueConsumer, FilterSubject: event.AllDue, AckPolicy: jetstream.AckExplicitPolicy, AckWait: lease, MaxDeliver: -1,
				MaxAckPending: -1, // those that wait for room of one client keep no other's waiting; one a page at most
			})
			return err
		})
		for err == nil && ctx.Err() == nil {
			s.allow()
			if _, refused := c.Backlog(); !refused.IsZero() { // what is due waits on the bus
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
				continue
			}
			err = s.relay(ctx, cons, full)
		}
		if ctx.Err() == nil && c.Connected() {
			c.logOutage("relay due watches", err) // else no watched page would be inspected, without a word
		}
	}
	return ctx.Err()
}

// relay waits up to a second for watches that are due. After an error the
// consumer is to be looked up again.
func (s supervised) relay(ctx context.Context, cons jetstream.Consumer, full *Crowd) error {
	try, cancel := context.WithTimeout(ctx, callTime)
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
	if batch, err = cons.FetchNoWait(dueBatch - 1); err != nil {
		return err
	}
	msgs = collect(msgs, batch)
	s.allow()
	var wg sync.WaitGroup
	failed := make(chan error, len(msgs))
	for _, m := range msgs {
		wg.Go(func() { failed <- s.submitDue(ctx, m, full) }) // what fails comes again after its lease
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

func (c *Conn) submitDue(ctx context.Context, m jetstream.Msg, full *Crowd) error {
	meta, err := m.Metadata()
	if err != nil {
		return err
	}
	w, err := decode[event.Watch](c, m.Subject(), m.Data())
	if err != nil {
		return m.TermWithReason(refusedReason)
	}
	// The same occasion makes the same request, however often it is delivered.
	id := fmt.Sprintf("%s-%x-%d", w.Page, meta.Timestamp.Unix(), meta.Sequence.Stream)
	r := event.Request{ID: id, Page: w.Page, URL: w.URL, Site: w.Site, Client: w.Client, Label: w.Label, Asked: meta.Timestamp.UTC(), SchemeGuessed: w.SchemeGuessed, Watch: &w}
	if c.rounds.full(r.Flow(), fullFor) {
		return c.giveBackDue(m, r, full)
	}
	var tooMany *TooManyError
	switch err = c.submit(ctx, r, event.PageRequests(w.Page)); {
	case errors.Is(err, libra.ErrOpen):
		c.log.Debug("page is due while its last request is open, skipped", "page", w.Page)
	case errors.As(err, &tooMany):
		return c.giveBackDue(m, r, full)
	case err != nil:
		return err
	}
	c.due.remove(r.Page)
	try, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return m.DoubleAck(try)
}

// giveBackDue has a due watch wait on the bus, whose client has too many open requests.
func (c *Conn) giveBackDue(m jetstream.Msg, r event.Request, full *Crowd) error {
	now := time.Now()
	c.due.add(r.Page, r.Asked, now)
	return m.NakWithDelay(full.Pause(now))
}
