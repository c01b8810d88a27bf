package recorder

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"libra/pkg/libra"
)

// restorations are those in progress, for heartbeats; a few at most.
type restorations struct {
	mu   sync.Mutex
	list []*restoration // under mu; the oldest first
}

// restoration is what is published again after the bus has lost it.
type restoration struct {
	what  string // "watches"
	began time.Time
	total atomic.Int64 // 0 until it is known, and where nothing was lost
	done  atomic.Int64
}

func (r *restorations) begin(what string) *restoration {
	r.mu.Lock()
	defer r.mu.Unlock()
	run := &restoration{what: what, began: time.Now()}
	r.list = append(r.list, run)
	return run
}

func (r *restorations) end(run *restoration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.list = slices.DeleteFunc(r.list, func(o *restoration) bool { return o == run })
}

func (r *restoration) found(total int) { r.total.Store(int64(total)) }

// since is the unix time of the oldest; 0 for none.
func (r *restorations) since() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, run := range r.list {
		if run.total.Load() > 0 {
			return run.began.Unix()
		}
	}
	return 0
}

func (r *restorations) reasons() (list []libra.Reason) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, run := range r.list {
		if total := run.total.Load(); total > 0 {
			list = append(list, libra.Because(libra.CodeRestoring, fmt.Sprintf("the bus has lost its %s, %d of %d are published again", run.what, run.done.Load(), total)))
		}
	}
	return list
}
