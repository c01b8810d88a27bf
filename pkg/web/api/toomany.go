package api

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"libra/pkg/bus"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// openDoc says in a refusal what the client has already.
type openDoc struct {
	Open       int   `json:"open"`         // requests of the client that are open
	Most       int   `json:"most"`         // that may be
	OldestAgeS int64 `json:"oldest_age_s"` // how long the first of them has waited, in seconds
}

// tooMany is the refusal of a client with too many open requests.
func tooMany(url string, open openDoc) *Problem {
	p := NewProblem(ProblemURN+"too-many-requests", "Too many open requests", http.StatusTooManyRequests, libra.Reason{
		Code: libra.CodeTooManyOpen,
		Text: fmt.Sprintf("the page %q was not accepted, %s of this client are open, of at most %d, the first for %s", url, libra.Several(open.Open, "request"), open.Most,
			libra.FormatDuration(time.Duration(open.OldestAgeS)*time.Second)),
		Remedy: "try again when some are done",
	})
	p.Open, p.retryAfter = &open, 1+rand.N(5)
	return p
}

// fullClients remembers for a moment which clients have too many open requests, so that
// refusing the next one asks nobody.
type fullClients struct {
	mu    sync.Mutex
	flows map[string]fullClient // under mu
}

type fullClient struct {
	until time.Time
	open  openDoc
}

const (
	// fullFor is how long a refusal stands: in that time few requests end.
	fullFor = 250 * time.Millisecond
	// mostFull bounds what is remembered.
	mostFull = 1024
)

func (f *fullClients) of(flow string, now time.Time) (openDoc, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c, ok := f.flows[flow]
	return c.open, ok && now.Before(c.until)
}

func (f *fullClients) note(flow string, open openDoc, now time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.flows == nil || len(f.flows) >= mostFull {
		f.flows = map[string]fullClient{}
	}
	f.flows[flow] = fullClient{now.Add(fullFor), open}
}

// refuseTooMany is the refusal of a request that a client with too many open ones sent,
// nil where err is another error.
func (s *API) refuseTooMany(req event.Request, err error, now time.Time) *Problem {
	var full *bus.TooManyError
	if !errors.As(err, &full) {
		return nil
	}
	open := openDoc{Open: full.Open, Most: full.Most}
	if oldest := s.state.Memory.OldestOpen(req.Flow()); !oldest.IsZero() {
		open.OldestAgeS = int64(now.Sub(oldest).Seconds())
	}
	s.full.note(req.Flow(), open, now)
	return tooMany(req.URL, open)
}
