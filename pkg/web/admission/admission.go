// Package admission bounds what libra-web works on at a time where that costs the bus or
// the history something, so that what is admitted is answered as fast as when there is
// little to do, and what is not is refused at once. It knows neither bus nor HTTP.
//
// A [Limiter] is for one kind of work. Its limit follows the latency of the calls that
// it bounds, see [Limit]. A request that finds no slot free waits for its turn as long
// as the limiter is calm. It is crowded for [Calm] after a refusal; then only clients
// that got nothing lately wait, so that a flood neither slows down what is admitted nor
// shuts the others out:
//
//	a request finds                                        and
//	a slot free, nobody waiting                            is admitted
//	no slot; calm; less than MostWaiting wait              waits, for MostWait at most
//	no slot; crowded; less than Reserved wait, and its
//	  client was not admitted within the last Calm         waits, for MostWait at most
//	anything else                                          is refused
//
// Libraries that do this (failsafe-go, Netflix's concurrency-limits) know no clients, and
// compare latencies with an average, which a long flood raises.
package admission

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	// MostWaiting is how many requests wait at a time, MostWait how long one does: two
	// or three times what a bus takes that was killed is for those that ask it.
	MostWaiting = 128
	MostWait    = time.Second
	// Reserved is how many wait while it is crowded: with few of them, who waits does
	// not wait long.
	Reserved = 4
	// Calm is how long nobody must have been refused until more wait again.
	Calm = time.Second
	// mostClients bounds the clients that are remembered, about 150 bytes each: 150 kB.
	mostClients = 1024
)

// ErrCrowded says that there is too much to do: the client may try again in some seconds.
var ErrCrowded = errors.New("too many requests at a time")

// Limiter admits requests. It is safe for concurrent use.
type Limiter struct {
	now func() time.Time

	mu       sync.Mutex
	limit    Limit                // under mu, as all below
	used     int                  // slots
	waiting  []chan struct{}      // the first is served first; each holds one
	admitted map[string]time.Time // by client, the last time
	began    time.Time            // when the first of the refusals came that are no Calm apart
	refused  time.Time            // when the last one came
	refusals int64
}

// New returns a limiter that reads the time from now.
func New(now func() time.Time) *Limiter {
	return &Limiter{now: now, limit: newLimit(now()), admitted: map[string]time.Time{}}
}

// Slot is a place among the requests that are worked on.
type Slot struct {
	once sync.Once
	l    *Limiter
}

// End gives the slot back. Only the first call counts, so that a deferred one holds where
// a handler panics.
func (s *Slot) End() {
	s.once.Do(func() {
		s.l.mu.Lock()
		defer s.l.mu.Unlock()
		s.l.used--
		s.l.grant()
	})
}

// Acquire returns a slot for a request of client, or ErrCrowded, or why ctx has ended
// while it waited.
func (l *Limiter) Acquire(ctx context.Context, client string) (*Slot, error) {
	l.mu.Lock()
	now := l.now()
	if l.used < l.limit.Now() && len(l.waiting) == 0 {
		l.admit(client, now)
		l.mu.Unlock()
		return &Slot{l: l}, nil
	}
	if len(l.waiting) >= l.room(client, now) {
		l.refuse(now)
		l.mu.Unlock()
		return nil, ErrCrowded
	}
	turn := make(chan struct{}, 1)
	l.waiting = append(l.waiting, turn)
	l.mu.Unlock()
	return l.wait(ctx, client, turn)
}

// wait waits for a turn.
func (l *Limiter) wait(ctx context.Context, client string, turn chan struct{}) (*Slot, error) {
	patience := time.NewTimer(MostWait)
	defer patience.Stop()
	var err error
	select {
	case <-turn:
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-patience.C:
		err = ErrCrowded
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if err != nil && l.leave(turn) {
		if errors.Is(err, ErrCrowded) {
			l.refuse(now)
		}
		return nil, err
	}
	l.remember(client, now) // also where the turn came in the same moment
	return &Slot{l: l}, nil
}

// Refuses reports whether a request of client would be refused now, which then counts as
// a refusal: before its body is read.
func (l *Limiter) Refuses(client string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if l.used < l.limit.Now() && len(l.waiting) == 0 || len(l.waiting) < l.room(client, now) {
		return false
	}
	l.refuse(now)
	return true
}

// Observe notes how long a call took that the limiter bounds.
func (l *Limiter) Observe(took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if l.limit.observe(took, l.used, now) {
		time.AfterFunc(ProbeFor, func() { l.endProbe(now) })
	}
	l.grant()
}

// endProbe ends the probe that began at a time, if it lasts still.
func (l *Limiter) endProbe(began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.limit.endProbe(began, l.used, l.now())
	l.grant()
}

// room is how many may wait before a request of client. l.mu is held.
func (l *Limiter) room(client string, now time.Time) int {
	if !l.crowded(now) {
		return MostWaiting
	}
	if last, known := l.admitted[client]; known && now.Sub(last) < Calm {
		return 0
	}
	return Reserved
}

// crowded reports whether somebody was refused lately. l.mu is held.
func (l *Limiter) crowded(now time.Time) bool {
	return !l.refused.IsZero() && now.Sub(l.refused) < Calm
}

// refuse counts a refusal. l.mu is held.
func (l *Limiter) refuse(now time.Time) {
	if !l.crowded(now) {
		l.began = now
	}
	l.refused = now
	l.refusals++
}

// admit takes a slot. l.mu is held.
func (l *Limiter) admit(client string, now time.Time) {
	l.used++
	l.limit.used(l.used)
	l.remember(client, now)
}

// remember notes that client was admitted. l.mu is held.
func (l *Limiter) remember(client string, now time.Time) {
	if _, known := l.admitted[client]; !known && len(l.admitted) >= mostClients {
		for c, at := range l.admitted {
			if now.Sub(at) >= Calm {
				delete(l.admitted, c)
			}
		}
		if len(l.admitted) >= mostClients {
			clear(l.admitted) // Reserved bounds what that lets wait
		}
	}
	l.admitted[client] = now
}

// grant gives free slots to those that wait. l.mu is held.
func (l *Limiter) grant() {
	for len(l.waiting) > 0 && l.used < l.limit.Now() {
		l.used++
		l.limit.used(l.used)
		l.waiting[0] <- struct{}{}
		l.waiting = l.waiting[1:]
	}
}

// leave takes a request out of the queue; false where it has its turn already. l.mu is
// held.
func (l *Limiter) leave(turn chan struct{}) bool {
	for i, w := range l.waiting {
		if w == turn {
			l.waiting = append(l.waiting[:i], l.waiting[i+1:]...)
			return true
		}
	}
	return false
}

// Figures is what a limiter does now.
type Figures struct {
	Limit, Used, Waiting int
	Refused              int64     // since the start
	CrowdedSince         time.Time // zero while it is calm
	// Unloaded is the latency of a call while few are in progress, Latency that of the
	// newest window; 0 before the first one.
	Unloaded, Latency time.Duration
}

// Figures returns what the limiter does now.
func (l *Limiter) Figures() Figures {
	l.mu.Lock()
	defer l.mu.Unlock()
	f := Figures{Limit: l.limit.Now(), Used: l.used, Waiting: len(l.waiting), Refused: l.refusals, Unloaded: l.limit.unloaded, Latency: l.limit.latency}
	if l.crowded(l.now()) {
		f.CrowdedSince = l.began
	}
	return f
}
