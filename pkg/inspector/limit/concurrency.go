// Package limit decides how many pages of one host are inspected at a time, and
// whether the host is asked at all. It knows no bus and no clock: times are passed
// in, and package inspector shares what it decides with the other inspectors.
//
// A [Concurrency] is the bound of one host in one inspector. It adds slowly and
// multiplies down (AIMD), by this table; the first line that fits holds:
//
//	verdict on a page        begun                            limit
//	Unknown                                                   as it was
//	Overloaded               before the last decrease         as it was: of the same round
//	Overloaded               after it                         half of it, at least Least
//	Well                     while less than half was in use  as it was
//	Well                     while half or more was in use    one more, at most Most
//
// A [Breaker] is the circuit breaker of one host, see there.
package limit

import (
	"context"
	"errors"
	"sync"
	"time"
)

// The bounds of a host's concurrency. It starts at Start, so that a host which was
// never seen is not asked for 32 pages at once: with as many pages as the engine has
// connections to a host over HTTP/1.
const (
	Start = 6
	Least = 1
	// Target is how long it may take until the response to the page itself begins,
	// with the wait for one of the connections to the host: beyond it the host counts as overloaded. Lighthouse calls 0.6 s slow; a
	// server with five times that has a queue.
	Target = 3 * time.Second
	// MostWaiting bounds the pages that wait for their host, of all hosts.
	MostWaiting = 256
	// mostHosts bounds the hosts that are remembered; about 200 bytes each.
	mostHosts = 1024
)

// Verdict is what a page shows of its host.
type Verdict int

// The verdicts.
const (
	Unknown    Verdict = iota // stopped, or the fault of this machine
	Well                      // an answer within Target
	Overloaded                // no answer, a late one, or 429 or 503
)

// Concurrency is the limit of one host. The zero value is not usable.
type Concurrency struct {
	limit, most int
	used        int
	decreased   time.Time // the last time; pages that began before are of an earlier round
}

// NewConcurrency returns a limit that never exceeds most.
func NewConcurrency(most int) Concurrency {
	return Concurrency{limit: max(min(Start, most), Least), most: max(most, Least)}
}

// Limit is how many pages may be inspected at a time now.
func (c *Concurrency) Limit() int { return c.limit }

// Used is how many are.
func (c *Concurrency) Used() int { return c.used }

// begin takes a slot if there is one.
func (c *Concurrency) begin(now time.Time) (Use, bool) {
	if c.used >= c.limit {
		return Use{}, false
	}
	c.used++
	return Use{began: now, used: c.used}, true
}

// end gives a slot back.
func (c *Concurrency) end(u Use, v Verdict, now time.Time) {
	c.used--
	switch {
	case v == Overloaded && !u.began.Before(c.decreased):
		c.limit, c.decreased = max(c.limit/2, Least), now
	case v == Well && 2*u.used >= c.limit:
		c.limit = min(c.limit+1, c.most)
	}
}

// Use is a slot in use.
type Use struct {
	began time.Time
	used  int // slots in use when it was taken, with it
}

// ErrCrowded says that as many pages wait for their hosts as may.
var ErrCrowded = errors.New("too many pages wait for their hosts")

// Hosts limits the pages of every host. It is safe for concurrent use.
type Hosts struct {
	most int
	now  func() time.Time

	mu      sync.Mutex
	hosts   map[string]*queue // under mu
	waiting int               // under mu; pages of all hosts
}

type queue struct {
	Concurrency
	waiting []chan Use // the first is served first; each holds one
	at      time.Time  // of the newest use
}

// NewHosts returns limits of which none exceeds most.
func NewHosts(most int, now func() time.Time) *Hosts {
	return &Hosts{most: most, now: now, hosts: map[string]*queue{}}
}

// Slot is a page's place at its host.
type Slot struct {
	once sync.Once
	end  func(Verdict)
}

// End gives the slot back; only the first call counts, so that a deferred one holds
// where a page panics.
func (s *Slot) End(v Verdict) { s.once.Do(func() { s.end(v) }) }

// Acquire waits for a slot of host, until ctx ends. ErrCrowded says that too many
// pages wait already.
func (h *Hosts) Acquire(ctx context.Context, host string) (*Slot, error) {
	h.mu.Lock()
	q := h.queue(host)
	if len(q.waiting) == 0 {
		if use, ok := q.begin(h.now()); ok {
			h.mu.Unlock()
			return h.slot(q, use), nil
		}
	}
	if h.waiting >= MostWaiting {
		h.mu.Unlock()
		return nil, ErrCrowded
	}
	turn := make(chan Use, 1)
	q.waiting = append(q.waiting, turn)
	h.waiting++
	h.mu.Unlock()
	select {
	case use := <-turn:
		return h.slot(q, use), nil
	case <-ctx.Done():
		h.leave(q, turn)
		return nil, context.Cause(ctx)
	}
}

// leave takes a page out of its queue, or gives back the slot that it was given
// meanwhile.
func (h *Hosts) leave(q *queue, turn chan Use) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, w := range q.waiting {
		if w == turn {
			q.waiting = append(q.waiting[:i], q.waiting[i+1:]...)
			h.waiting--
			return
		}
	}
	q.end(<-turn, Unknown, h.now())
	h.grant(q)
}

func (h *Hosts) slot(q *queue, use Use) *Slot {
	return &Slot{end: func(v Verdict) {
		h.mu.Lock()
		defer h.mu.Unlock()
		q.end(use, v, h.now())
		h.grant(q)
	}}
}

// grant gives free slots to those that wait. h.mu is held.
func (h *Hosts) grant(q *queue) {
	for len(q.waiting) > 0 {
		use, ok := q.begin(h.now())
		if !ok {
			return
		}
		q.waiting[0] <- use
		q.waiting = q.waiting[1:]
		h.waiting--
	}
}

// Waiting counts the pages that wait for their hosts.
func (h *Hosts) Waiting() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.waiting
}

// Limit is the limit of host now.
func (h *Hosts) Limit(host string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.queue(host).limit
}

// queue finds or makes that of host. h.mu is held.
func (h *Hosts) queue(host string) *queue {
	q := h.hosts[host]
	if q == nil {
		h.evict()
		q = &queue{Concurrency: NewConcurrency(h.most)}
		h.hosts[host] = q
	}
	q.at = h.now()
	return q
}

// evict forgets the host that was asked longest ago, of those that are not asked now.
// Its limit starts at Start again. h.mu is held.
func (h *Hosts) evict() {
	if len(h.hosts) < mostHosts {
		return
	}
	oldest := ""
	for name, q := range h.hosts {
		if q.used == 0 && len(q.waiting) == 0 && (oldest == "" || q.at.Before(h.hosts[oldest].at)) {
			oldest = name
		}
	}
	delete(h.hosts, oldest)
}
