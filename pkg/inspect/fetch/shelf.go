package fetch

import (
	"context"
	"slices"
	"sync"
)

// Bodies that are held share the process's memory. Small ones are free; past
// largeBody a body takes one of the large places, past hugeBody one of the
// huge ones too. Places are taken in this order and given back together, so
// that one who waits never keeps another from ending.
const (
	largeBody   = 256 << 10
	hugeBody    = 2 << 20
	largePlaces = 8
	hugePlaces  = 2
)

// places bounds the large bodies that are held at once by all sessions.
type places struct{ large, huge chan struct{} }

func newPlaces() *places {
	return &places{large: make(chan struct{}, largePlaces), huge: make(chan struct{}, hugePlaces)}
}

// shelf holds a body while it comes in: in its final place if the length is
// known, in a growing buffer otherwise.
type shelf struct {
	b           []byte
	places      *places
	large, huge bool // places taken
}

var shelfPool = sync.Pool{New: func() any { return new(shelf) }}

func newShelf(p *places) *shelf {
	s := shelfPool.Get().(*shelf)
	s.b, s.places = s.b[:0], p
	return s
}

// room is where the next bytes go. It waits for a place if the body outgrows
// the one it has; length is what is announced, -1 if nothing is.
func (s *shelf) room(ctx context.Context, w *wire, length int64) ([]byte, error) {
	if len(s.b) == cap(s.b) {
		grow := min(max(len(s.b), chunk), 1<<20)
		if left := int(length) - len(s.b); left > 0 && length <= hugeBody {
			grow = left + 1 // and the end of the body needs room to be seen
		}
		if err := s.await(ctx, w, len(s.b)+grow); err != nil {
			return nil, err
		}
		s.b = slices.Grow(s.b, grow)
	}
	return s.b[len(s.b):min(cap(s.b), len(s.b)+chunk)], nil
}

// await takes the places that n bytes need, with the clocks of the body stopped
// while it waits.
func (s *shelf) await(ctx context.Context, w *wire, n int) error {
	if n <= largeBody || s.large && (n <= hugeBody || s.huge) {
		return nil
	}
	defer w.pause()()
	return s.take(ctx, n)
}

// take takes the places that n bytes need.
func (s *shelf) take(ctx context.Context, n int) error {
	if n > largeBody && !s.large {
		select {
		case s.places.large <- struct{}{}:
			s.large = true
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if n > hugeBody && !s.huge {
		select {
		case s.places.huge <- struct{}{}:
			s.huge = true
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// vacate gives back the places.
func (s *shelf) vacate() {
	if s.huge {
		<-s.places.huge
	}
	if s.large {
		<-s.places.large
	}
	s.large, s.huge = false, false
}

// Release gives back the memory of the body, which must not be used again. A
// session whose results are never released has its large bodies wait for each
// other.
func (r *Result) Release() {
	if r.shelf == nil {
		return
	}
	s := r.shelf
	r.shelf, r.Body = nil, nil
	s.vacate()
	if cap(s.b) <= pooledBody {
		shelfPool.Put(s)
	}
}

// Keep hands the body over for good, as a copy of its own size, and gives back
// the rest as Release does.
func (r *Result) Keep() []byte {
	body := r.Body
	if r.shelf != nil {
		body = slices.Clone(body)
		r.Release()
	}
	r.Body = body
	return body
}
