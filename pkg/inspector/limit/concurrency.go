// Package limit decides how many pages of one host are inspected at a time, and
// whether the host is asked at all. It knows no bus and no clock: times are passed
// in, and package inspector shares what it decides with the other inspectors.
//
// A [Concurrency] is the bound of one host in one inspector. It adds slowly and
// multiplies down (AIMD), by this table; the first line that fits holds:
//
//	verdict on a page        begun                            limit
//	Unknown                                                   as it was
//	Waited                                                    Start, if it was more
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
	"slices"
	"sort"
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
	// with the wait for one of the connections to the host: beyond it the host counts as
	// overloaded. Lighthouse calls 0.6 s slow; a server with five times that has a queue.
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
	Waited                    // likewise, but it had to wait for a connection to the host
	Overloaded                // no answer, a late one, or 429 or 503
)

// Timed is the verdict on an answer that took so long until it began, after waiting so
// long for one of the connections to the host. Where pages wait for those, more at a time
// only wait longer; and when the host slows down, it has to answer all that wait before
// fewer are sent. So they have waited who did so for half as long as the answer took.
func Timed(waited, took time.Duration) Verdict {
	switch {
	case waited+took > Target:
		return Overloaded
	case 2*waited > took:
		return Waited
	}
	return Well
}

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
	case v == Waited:
		c.limit = min(c.limit, Start)
	case v == Well && 2*u.used >= c.limit:
		c.limit = min(c.limit+1, c.most)
	}
}

// Use is a slot in use.
type Use struct {
	began time.Time
	used  int // slots in use when it was taken, with it
}

// ErrCrowded says that as many pages wait for their hosts as may, of which none is of a
// later round.
var ErrCrowded = errors.New("too many pages wait for their hosts")

// Hosts limits the pages of every host. Those that wait are served by their rounds, and
// those of one round in turn; where more wait than may, the last of the latest round goes.
// It is safe for concurrent use.
type Hosts struct {
	most int
	now  func() time.Time

	mu      sync.Mutex
	hosts   map[string]*queue // under mu
	waiting []*turn           // under mu; pages of all hosts, the first to be served first
}

type queue struct {
	Concurrency
	waiting int       // turns of this host
	at      time.Time // of the newest use
}

// turn is a page that waits.
type turn struct {
	*queue
	round int64
	got   chan result // holds one
}

// result is a slot, or ErrCrowded.
type result struct {
	use Use
	err error
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

// Acquire waits for a slot of host for a page of that round, until ctx ends. The error is
// why ctx has ended, or ErrCrowded.
func (h *Hosts) Acquire(ctx context.Context, host string, round int64) (*Slot, error) {
	h.mu.Lock()
	q := h.queue(host)
	if q.waiting == 0 {
		if use, ok := q.begin(h.now()); ok {
			h.mu.Unlock()
			return h.slot(q, use), nil
		}
	}
	t := h.wait(q, round)
	h.mu.Unlock()
	select {
	case r := <-t.got:
		if r.err != nil {
			return nil, r.err
		}
		return h.slot(q, r.use), nil
	case <-ctx.Done():
		h.leave(t)
		return nil, context.Cause(ctx)
	}
}

// wait puts a page where its round has it wait, and turns the last one away where that is
// one too many. h.mu is held.
func (h *Hosts) wait(q *queue, round int64) *turn {
	t := &turn{q, round, make(chan result, 1)}
	at := sort.Search(len(h.waiting), func(i int) bool { return h.waiting[i].round > round })
	h.waiting = slices.Insert(h.waiting, at, t)
	q.waiting++
	if len(h.waiting) > MostWaiting {
		h.take(MostWaiting).got <- result{err: ErrCrowded}
	}
	return t
}

// take takes the turn at an index out. h.mu is held.
func (h *Hosts) take(at int) *turn {
	t := h.waiting[at]
	h.waiting = slices.Delete(h.waiting, at, at+1)
	t.queue.waiting--
	return t
}

// leave takes a page out of those that wait, or gives back the slot that it was given
// meanwhile.
func (h *Hosts) leave(t *turn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at := slices.Index(h.waiting, t); at >= 0 {
		h.take(at)
		return
	}
	if r := <-t.got; r.err == nil {
		t.end(r.use, Unknown, h.now())
		h.grant(t.queue)
	}
}

func (h *Hosts) slot(q *queue, use Use) *Slot {
	return &Slot{end: func(v Verdict) {
		h.mu.Lock()
		defer h.mu.Unlock()
		q.end(use, v, h.now())
		h.grant(q)
	}}
}

// grant gives free slots to those that wait for a host. h.mu is held.
func (h *Hosts) grant(q *queue) {
	for q.waiting > 0 {
		use, ok := q.begin(h.now())
		if !ok {
			return
		}
		h.take(slices.IndexFunc(h.waiting, func(t *turn) bool { return t.queue == q })).got <- result{use: use}
	}
}

// Waiting counts the pages that wait for their hosts.
func (h *Hosts) Waiting() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.waiting)
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
		if q.used == 0 && q.waiting == 0 && (oldest == "" || q.at.Before(h.hosts[oldest].at)) {
			oldest = name
		}
	}
	delete(h.hosts, oldest)
}
