package inspector

import (
	"context"
	"sync"
	"sync/atomic"
)

// assuredSlots is how many pages are inspected at a time however much memory is in
// use: beyond what the process may use, the guard ends it.
const assuredSlots = 8

// slotLimit limits how many pages are inspected at a time. A small page mostly waits
// for its site, so that many at a time cost little; a big one is held in memory.
// Which it is shows during the inspection: with every page that ends, the limit
// grows by one while less than half of the memory is in use, and falls to
// assuredSlots otherwise.
type slotLimit struct {
	max       int64
	threshold int64        // half of what the process may use, in bytes; 0: no limit
	memory    func() int64 // in use, in bytes
	now       atomic.Int64
}

func newSlotLimit(cfg Config) *slotLimit {
	l := &slotLimit{max: int64(cfg.Workers), threshold: cfg.Memory / 2, memory: memory}
	l.now.Store(min(assuredSlots, l.max))
	return l
}

func (l *slotLimit) slots() int { return int(l.now.Load()) }

// ended is called for every page whose inspection ends.
func (l *slotLimit) ended() {
	if l.threshold > 0 && l.memory() > l.threshold {
		l.now.Store(min(assuredSlots, l.max))
		return
	}
	if now := l.now.Load(); now < l.max {
		l.now.CompareAndSwap(now, now+1) // of several that end at once, one is enough
	}
}

// rooms holds the pages that have waited for their hosts until there is a slot for
// them: others were claimed meanwhile.
type rooms struct {
	mu      sync.Mutex
	used    int             // under mu
	waiting []chan struct{} // under mu; closed when there is room
}

func newRooms() *rooms { return &rooms{} }

// enter waits for room, of slots, until ctx ends. leave gives it back.
func (r *rooms) enter(ctx context.Context, slots func() int) (leave func(), err error) {
	turn := make(chan struct{})
	r.mu.Lock()
	r.waiting = append(r.waiting, turn)
	r.grant(slots())
	r.mu.Unlock()
	leave = func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.used--
		r.grant(slots())
	}
	select {
	case <-turn:
		return leave, nil
	case <-ctx.Done():
	}
	r.mu.Lock()
	for i, w := range r.waiting {
		if w == turn {
			r.waiting = append(r.waiting[:i], r.waiting[i+1:]...)
			r.mu.Unlock()
			return nil, ctx.Err()
		}
	}
	r.mu.Unlock()
	leave() // it was given room meanwhile
	return nil, ctx.Err()
}

// grant lets those in that there is room for. r.mu is held.
func (r *rooms) grant(slots int) {
	for len(r.waiting) > 0 && r.used < max(slots, 1) {
		r.used++
		close(r.waiting[0])
		r.waiting = r.waiting[1:]
	}
}
