package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/event"
)

// What libra-bus does for the queue of requests: workers' keys permit no more than
// taking the next message of a lane, and acknowledging it.

// ensureLanes creates the consumers of the lanes that are missing.
func (c *Conn) ensureLanes(ctx context.Context) error {
	return c.retry(ctx, "make the lanes of requests", func() error {
		try, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		s, err := c.js.Stream(try, event.RequestStream)
		if err != nil {
			return err
		}
		there := map[string]bool{}
		names := s.ConsumerNames(try)
		for name := range names.Name() {
			there[name] = true
		}
		if err := names.Err(); err != nil {
			return err
		}
		var wg sync.WaitGroup
		failed := make(chan error, event.Lanes)
		for lane := range event.Lanes {
			if there[event.LaneConsumer(lane)] {
				continue
			}
			wg.Go(func() { // together: each is synced to disk
				_, err := s.CreateOrUpdateConsumer(try, jetstream.ConsumerConfig{
					Durable: event.LaneConsumer(lane), FilterSubject: event.LaneRequests(lane),
					AckPolicy: jetstream.AckExplicitPolicy, AckWait: lease, MaxDeliver: -1, MaxAckPending: -1,
				})
				failed <- err
			})
		}
		wg.Wait()
		close(failed)
		for err := range failed {
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
	if state := stream.CachedInfo().State; state.Consumers < event.Lanes {
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
	first := int(time.Now().Unix()) // another one each time, should a busy bus leave no time for all
	for i := range event.Lanes {
		lane := (first + i) % event.Lanes
		cons, err := stream.Consumer(ctx, event.LaneConsumer(lane))
		if err != nil {
			return err
		}
		if info := cons.CachedInfo(); info.NumPending == 0 && info.NumAckPending == 0 {
			continue
		}
		s.allow()
		if err := s.wake(ctx, stream, lane); err != nil {
			return err
		}
	}
	return nil
}

// wake wakes a lane with the round of its first request, which may be in progress: the
// lowest that a worker may find.
func (s supervised) wake(ctx context.Context, stream jetstream.Stream, lane int) error {
	first, err := stream.GetMsg(ctx, 1, jetstream.WithGetMsgSubject(event.LaneRequests(lane)))
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil // it has been answered meanwhile
	}
	if err != nil {
		return err
	}
	at, ok := event.RequestOf(first.Subject)
	if !ok {
		return nil // a worker drops it when it claims it
	}
	return s.nc.Publish(event.WakeSubject(lane, at.Round), nil)
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
	return s.dropFormerConsumers(ctx, stream)
}

func (s supervised) adoptOne(ctx context.Context, stream jetstream.Stream, subject string) error {
	msg, err := stream.GetLastMsgForSubject(ctx, subject)
	if err != nil {
		return err
	}
	var r event.Request
	err = json.Unmarshal(msg.Data, &r)
	s.rounds.follow(s.Conn)
	place := event.RequestSubject(s.rounds.next(r.Flow(), nil), r)
	if err = errors.Join(err, event.Belongs(place, r)); err != nil {
		s.refuse(subject, err)
		return stream.DeleteMsg(ctx, msg.Sequence)
	}
	if err := s.publish(ctx, place, r.ID+"-placed", r); err != nil {
		return err
	}
	return stream.DeleteMsg(ctx, msg.Sequence)
}

// dropFormerConsumers deletes the consumers of earlier versions, which had one for each
// client.
func (s supervised) dropFormerConsumers(ctx context.Context, stream jetstream.Stream) error {
	names := stream.ConsumerNames(ctx)
	for name := range names.Name() {
		if strings.HasPrefix(name, event.LanePrefix) {
			continue
		}
		if err := stream.DeleteConsumer(ctx, name); err != nil {
			return err
		}
	}
	return names.Err()
}
