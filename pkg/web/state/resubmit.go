package state

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// An accepted request is on disk in one stream only. When the bus has lost that, and
// made it again, memory is what is left of the requests: they are submitted again, as
// they were.

// resubmission is the progress of submitting the open requests again.
type resubmission struct {
	// made is of the stream that the requests in memory are on, and there is when it was
	// last seen. They belong to followRequests.
	made, there time.Time

	mu          sync.Mutex
	since       time.Time // under mu; zero while none is in progress
	done, total int       // under mu
}

// lookEvery is how often web looks whether the stream of requests is another one.
const lookEvery = time.Second

// atOnce is how many requests are submitted at a time: the bus syncs several to disk
// together.
const atOnce = 8

// correctRequests submits the open requests again if their stream is another one than
// before, and sets them right.
func (s *State) correctRequests(ctx context.Context, made time.Time) error {
	if was := s.resubmitted.made; !was.IsZero() && !was.Equal(made) {
		if err := s.resubmit(ctx); err != nil {
			return err
		}
	}
	s.resubmitted.made = made
	if err := s.resync(ctx, made); err != nil {
		return err
	}
	s.resubmitted.set(time.Time{}, 0)
	return nil
}

// resubmit submits every open request that memory has. One that the bus has is not
// stored twice. An error says that some could not be stored now.
func (s *State) resubmit(ctx context.Context) error {
	list, gone := s.Memory.openRequests(s.resubmitted.there)
	s.resubmitted.set(time.Now(), len(list))
	s.log.Warn("the bus has lost the open requests: submitting them again", "requests", len(list), "not_in_memory", gone)
	requests := make(chan event.Request)
	var failed atomic.Pointer[error] // the last; without a bus, the others are not tried
	var wg sync.WaitGroup
	for range min(atOnce, len(list)) {
		wg.Go(func() {
			for r := range requests {
				if err := failed.Load(); err != nil && errors.Is(*err, libra.ErrUnavailable) {
					continue
				}
				if err := s.submitAgain(ctx, r); err != nil {
					failed.Store(&err)
				}
			}
		})
	}
	for _, r := range list {
		requests <- r
	}
	close(requests)
	wg.Wait()
	if err := failed.Load(); err != nil {
		return fmt.Errorf("submit open requests again: %w", *err)
	}
	return nil
}

func (s *State) submitAgain(ctx context.Context, r event.Request) error {
	if r.Watch != nil {
		w, err := s.conn.WatchOf(ctx, r.Page)
		r.Watch = &w
		if err != nil || w.EveryS <= 0 {
			r.Watch = nil // the page is inspected without the watch's budget
		}
	}
	if err := s.conn.Submit(ctx, r); err != nil && !errors.Is(err, libra.ErrOpen) {
		return err
	}
	s.resubmitted.mu.Lock()
	defer s.resubmitted.mu.Unlock()
	s.resubmitted.done++
	return nil
}

// set begins, or with the zero time ends, what is shown of the progress.
func (r *resubmission) set(since time.Time, total int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.since.IsZero() || since.IsZero() {
		r.since = since
	}
	r.done, r.total = 0, total
}

// degraded is what to say of it; ok is false while nothing is in progress.
func (r *resubmission) degraded() (d Degraded, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return Degraded{
		Part: "bus", Code: libra.CodeRestoring, Since: r.since.UTC(), less: "accepted inspections wait",
		Reason: fmt.Sprintf("the bus has lost the open requests, %d of %d are submitted again", r.done, r.total),
	}, !r.since.IsZero()
}

// openRequests copies out the open requests that were stored, the oldest page first: not
// those that were published without an answer after a time when the stream was there.
// gone counts those of which memory has no more than the page's hash. Watch is set in
// those of a watch, and empty.
func (m *Memory) openRequests(there time.Time) (list []event.Request, gone int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.order {
		for _, o := range e.open {
			if !o.stored && o.seen.After(there) {
				continue
			}
			r := o.request
			r.URL = e.url
			list = append(list, r)
		}
	}
	return list, m.elsewhere.count()
}

// restored lists what components say that they publish again, because the bus has lost
// it.
func (s *State) restored(now time.Time) (list []Degraded) {
	for _, h := range s.Memory.Instances() {
		seconds := h.Heartbeat.Counters[event.RestoringCounter]
		if seconds <= 0 || !s.arriving(h, now) {
			continue
		}
		for _, r := range h.Heartbeat.Details {
			if r.Code == libra.CodeRestoring {
				list = append(list, Degraded{
					Part: "bus", Code: r.Code, Reason: r.String(), Since: time.Unix(seconds, 0).UTC(), less: "not everything that was stored is there again",
				})
			}
		}
	}
	if d, ok := s.resubmitted.degraded(); ok {
		list = append(list, d)
	}
	return list
}
