package inspector

import "sync/atomic"

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
