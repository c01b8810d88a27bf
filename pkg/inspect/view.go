package inspect

import (
	"slices"
	"sync"
	"time"
)

// View is what an inspection shows of itself while it runs, to those who look from
// outside. The zero value is ready for use. Its methods may be called concurrently.
type View struct {
	mu    sync.Mutex
	open  map[*request]time.Time // under mu; Config.Concurrency at most
	bytes int64                  // under mu
}

// OpenRequest is a request whose answer has not arrived whole.
type OpenRequest struct {
	URL   string
	Since time.Time
}

// Requests lists what the inspection waits for, the oldest first.
func (v *View) Requests() []OpenRequest {
	v.mu.Lock()
	defer v.mu.Unlock()
	list := make([]OpenRequest, 0, len(v.open))
	for r, since := range v.open {
		list = append(list, OpenRequest{r.url, since})
	}
	slices.SortFunc(list, func(a, b OpenRequest) int { return a.Since.Compare(b.Since) })
	return list
}

// Held is how many bytes of bodies and documents the inspection holds in memory, by what
// it counts of them.
func (v *View) Held() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.bytes
}

// begin notes that a request is sent. A nil view notes nothing.
func (v *View) begin(r *request) {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.open == nil {
		v.open = map[*request]time.Time{}
	}
	v.open[r] = time.Now()
}

// end notes that its answer is there, or will not be.
func (v *View) end(r *request) {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	delete(v.open, r)
}

func (v *View) setHeld(bytes int64) {
	if v == nil {
		return
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.bytes = bytes
}
