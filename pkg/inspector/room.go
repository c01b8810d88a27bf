package inspector

import "sync/atomic"

// assured is how many pages are in hand at a time however much memory is in
// use: beyond what the process may take, the guard ends it.
const assured = 8

// room says how many pages may be in hand. A small page mostly waits for its
// site, so that many at a time cost little; a big one is held in memory. Which
// it is shows while they are weighed: with every page that ends, one more is let
// in while less than half of the memory is in use, and only the assured ones
// otherwise.
type room struct {
	most   int64
	half   int64        // of what the process may take, in bytes; 0: no limit
	memory func() int64 // in use, in bytes
	now    atomic.Int64
}

func newRoom(cfg Config) *room {
	r := &room{most: int64(cfg.Workers), half: cfg.Memory / 2, memory: memory}
	r.now.Store(min(assured, r.most))
	return r
}

func (r *room) slots() int { return int(r.now.Load()) }

// ended is called with every page that leaves.
func (r *room) ended() {
	if r.half > 0 && r.memory() > r.half {
		r.now.Store(min(assured, r.most))
		return
	}
	if now := r.now.Load(); now < r.most {
		r.now.CompareAndSwap(now, now+1) // beside another that ends, one more is enough
	}
}
