package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"libra/pkg/libra"
	"libra/pkg/web/admission"
)

// Admitted answers with a problem, before the body is read, where what h is to store would
// be refused now.
func (s *API) Admitted(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if s.state.Stores.Refuses(s.addressOf(r)) {
			s.refuseUnread(w, r, overloaded())
			return
		}
		h(w, r)
	}
}

// refuseUnread answers with a problem, and reads the body only then, so that the
// connection is good for another request. net/http would read it before it answers.
func (s *API) refuseUnread(w http.ResponseWriter, r *http.Request, p *Problem) {
	rc := http.NewResponseController(w)
	if err := rc.EnableFullDuplex(); err != nil || r.ContentLength < 0 || r.ContentLength > maxBody {
		w.Header().Set("Connection", "close")
	}
	s.Fail(w, r, p)
	if rc.Flush() == nil {
		_, _ = io.CopyN(io.Discard, r.Body, maxBody) // an error ends the connection
	}
}

// storing takes a slot of what may be stored at a time, for the client of r.
func (s *API) storing(ctx context.Context, r *http.Request) (*admission.Slot, *Problem) {
	slot, err := s.state.Stores.Acquire(ctx, s.addressOf(r))
	return slot, notAdmitted(err)
}

// store takes a slot for the client of r, and calls do to store something on the bus. err
// is that of do; p says that there was no slot.
func (s *API) store(ctx context.Context, r *http.Request, do func(context.Context) error) (p *Problem, err error) {
	slot, p := s.storing(ctx, r)
	if p != nil {
		return p, nil
	}
	defer slot.End()
	return nil, s.persist(ctx, do)
}

// persist calls do to store something on the bus, or what that needs; and again, when a bus that was restarted is
// back: that takes a fraction of a second. What do stores has an id or replaces what was
// before, so that a repeat changes nothing.
func (s *API) persist(ctx context.Context, do func(context.Context) error) error {
	for {
		began, losses := time.Now(), s.conn.Losses()
		err := do(ctx)
		s.stored(began, err)
		away := !s.state.BusUp() || s.conn.Losses() != losses
		if !errors.Is(err, libra.ErrUnavailable) || !away || !s.state.BusSoon(ctx) {
			return err
		}
	}
}

// stored notes how long the bus took since began to store something: also where it took
// too long. What it refuses at once says nothing.
func (s *API) stored(began time.Time, err error) {
	if took := time.Since(began); err == nil || errors.Is(err, libra.ErrUnavailable) && took >= slowCall {
		s.state.Stores.Observe(took)
	}
}

// slowCall is how long a call took that failed because the bus was slow, and not because
// it was away.
const slowCall = 500 * time.Millisecond

type clientKey struct{}

// Named is r with its client in its context, for what is read on its behalf.
func (s *API) Named(r *http.Request) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), clientKey{}, s.addressOf(r)))
}

// reading takes a slot of the lists and timelines that may be read from SQLite at a time,
// for the client of a request with that context, see Named. end gives it back, and is never
// nil. A single page or alarm takes none: it is one row, and while the bus is being
// restarted a page is sought for seconds.
func (s *API) reading(ctx context.Context) (end func(), p *Problem) {
	client, _ := ctx.Value(clientKey{}).(string)
	slot, err := s.state.Reads.Acquire(ctx, client)
	if err != nil {
		return func() {}, notAdmitted(err)
	}
	began := time.Now()
	return func() {
		s.state.Reads.Observe(time.Since(began))
		slot.End()
	}, nil
}

// notAdmitted is the problem of a request that got no slot.
func notAdmitted(err error) *Problem {
	if err == nil {
		return nil
	}
	return overloaded()
}

func overloaded() *Problem {
	return unavailable("overloaded", libra.CodeOverloaded, "too many requests are being answered at a time, and this one was refused unread", "try again in a few seconds")
}
