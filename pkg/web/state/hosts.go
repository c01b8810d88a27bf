package state

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// HostList is what is known of the hosts whose pages are not inspected as usual: those
// whose circuit breaker is not closed, and those that an operator holds.
type HostList struct {
	most int64

	mu     sync.Mutex
	hosts  map[string]*knownHost // under mu
	bytes  int64                 // under mu; of hosts
	states bool                  // under mu; every state on the bus was read once
	holds  bool                  // under mu; the same for holds
	stream bool                  // under mu; it is known which stream they are on, so that its loss is seen
}

type knownHost struct {
	state event.Host
	hold  event.Hold
}

// forgetHost is how long after its pause a breaker that nobody has closed is listed: no
// page of the host was inspected since.
const forgetHost = time.Hour

func newHostList(most int64) *HostList {
	return &HostList{most: most, hosts: map[string]*knownHost{}}
}

// HostView is a host in an answer.
type HostView struct {
	Host string `json:"host"`
	// State is that in force: half-open from Until on.
	State libra.HostState `json:"state"`
	Cause libra.HostCause `json:"cause,omitempty"` // why the breaker is open, "" while it is closed
	Since time.Time       `json:"since,omitzero"`  // since when the breaker is not closed
	Until time.Time       `json:"until,omitzero"`  // when one page is asked for again
	Pages int             `json:"pages,omitempty"` // without an answer, in a row
	Why   []string        `json:"why"`             // never null; what the last of them says
	Hold  *HoldView       `json:"hold"`            // null: the inspectors decide
}

// HoldView is what an operator wants of a host.
type HoldView struct {
	State libra.HostState `json:"state"` // open: no page is inspected; closed: each is
	By    string          `json:"by"`
	Why   string          `json:"why,omitempty"`
	At    time.Time       `json:"at"`
}

// take keeps what do makes of a host, while there is room: the one that is open for
// longest makes room for another.
func (l *HostList) take(host string, do func(*knownHost)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	was := l.hosts[host]
	next := knownHost{}
	if was != nil {
		next = *was
		l.drop(host)
	}
	do(&next)
	if next.state.State != libra.HostOpen && next.hold.State == "" {
		return
	}
	for l.bytes+next.size() > l.most {
		oldest := ""
		for name, k := range l.hosts {
			if k.hold.State == "" && (oldest == "" || k.state.Since.Before(l.hosts[oldest].state.Since)) {
				oldest = name
			}
		}
		if oldest == "" {
			return
		}
		l.drop(oldest)
	}
	l.hosts[host] = &next
	l.bytes += next.size()
}

// drop forgets a host. l.mu is held.
func (l *HostList) drop(host string) {
	l.bytes -= l.hosts[host].size()
	delete(l.hosts, host)
}

// size is what a host takes: its texts, and the structs and the place in the map.
func (k *knownHost) size() int64 {
	n := 800 + len(k.state.Host) + len(k.state.Cause) + len(k.state.Inspector) + len(k.hold.Host) + len(k.hold.By) + len(k.hold.Why)
	if k.state.Why != nil {
		for _, s := range k.state.Why.Reasons {
			n += len(s)
		}
	}
	return int64(n)
}

func (l *HostList) onState(s event.Host) {
	if s.Why != nil {
		short := bounded(*s.Why)
		short.Details = nil
		s.Why = &short
	}
	l.take(s.Host, func(k *knownHost) { k.state = s })
}

// OnHold keeps what an operator wants of a host.
func (l *HostList) OnHold(h event.Hold) {
	l.take(h.Host, func(k *knownHost) {
		if !h.At.Before(k.hold.At) {
			k.hold = h
		}
	})
}

// lost takes in that the bus has lost its stream, and made another one at a time: it
// forgets the states from before, which the inspectors have lost as well, and returns
// the holds.
func (l *HostList) lost(made time.Time) (holds []event.Hold) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for name, k := range l.hosts {
		if k.hold.State != "" {
			holds = append(holds, k.hold)
		}
		if !k.state.At.Before(made) {
			continue // of the new stream
		}
		l.bytes -= k.size()
		if k.state = (event.Host{}); k.hold.State == "" {
			delete(l.hosts, name)
			continue
		}
		l.bytes += k.size()
	}
	return holds
}

func (l *HostList) setStates() { l.mark(&l.states) }

func (l *HostList) setHolds() { l.mark(&l.holds) }

func (l *HostList) setStream() { l.mark(&l.stream) }

func (l *HostList) mark(read *bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*read = true
}

func (l *HostList) ready() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.states && l.holds && l.stream
}

func (l *HostList) size() int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bytes
}

// List copies out the hosts, by name.
func (l *HostList) List(now time.Time) []HostView {
	l.mu.Lock()
	list := []HostView{}
	for name, k := range l.hosts {
		if v, listed := k.view(name, now); listed {
			list = append(list, v)
		}
	}
	l.mu.Unlock()
	slices.SortFunc(list, func(a, b HostView) int { return strings.Compare(a.Host, b.Host) })
	return list
}

func (k *knownHost) view(name string, now time.Time) (v HostView, listed bool) {
	v = HostView{Host: name, State: libra.HostClosed, Why: []string{}}
	if s := k.state; s.State == libra.HostOpen && now.Before(s.Until.Add(forgetHost)) {
		v.State, v.Cause, v.Since, v.Until, v.Pages, listed = libra.HostOpen, s.Cause, s.Since, s.Until, s.Pages, true
		if !now.Before(s.Until) {
			v.State = libra.HostHalfOpen
		}
		if s.Why != nil {
			v.Why = s.Why.Reasons
		}
	}
	if h := k.hold; h.State != "" {
		v.State, v.Hold, listed = h.State, &HoldView{h.State, h.By, h.Why, h.At}, true
	}
	return v, listed
}

// Hold is what an operator wants of a host; ok is false where nobody holds it.
func (l *HostList) Hold(host string) (hold event.Hold, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if k := l.hosts[host]; k != nil && k.hold.State != "" {
		return k.hold, true
	}
	return event.Hold{}, false
}

// followHosts looks whether the stream of hosts is another one than before, because the
// bus has lost it and made it again: what operators want is in memory, and stored again.
func (s *State) followHosts(ctx context.Context) {
	var last, looked time.Time
	every(ctx, lookEvery/4, func() {
		if !s.conn.Connected() || time.Since(looked) < lookEvery {
			return
		}
		made, err := s.conn.StreamMade(ctx, event.HostStream)
		if err != nil {
			return // the next look is soon
		}
		if looked = time.Now(); last.IsZero() || made.Equal(last) || s.restoreHolds(ctx, made) == nil {
			last = made
			s.Hosts.setStream()
		}
	})
}

// restoreHolds stores the holds in memory again, after their stream was lost.
func (s *State) restoreHolds(ctx context.Context, made time.Time) error {
	holds := s.Hosts.lost(made)
	for _, h := range holds {
		if err := s.conn.RestoreHold(ctx, h); err != nil {
			s.log.Warn("cannot store the hold of a host again, retrying", "host", h.Host, "err", err)
			return err
		}
	}
	s.log.Warn("the bus has lost the states of hosts: the holds are stored again", "holds", len(holds))
	return nil
}

// FreshHosts is the freshness of the list of hosts.
func (s *State) FreshHosts() Freshness { return s.onBus(s.Hosts.ready(), "states of hosts") }
