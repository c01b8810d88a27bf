package fetch

import (
	"context"
	"slices"
	"sync"
)

// Bodies that are kept share the process's memory. A body of more than largeBody
// bytes takes one of the large slots, and one of more than hugeBody bytes a huge
// slot too. Slots are acquired in this order and released together, so that two
// bodies never wait for each other.
const (
	largeBody  = 256 << 10
	hugeBody   = 2 << 20
	largeSlots = 8
	hugeSlots  = 2
)

// bodySlots bounds the large bodies that all sessions keep at once.
type bodySlots struct{ large, huge chan struct{} }

func newBodySlots() *bodySlots {
	return &bodySlots{large: make(chan struct{}, largeSlots), huge: make(chan struct{}, hugeSlots)}
}

// bodyBuffer is a body while it is received: allocated once if the length is
// known, growing otherwise.
type bodyBuffer struct {
	b           []byte
	slots       *bodySlots
	large, huge bool // slots acquired
}

var bufferPool = sync.Pool{New: func() any { return new(bodyBuffer) }}

func newBodyBuffer(p *bodySlots) *bodyBuffer {
	s := bufferPool.Get().(*bodyBuffer)
	s.b, s.slots = s.b[:0], p
	return s
}

// room returns the space for the next bytes. It waits for a slot if the body
// outgrows the one it has. length is the announced length, -1 if none was announced.
func (s *bodyBuffer) room(ctx context.Context, w *encodedBody, length int64) ([]byte, error) {
	if len(s.b) == cap(s.b) {
		grow := min(max(len(s.b), chunk), 1<<20)
		if left := int(length) - len(s.b); left > 0 && length <= hugeBody {
			grow = left + 1 // one more byte, to read the end of the body
		}
		if err := s.await(ctx, w, len(s.b)+grow); err != nil {
			return nil, err
		}
		s.b = slices.Grow(s.b, grow)
	}
	return s.b[len(s.b):min(cap(s.b), len(s.b)+chunk)], nil
}

// await acquires the slots that n bytes need. The time limits of the body are
// stopped while it waits.
func (s *bodyBuffer) await(ctx context.Context, w *encodedBody, n int) error {
	if n <= largeBody || s.large && (n <= hugeBody || s.huge) {
		return nil
	}
	defer w.pause()()
	return s.acquire(ctx, n)
}

// acquire acquires the slots that n bytes need.
func (s *bodyBuffer) acquire(ctx context.Context, n int) error {
	if n > largeBody && !s.large {
		select {
		case s.slots.large <- struct{}{}:
			s.large = true
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if n > hugeBody && !s.huge {
		select {
		case s.slots.huge <- struct{}{}:
			s.huge = true
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// release releases the slots.
func (s *bodyBuffer) release() {
	if s.huge {
		<-s.slots.huge
	}
	if s.large {
		<-s.slots.large
	}
	s.large, s.huge = false, false
}

// Release frees the body, which must not be used again. The large bodies of a
// session whose results are never released wait for each other.
func (r *Result) Release() {
	if r.held == nil {
		return
	}
	s := r.held
	r.held, r.Body = nil, nil
	s.release()
	if cap(s.b) <= pooledBody {
		bufferPool.Put(s)
	}
}

// Keep returns a copy of the body that the caller owns, and releases the result.
func (r *Result) Keep() []byte {
	body := r.Body
	if r.held != nil {
		body = slices.Clone(body)
		r.Release()
	}
	r.Body = body
	return body
}
