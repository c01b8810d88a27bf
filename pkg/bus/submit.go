package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/event"
	"libra/pkg/libra"
)

const (
	// MostOpen is how many requests of a flow may be open: every lane full.
	MostOpen = perRound * event.Lanes
	// reserveFrom is how full the stream of requests may be before the rest of it is
	// reserved for flows with less than reserved open requests.
	reserveFrom = 0.75
	reserved    = 8
	// answeredAgain is after what time an answered request is looked for again.
	answeredAgain = 5 * time.Millisecond
	// headerBytes is about what the stream stores of a request beside its text.
	headerBytes = 300
)

// TooManyError says that a flow has as many open requests as it may have.
type TooManyError struct {
	Open int // requests of the flow
	Most int // allowed now
}

func (e *TooManyError) Error() string {
	return fmt.Sprintf("%s of at most %d open", libra.Several(e.Open, "request"), e.Most)
}

// Submit stores a request: nil means that it is on disk. It returns
// libra.ErrOpen when the flow's earlier request for the page is still open, a
// *TooManyError when the flow has too many open requests, ErrFull and ErrUnavailable
// when the request is not stored.
func (c *Conn) Submit(ctx context.Context, r event.Request) error {
	return c.submit(ctx, r, event.SameRequest(r))
}

// submit stores a request unless one that matches same is open.
func (c *Conn) submit(ctx context.Context, r event.Request, same string) error {
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode request %s: %w", r.ID, err)
	}
	c.rounds.follow(c)
	flow, size := r.Flow(), 0
	beside := c.rounds.begin(flow)
	defer func() { c.rounds.end(flow, size) }()
	if !c.rounds.room(flow, beside) {
		if err := c.list(ctx, r, beside); err != nil {
			return err
		}
	}
	round := c.rounds.next(flow)
	if err = c.storeRequest(ctx, r, event.RequestSubject(round, r), data, same); err == nil || isUnavailable(err) { // then it may be stored
		size = len(data) + headerBytes
	}
	if err != nil {
		return err
	}
	_ = c.nc.Publish(event.WakeSubject(event.LaneOf(round), round), nil) // libra-bus repeats a wake-up that is lost
	return nil
}

// storeRequest stores a request unless one that matches same is open. One that is answered
// and not removed yet, as its worker is about to, is waited for: its report is of before.
func (c *Conn) storeRequest(ctx context.Context, r event.Request, subject string, data []byte, same string) error {
	for until := time.Now().Add(callTime); ; {
		err := c.store(ctx, subject, r.ID, data, traceparent(r), jetstream.WithExpectLastSequenceForSubject(0, same))
		if !errors.Is(err, errExists) {
			return err
		}
		other, err := lastOf[event.Request](ctx, c, event.RequestStream, same)
		switch {
		case errors.Is(err, libra.ErrNotFound): // removed meanwhile
		case err != nil:
			return err
		case other.ID == r.ID:
			return nil // by an attempt whose answer was lost
		case !c.answered(ctx, other):
			return libra.ErrOpen
		}
		if time.Now().After(until) {
			return fmt.Errorf("%w: the request before is answered, and not removed", libra.ErrUnavailable)
		}
		select {
		case <-ctx.Done():
			return unavailable(ctx.Err())
		case <-time.After(answeredAgain):
		}
	}
}

// answered reports whether the report of a request is its page's newest, by the id of its
// message: it is not decoded, because it may be long.
func (c *Conn) answered(ctx context.Context, r event.Request) bool {
	for _, subject := range []string{event.ReportSubject(r.Page), event.FailureSubject(r.Page)} {
		if last, err := c.lastMessage(ctx, event.ReportStream, subject); err == nil && last.Header.Get(jetstream.MsgIDHeader) == r.ID {
			return true
		}
	}
	return false
}

// list has the bus list the open requests of the flow of r, and returns a *TooManyError
// where they are too many for another one.
func (c *Conn) list(ctx context.Context, r event.Request, beside int) error {
	before := c.rounds.soFar(r.Flow())
	info, err := c.requestInfo(ctx, event.FlowRequests(r))
	if err != nil {
		return err
	}
	l := listing{before: before, free: int64(reserveFrom*float64(info.Config.MaxBytes)) - int64(info.State.Bytes)}
	again := false
	for subject := range info.State.Subjects {
		if at, ok := event.RequestOf(subject); ok {
			l.open, again = append(l.open, at), again || at.Page == r.Page
		}
	}
	most := c.rounds.list(r.Flow(), l)
	if n := len(l.open) + beside; n >= most && !again { // the bus itself refuses one that is open already
		return &TooManyError{n, most}
	}
	return nil
}
