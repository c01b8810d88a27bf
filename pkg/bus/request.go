package bus

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// lease is how long a worker may claim a request without a sign of progress
// before another worker gets it.
const lease = 5 * time.Second

func isUnavailable(err error) bool { return errors.Is(err, libra.ErrUnavailable) }

// Submit stores a request: nil means that it is on disk. It returns
// libra.ErrOpen when this client's earlier request for the page is still open,
// ErrFull and ErrUnavailable when the request is not stored.
func (c *Conn) Submit(ctx context.Context, r event.Request) error {
	if err := c.publish(ctx, event.RequestSubject(r.Site, r.Client, r.Page), r.ID, r); err != nil {
		return err
	}
	_ = c.nc.Publish(event.WakeSubject(r.Site, r.Client), nil) // the poll finds a request whose wake-up is lost
	return nil
}

// OpenPages lists the pages with an open request, by page id.
func (c *Conn) OpenPages(ctx context.Context) ([]string, error) {
	subjects, err := c.requestSubjects(ctx)
	if err != nil {
		return nil, err
	}
	var pages []string
	for subject := range subjects {
		if _, _, page, ok := event.RequestOf(subject); ok {
			pages = append(pages, page)
		}
	}
	return pages, nil
}

// OpenRequest is the newest open request for a page, or libra.ErrNotFound.
func (c *Conn) OpenRequest(ctx context.Context, page string) (event.Request, error) {
	return lastOf[event.Request](ctx, c, event.RequestStream, event.PageRequests(page))
}

// SubscribeRequests calls fn for every request as it is accepted. It is lossy
// while the bus is away: see OpenPages.
func (c *Conn) SubscribeRequests(fn func(event.Request)) (stop func(), err error) {
	return subscribe(c, event.AllRequests, fn)
}

func (c *Conn) requestSubjects(ctx context.Context) (map[string]uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	s, err := c.stream(ctx, event.RequestStream)
	if err != nil {
		return nil, unavailable(err)
	}
	info, err := s.Info(ctx, jetstream.WithSubjectFilter(event.AllRequests))
	if err != nil {
		return nil, unavailable(err)
	}
	return info.State.Subjects, nil
}

// stream is a handle that outlives outages; calls on it may fail.
func (c *Conn) stream(ctx context.Context, name string) (jetstream.Stream, error) {
	if s, ok := c.streams.Load(name); ok {
		return s.(jetstream.Stream), nil
	}
	s, err := c.js.Stream(ctx, name)
	if err == nil {
		c.streams.Store(name, s)
	}
	return s, err
}

// lastOf reads the last message that matches subject.
func lastOf[T any](ctx context.Context, c *Conn, stream, subject string) (v T, err error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	s, err := c.stream(ctx, stream)
	if err != nil {
		return v, unavailable(err)
	}
	msg, err := s.GetLastMsgForSubject(ctx, subject)
	if err != nil {
		return v, unavailable(err)
	}
	if v, err = decode[T](c, msg.Subject, msg.Data); err != nil {
		return v, libra.ErrNotFound // what it has taken the place of may be in the history
	}
	return v, nil
}

// Job is a request that a worker has claimed. Exactly one of Done, Retry and Drop
// ends it; a job that is not ended is redelivered after its lease.
type Job struct {
	Request event.Request
	Attempt int // delivery number, from 1
	msg     jetstream.Msg
}

// Done ends the job: its report is stored.
func (j Job) Done(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	return unavailable(j.msg.DoubleAck(ctx))
}

// Retry gives the job back, to be delivered again after a pause.
func (j Job) Retry(pause time.Duration) error { return unavailable(j.msg.NakWithDelay(pause)) }

// Drop removes the job from the bus without a report.
func (j Job) Drop(reason string) error { return unavailable(j.msg.TermWithReason(reason)) }

// Work claims requests, at any time as many as slots returns, and calls do for
// each in a goroutine of its own. Clients take turns, so that one with ten
// thousand requests does not keep another waiting. A job's lease is extended
// until do returns or longest has passed. Work returns when ctx has ended and
// every do has returned. loop supervises the goroutine that dispatches; it may
// be nil.
func (c *Conn) Work(ctx context.Context, slots func() int, longest time.Duration, loop Loop, do func(context.Context, Job)) error {
	d := &dispatcher{conn: supervised{c, loop}, woken: make(chan string, 1024), consumers: map[string]jetstream.Consumer{}}
	sub, err := c.nc.Subscribe(event.AllWakes, func(m *nats.Msg) {
		select {
		case d.woken <- m.Subject:
		default: // the poll finds it
		}
	})
	if err != nil {
		return unavailable(err)
	}
	defer sub.Unsubscribe()

	var wg sync.WaitGroup
	defer wg.Wait()
	var running atomic.Int64
	ended := make(chan struct{}, 1) // a job ended since the last receive
	poll := time.NewTicker(time.Second)
	defer poll.Stop()
	d.poll(ctx) // requests stored before
	for {
		d.conn.allow()
		if running.Load() >= int64(slots()) {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-poll.C: // go round, for the loop's supervision
				d.poll(ctx)
			case <-ended:
			}
			continue
		}
		job, ok := d.next(ctx, poll.C)
		if !ok {
			return ctx.Err()
		}
		running.Add(1)
		wg.Go(func() {
			stop := job.extendLease(longest)
			do(ctx, job)
			stop()
			running.Add(-1)
			select {
			case ended <- struct{}{}:
			default:
			}
		})
	}
}

