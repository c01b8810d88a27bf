package bus

import (
	"sync"
	"time"

	"libra/pkg/event"
)

const (
	// perRound is how many requests a flow has in a round: one that has none yet waits
	// for that many of each other flow, at most.
	perRound = 4
	// listedFor is for how long a listing of a flow's open requests is good: what was
	// stored since is added to it, what was answered is not taken off, so that it says too
	// many before it says too few. What another process has stored since is missing.
	listedFor = 250 * time.Millisecond
	// mostFlows bounds what is remembered of flows; about 150 bytes each.
	mostFlows = 10_000
	// mostAhead is by how much a worker may serve a later round than this process has
	// given or seen, so that a forged step does not take all rounds that there are. So
	// many take more than a year. A process that has just started catches up by one
	// request for each.
	mostAhead = 1 << 32
)

// rounds chooses the rounds of requests, see package event, and counts the open ones of
// each flow. What it knows is in the process alone: one that has just started, or receives
// no step of a worker, gives a flow a round that is too low, and a few of its requests are
// served too early.
type rounds struct {
	once sync.Once

	mu      sync.Mutex
	now     int64            // under mu; the highest round that a worker has begun
	given   int64            // under mu; the highest that was given to a flow, or listed
	sent    int64            // under mu; bytes of the requests that were stored so far
	reserve int64            // under mu; sent from which on the rest of the stream is reserved, by the newest listing
	flows   map[string]place // under mu; those that have had a place since
	storing map[string]int   // under mu; requests that are being stored, by flow
}

// place is what is known of a flow.
type place struct {
	round  int64     // the last that it was given
	used   int       // how many requests it has in that round
	stored int       // how many were stored so far
	open   int       // with stored, how many are open at most: those of the newest listing, less what had been stored
	listed time.Time // the newest listing
}

// listing is what the bus says of a flow.
type listing struct {
	before soFar // when it was asked
	open   []event.RequestPlace
	free   int64 // bytes of the stream before the rest is reserved; negative in the reserve
}

// soFar is what has been stored.
type soFar struct {
	requests int   // of a flow
	bytes    int64 // of all flows
}

// follow follows the workers, who say which round they serve.
func (r *rounds) follow(c *Conn) {
	r.once.Do(func() {
		r.flows, r.storing = map[string]place{}, map[string]int{}
		// A subscription fails on a closed connection only.
		_, _ = c.SubscribeSteps(func(s event.Step) { r.begun(s.Round) })
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

// end takes one off, of which bytes were stored; 0 where it was not.
func (r *rounds) end(flow string, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if p, known := r.flows[flow]; known && bytes > 0 {
		p.stored++
		r.flows[flow] = p
	}
	r.sent += int64(bytes)
	if r.storing[flow]--; r.storing[flow] == 0 {
		delete(r.storing, flow)
	}
}

// begun notes that a worker serves a round.
func (r *rounds) begun(round int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = max(r.now, min(round, r.given+mostAhead))
}

// room reports whether a flow is known to have room for another request, beside those
// that are being stored.
func (r *rounds) room(flow string, beside int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.flows[flow]
	return time.Since(p.listed) < listedFor && p.open+p.stored+beside < r.most()
}

// full reports whether a flow may have no room, by a listing that is at most age old.
func (r *rounds) full(flow string, age time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.flows[flow]
	return time.Since(p.listed) < age && p.open+p.stored >= r.most()
}

// most is how many requests of a flow may be open. r.mu is held.
func (r *rounds) most() int {
	if r.sent >= r.reserve {
		return reserved
	}
	return MostOpen
}

// soFar is what has been stored, of a flow and of all.
func (r *rounds) soFar(flow string) soFar {
	r.mu.Lock()
	defer r.mu.Unlock()
	return soFar{r.flows[flow].stored, r.sent}
}

// list notes a listing of a flow, and returns how many requests of it may be open.
func (r *rounds) list(flow string, l listing) (most int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reserve = l.before.bytes + l.free
	most = r.most()
	last := r.flows[flow]
	var stored place
	for _, o := range l.open {
		switch {
		case o.Round > stored.round:
			stored.round, stored.used = o.Round, 1
		case o.Round == stored.round:
			stored.used++
		}
	}
	if stored.round > last.round || stored.round == last.round && stored.used > last.used {
		last.round, last.used = stored.round, stored.used
	}
	r.given = max(r.given, last.round)
	last.listed, last.open = time.Now(), len(l.open)-l.before.requests
	r.remember(flow, last)
	return most
}

// next is the round of a flow's next request: the one that is served now, or the one
// after its last, where that has no room.
func (r *rounds) next(flow string) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.now = max(r.now, 1)
	last := r.flows[flow]
	switch {
	case last.round < r.now:
		last.round, last.used = r.now, 0
	case last.used >= perRound:
		last.round, last.used = last.round+1, 0
	}
	last.used++
	r.given = max(r.given, last.round)
	r.remember(flow, last)
	return last.round
}

// remember keeps what is known of a flow. One in an earlier round than now means
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
