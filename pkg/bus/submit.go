package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/event"
	"libra/pkg/libra"
)

const (
	// perRound is how many requests a flow has in a round: one that has none yet waits
	// for that many of each other flow, at most.
	perRound = 4
	// MostOpen is how many requests of a flow may be open: every lane full.
	MostOpen = perRound * event.Lanes
	// reserveFrom is how full the stream of requests may be before the rest of it is
	// reserved for flows with less than reserved open requests.
	reserveFrom = 0.75
	reserved    = 8
	// mostFlows bounds what is remembered of flows; about 100 bytes each.
	mostFlows = 10_000
	// maxRound is beyond what can be reached: a higher one is not believed.
	maxRound = 1 << 53
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
	c.rounds.follow(c)
	flow := r.Flow()
	beside := c.rounds.begin(flow)
	defer c.rounds.end(flow)
	subjects, full, err := c.requestSubjects(ctx, event.FlowRequests(r))
	if err != nil {
		return err
	}
	var open []event.RequestPlace
	again := false
	for subject := range subjects {
		if at, ok := event.RequestOf(subject); ok {
			open, again = append(open, at), again || at.Page == r.Page
		}
	}
	most := MostOpen
	if full >= reserveFrom {
		most = reserved
	}
	if n := len(open) + beside; n >= most && !again { // the bus itself refuses one that is open already
		return &TooManyError{n, most}
	}
	round := c.rounds.next(flow, open)
	err = c.publish(ctx, event.RequestSubject(round, r), r.ID, r, jetstream.WithExpectLastSequenceForSubject(0, same))
	if errors.Is(err, errExists) {
		if stored, err := lastOf[event.Request](ctx, c, event.RequestStream, same); err == nil && stored.ID == r.ID {
			return nil // by an attempt whose answer was lost
		}
		return libra.ErrOpen
	}
	if err != nil {
		return err
	}
	_ = c.nc.Publish(event.WakeSubject(event.LaneOf(round), round), nil) // libra-bus repeats a wake-up that is lost
	return nil
}

// rounds chooses the rounds of requests, see package event. What it knows is in the
// process alone: one that has just started, or receives no step of a worker, gives a flow
// a round that is too low, and a few of its requests are served too early.
type rounds struct {
	once sync.Once

	mu      sync.Mutex
	now     int64            // under mu; the highest round that a worker has begun
	flows   map[string]place // under mu; those that have had a place since
	storing map[string]int   // under mu; requests that are being stored, by flow
}

// place is the last one that a flow was given.
type place struct {
	round int64
	used  int // how many requests the flow has in the round
}

// follow follows the workers, who say which round they serve.
func (r *rounds) follow(c *Conn) {
	r.once.Do(func() {
		r.flows, r.storing = map[string]place{}, map[string]int{}
		// A subscription fails on a closed connection only.
		_, _ = c.nc.Subscribe(event.AllSteps, func(m *nats.Msg) {
			var s struct{ Round int64 }
			if json.Unmarshal(m.Data, &s) == nil {
				r.begun(s.Round)
			}
		})
	})
}

// begin counts a request of a flow that is being stored, and returns how many others are:
// the bus may not list them yet.
func (r *rounds) begin(flow string) (others int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.storing[flow]++
	return r.storing[flow] - 1
}

// end takes one off.
func (r *rounds) end(flow string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.storing[flow]--; r.storing[flow] == 0 {
		delete(r.storing, flow)
	}
}

// begun notes that a worker serves a round.
func (r *rounds) begun(round int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if round < maxRound {
		r.now = max(r.now, round)
	}
}

// next is the round of a flow's next request: the one that is served now, or the one
// after its last, where that has no room. open are its open requests on the bus.
func (r *rounds) next(flow string, open []event.RequestPlace) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = max(r.now, 1)
	last := r.flows[flow]
	var stored place
	for _, o := range open {
		switch {
		case o.Round > stored.round:
			stored = place{o.Round, 1}
		case o.Round == stored.round:
			stored.used++
		}
	}
	if stored.round > last.round || stored.round == last.round && stored.used > last.used {
		last = stored
	}
	switch {
	case last.round < r.now:
		last = place{r.now, 0}
	case last.used >= perRound:
		last = place{last.round + 1, 0}
	}
	last.used++
	r.remember(flow, last)
	return last.round
}

// remember keeps the last place of a flow. One in an earlier round than now means
// nothing any more. r.mu is held.
func (r *rounds) remember(flow string, last place) {
	if _, known := r.flows[flow]; !known && len(r.flows) >= mostFlows {
		for name, p := range r.flows {
			if p.round < r.now {
				delete(r.flows, name)
			}
		}
		if len(r.flows) >= mostFlows {
			clear(r.flows) // their open requests are on the bus
		}
	}
	r.flows[flow] = last
}