// extendLease extends the lease for at most longest.
func (j Job) extendLease(longest time.Duration) (stop func()) {
	ctx, cancel := context.WithTimeout(context.Background(), longest)
	go func() {
		tick := time.NewTicker(lease / 4)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_ = j.msg.InProgress() // lost with the connection: then it is redelivered
			}
		}
	}()
	return cancel
}

// dispatcher goes round the clients that have requests waiting. It belongs to
// Work's goroutine.
type dispatcher struct {
	conn      supervised
	woken     chan string // subjects of wake-ups
	ring      []string    // clients ("site.client") to ask next, in turn
	consumers map[string]jetstream.Consumer
}

// next returns the next job, waiting for one if need be.
func (d *dispatcher) next(ctx context.Context, poll <-chan time.Time) (Job, bool) {
	for {
		d.conn.allow()
		d.gather()
		if len(d.ring) > 0 {
			client := d.ring[0]
			d.ring = d.ring[1:]
			job, ok, err := d.fetch(ctx, client)
			if ok {
				d.ring = append(d.ring, client)
				return job, true
			}
			if err == nil || ctx.Err() == nil {
				if err != nil {
					d.conn.log.Debug("fetch request", "client", client, "err", err)
				}
				continue // the client has no request waiting; a wake-up or the poll adds it again
			}
		}
		select {
		case <-ctx.Done():
			return Job{}, false
		case subject := <-d.woken:
			d.add(subject)
		case <-poll:
			d.poll(ctx)
		}
	}
}

// gather adds the clients of the wake-ups received so far.
func (d *dispatcher) gather() {
	for {
		select {
		case subject := <-d.woken:
			d.add(subject)
		default:
			return
		}
	}
}

// add adds the client of a wake-up.
func (d *dispatcher) add(subject string) {
	if site, client, ok := event.WakeOf(subject); ok {
		d.join(site + "." + client)
	}
}

// join adds a client to the ring, once.
func (d *dispatcher) join(client string) {
	if !slices.Contains(d.ring, client) {
		d.ring = append(d.ring, client)
	}
}

// poll finds requests whose wake-up was lost, or whose lease has run out.
func (d *dispatcher) poll(ctx context.Context) {
	if len(d.ring) > 0 {
		return // there is enough work
	}
	subjects, err := d.conn.requestSubjects(ctx)
	if err != nil {
		d.conn.log.Debug("poll for requests", "err", err)
		return
	}
	for subject := range subjects {
		if site, client, _, ok := event.RequestOf(subject); ok {
			d.join(site + "." + client)
		}
	}
}

func (d *dispatcher) fetch(ctx context.Context, client string) (Job, bool, error) {
	cons, err := d.consumer(ctx, client)
	if err != nil {
		return Job{}, false, err
	}
	batch, err := cons.FetchNoWait(1)
	if err != nil {
		delete(d.consumers, client)
		return Job{}, false, err
	}
	if msg, ok := <-batch.Messages(); ok {
		return d.job(msg)
	}
	if err := batch.Error(); err != nil {
		delete(d.consumers, client) // it may be lost with the bus's store
		return Job{}, false, err
	}
	return Job{}, false, nil
}

func (d *dispatcher) job(msg jetstream.Msg) (Job, bool, error) {
	meta, err := msg.Metadata()
	if err != nil {
		return Job{}, false, err
	}
	job := Job{Attempt: int(meta.NumDelivered), msg: msg}
	if job.Request, err = decode[event.Request](d.conn.Conn, msg.Subject(), msg.Data()); err != nil {
		return Job{}, false, job.Drop(refusedReason)
	}
	return job, true, nil
}

// consumer is the client's own queue; the bus deletes it ten minutes after the
// client's last request.
func (d *dispatcher) consumer(ctx context.Context, client string) (jetstream.Consumer, error) {
	if cons := d.consumers[client]; cons != nil {
		return cons, nil
	}
	site, name, _ := strings.Cut(client, ".")
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	cons, err := d.conn.js.CreateOrUpdateConsumer(ctx, event.RequestStream, jetstream.ConsumerConfig{
		Durable: site + "_" + name, FilterSubject: event.ClientRequests(site, name),
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: lease, MaxDeliver: -1, MaxAckPending: -1,
		InactiveThreshold: 10 * time.Minute,
	})
	if err != nil {
		return nil, err
	}
	if len(d.consumers) > 1000 {
		clear(d.consumers) // handles only; they are cheap to find again
	}
	d.consumers[client] = cons
	return cons, nil
}
