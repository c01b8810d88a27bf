package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/event"
)

// What libra-bus does for the queue of requests: workers' keys permit no more than
// taking the next message of a lane, and acknowledging it.

// ensureLanes creates the consumers of the lanes that are missing. What they have delivered
// is in the memory of the bus: on disk it would cost a fifth of what the bus does with 300
// inspections a second. After a restart of the bus the requests in progress are claimed
// again; the second report of one is dropped as repeated.
func (c *Conn) ensureLanes(ctx context.Context) error {
	return c.retry(ctx, "make the lanes of requests", func() error {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		s, err := c.js.Stream(try, event.RequestStream)
		if err != nil {
			return err
		}
		there := map[string]bool{}
		lanes := s.ListConsumers(try)
		for info := range lanes.Info() {
			if there[info.Name] = info.Config.MemoryStorage; there[info.Name] {
				continue
			}
			if err := s.DeleteConsumer(try, info.Name); err != nil { // of an earlier version
				return err
			}
		}
		if err := lanes.Err(); err != nil {
			return err
		}
		for lane := range event.Lanes {
			if there[event.LaneConsumer(lane)] {
				continue
			}
			_, err := s.CreateConsumer(try, jetstream.ConsumerConfig{
				Durable: event.LaneConsumer(lane), FilterSubject: event.LaneRequests(lane), MemoryStorage: true,
				AckPolicy: jetstream.AckExplicitPolicy, AckWait: lease, MaxDeliver: -1, MaxAckPending: -1,
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// ServeQueue keeps the queue of requests going until ctx ends: every second it wakes
// the lanes that have requests, for workers who did not get the wake-up, or whose
// request has lost its worker; it creates lanes that are gone, and gives requests of
// earlier versions their place. loop supervises the goroutine that calls it; it may
// be nil.
func (c *Conn) ServeQueue(ctx context.Context, loop Loop) error {
	s := supervised{c, loop}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		s.allow()
		if err := s.serveOnce(ctx); err != nil && ctx.Err() == nil && c.Connected() {
			c.logOutage("serve the queue of requests", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

func (s supervised) serveOnce(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	stream, err := s.js.Stream(ctx, event.RequestStream)
	if err != nil {
		return err
	}
	if state := stream.CachedInfo().State; state.Consumers != event.Lanes {
		s.allow()
		if err := s.ensureLanes(ctx); err != nil {
			return err
		}
	} else if state.Msgs == 0 {
		return nil
	}
	if err := s.adopt(ctx, stream); err != nil {
		return err
	}
	wakes, err := s.waiting(ctx, stream)
	if err != nil {
		return err
	}
	for _, subject := range wakes { // together: a worker that knows some only would begin with those
		if err := s.nc.Publish(subject, nil); err != nil {
			return err
		}
	}
	return nil
}

// waiting lists the wake-ups of the lanes that have requests.
func (s supervised) waiting(ctx context.Context, stream jetstream.Stream) (wakes []string, err error) {
	lanes := stream.ListConsumers(ctx)
	for info := range lanes.Info() {
		if info.NumPending == 0 && info.NumAckPending == 0 {
			continue
		}
		s.allow()
		wake, err := s.wake(ctx, stream, info.Config.FilterSubject)
		if err != nil {
			return nil, err
		}
		wakes = append(wakes, wake...)
	}
	return wakes, lanes.Err()
}

// wake is the wake-up of a lane, with the round of its first request, which may be in
// progress: the lowest that a worker may find; of a lane without one there is no wake-up.
func (s supervised) wake(ctx context.Context, stream jetstream.Stream, lane string) ([]string, error) {
	first, err := stream.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(lane))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, nil // it has been answered meanwhile
	}
	if err != nil {
		return nil, err
	}
	at, ok := event.RequestOf(first.Subject)
	if !ok {
		return nil, nil // a worker drops it when it claims it
	}
	return []string{event.WakeSubject(at.Lane, at.Round)}, nil
}

// adopt gives requests that earlier versions stored a place in the rounds. One that is
// interrupted is done again: the new message has an id of its own, and the same request.
func (s supervised) adopt(ctx context.Context, stream jetstream.Stream) error {
	info, err := stream.Info(ctx, jetstream.WithSubjectFilter(event.FormerRequests))
	if err != nil || len(info.State.Subjects) == 0 {
		return err
	}
	for subject := range info.State.Subjects {
		s.allow()
		if err := s.adoptOne(ctx, stream, subject); err != nil {
			return fmt.Errorf("give the request on %s its place: %w", subject, err)
		}
	}
	return nil
}

func (s supervised) adoptOne(ctx context.Context, stream jetstream.Stream, subject string) error {
	msg, err := stream.GetLastMsgForSubject(ctx, subject)
	if err != nil {
		return err
	}
	var r event.Request
	err = json.Unmarshal(msg.Data, &r)
	s.rounds.follow(s.Conn)
	place := event.RequestSubject(s.rounds.next(r.Flow()), r)
	if err = errors.Join(err, event.Belongs(place, r)); err != nil {
		s.refuse(subject, err)
		return stream.DeleteMsg(ctx, msg.Sequence)
	}
	if err := s.publish(ctx, place, r.ID+"-placed", r); err != nil {
		return err
	}
	return stream.DeleteMsg(ctx, msg.Sequence)
}
