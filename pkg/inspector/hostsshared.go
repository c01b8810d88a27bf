package inspector

import (
	"context"
	"errors"
	"strings"
	"time"

	"libra/pkg/event"
	"libra/pkg/inspector/limit"
	"libra/pkg/libra"
)

const (
	// readEvery is how often the bus is asked for what is known of a host, in case a
	// change was lost, readAgain how soon after it gave no answer; readWait is how long a
	// page waits for that.
	readEvery = 10 * time.Second
	readAgain = time.Second
	readWait  = 500 * time.Millisecond
	// settling is for how long after a change was announced every page has the bus asked:
	// the bus may store it a little later, or refuse it.
	settling = time.Second
)

// shares reports whether the bus may know a host.
func (h *hosts) shares(name string) bool {
	return h.conn != nil && h.conn.Connected() && len(name) <= event.MaxHost
}

// share publishes a change for the other inspectors. Where another one has stored a state
// that this one has not seen, the change is made to that: an answer to a page that began
// before the host asked to wait must not end the wait. Only who is the first to say that a
// host opened or closed logs it.
func (v *visit) share(was, is limit.Breaker, next func(limit.Breaker) limit.Breaker) {
	ctx := context.Background() // each call has a time limit of its own
	for attempt := 1; v.shares(v.name); attempt++ {
		shared, place, err := v.conn.HostOf(ctx, v.name)
		if err != nil && !errors.Is(err, libra.ErrNotFound) {
			break
		}
		if err == nil && v.adopt(shared, place) {
			if was, is = v.change(next); !differ(was, is) {
				return
			}
		}
		if place, err = v.conn.PublishHost(ctx, stateOf(v.name, is, v.instance), place); err == nil {
			v.stored(place)
		}
		if !errors.Is(err, libra.ErrOpen) {
			break
		}
		if attempt == 2 {
			v.announced(v.name)
			return
		}
	}
	switch {
	case !was.Open():
		v.log.Warn("host is not asked for a while", "host", v.name, "cause", is.Cause, "pages", is.Pages, "until", is.Until.UTC().Format(time.RFC3339), "err", strings.Join(is.Why.Reasons, "; "))
	case !is.Open():
		v.log.Info("host answers again", "host", v.name, "pages", was.Pages)
	}
}

// differ reports whether the other inspectors should know.
func differ(was, is limit.Breaker) bool {
	return was.Cause != is.Cause || !was.Until.Equal(is.Until)
}

// follow notes what the others say until ctx ends.
func (h *hosts) follow(ctx context.Context) {
	stop, err := h.conn.SubscribeHosts(func(s event.Host) { h.announced(s.Host) }, func(hold event.Hold) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if k := h.known[hold.Host]; k != nil {
			k.hold, k.changed, k.again = hold, time.Now(), time.Time{} // a read that began before must not hide it
		}
	})
	if err != nil {
		h.log.Warn("cannot follow the breakers of other inspectors", "err", err)
		return
	}
	<-ctx.Done()
	stop()
}

// announced has the next page of a host ask the bus: what an inspector publishes is
// believed once it is stored, as another one may have been first. A host that this one has
// not met is asked for when it does.
func (h *hosts) announced(name string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if k := h.known[name]; k != nil {
		k.changed, k.again = time.Now(), time.Time{}
	}
}

// adopt makes a host's breaker what the bus has stored, unless that is known already.
func (h *hosts) adopt(s event.Host, place uint64) (changed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := h.host(s.Host)
	if k.place == place {
		return false
	}
	k.place, k.breaker = place, breakerOf(s)
	return true
}

// stored notes the place of the state that this inspector has stored.
func (v *visit) stored(place uint64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.host(v.name).place = place
}

// ask asks the bus for what is known of a host, if it was not for a while. A page that
// comes meanwhile waits for the answer, too: the host may be held open.
func (h *hosts) ask(ctx context.Context, name string) {
	if !h.shares(name) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, readWait)
	defer cancel()
	h.mu.Lock()
	k := h.host(name)
	reading, due := k.reading, !time.Now().Before(k.again)
	if reading == nil && due {
		k.reading = make(chan struct{})
	}
	h.mu.Unlock()
	switch {
	case reading != nil:
		select {
		case <-reading:
		case <-ctx.Done():
		}
	case due:
		h.read(ctx, name)
	}
}

// read reads what the bus has of a host, for all pages that wait for that.
func (h *hosts) read(ctx context.Context, name string) {
	answered := true
	hold, err := h.conn.HoldOf(ctx, name)
	if err != nil && !errors.Is(err, libra.ErrNotFound) {
		answered = false
	} else {
		h.mu.Lock()
		h.host(name).hold = hold
		h.mu.Unlock()
	}
	state, place, err := h.conn.HostOf(ctx, name)
	switch {
	case err == nil:
		h.adopt(state, place)
	case !errors.Is(err, libra.ErrNotFound):
		answered = false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	k, now := h.host(name), time.Now()
	close(k.reading)
	k.reading = nil
	switch {
	case !answered:
		k.again = now.Add(readAgain)
	case now.Before(k.changed.Add(settling)):
		k.again = time.Time{}
	default:
		k.again = now.Add(readEvery)
	}
}
