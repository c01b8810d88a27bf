package fetch

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"sync"
	"sync/atomic"

	"libra/pkg/inspect/address"
	"libra/pkg/libra"
)

// spaces are the transports of both address spaces. No connection is in both, so
// that a request that must stay in the public one cannot be sent over a connection
// that another page has opened to a private address, whatever the names say.
type spaces struct {
	guard           address.Guard
	public, private *transports

	mu    sync.Mutex
	hosts map[string]bool // host:port that was private when last reached; under mu
}

func newSpaces(cfg Config) *spaces {
	guard := address.NewGuard(cfg.Allow, cfg.AllowRemedy).AsPublic(cfg.AsPublic)
	return &spaces{guard: guard, public: newTransports(cfg, guard, address.Public), private: newTransports(cfg, guard, address.Private)}
}

func (s *spaces) close() {
	s.public.close()
	s.private.close()
}

// roundTrip sends req into the address space of its host, and only into the public
// one if fromPublic. A name is known to be private only once it is dialled, and may
// resolve to another space each time.
func (s *spaces) roundTrip(ctx context.Context, x *exchange, req *http.Request, fromPublic bool) (resp *http.Response, err error) {
	host := addr(req.URL)
	private := !fromPublic && s.wasPrivate(host)
	for range 3 {
		t := s.public
		if private {
			t = s.private
		}
		resp, err = t.roundTrip(ctx, x, req)
		if fromPublic || !errors.As(err, new(*otherSpace)) {
			break
		}
		private = !private
	}
	if err == nil {
		if !fromPublic {
			s.remember(host, private)
		}
		return resp, nil
	}
	if refused := (*refusal)(nil); errors.As(err, &refused) {
		err = refused.fault(s.guard, fromPublic)
	}
	return nil, err
}

// wasPrivate guesses the space of host; the guard of the connection decides.
func (s *spaces) wasPrivate(host string) bool {
	if ap, err := netip.ParseAddrPort(host); err == nil {
		return s.guard.Space(ap.Addr()) == address.Private
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hosts[host]
}

func (s *spaces) remember(host string, private bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !private {
		delete(s.hosts, host)
		return
	}
	if s.hosts == nil || len(s.hosts) >= maxHosts {
		s.hosts = map[string]bool{}
	}
	s.hosts[host] = true
}

// control is asked by the net.Dialer of one dial about each resolved address right
// before the connect, so that it applies to redirects and to names that resolve
// again.
type control struct{ other atomic.Bool } // an address was in the other space

func (c *control) check(n *network, addr string) error {
	ap, err := netip.ParseAddrPort(addr)
	if err != nil {
		return faultf(ErrForbidden, err, "invalid address %q", addr)
	}
	switch n.guard.Space(ap.Addr()) {
	case n.space:
		return nil
	case address.Forbidden:
	default:
		c.other.Store(true)
	}
	return &refusal{ap.Addr()}
}

// explain returns the error of the dial as an otherSpace, if the other space has an
// address that may do.
func (c *control) explain(err error) error {
	if c.other.Load() {
		return &otherSpace{err}
	}
	return err
}

// otherSpace is the error of a dial that met an address of the other space.
type otherSpace struct{ error }

func (e *otherSpace) Unwrap() error { return e.error }

// refusal is an address that is not in the space of the network that dialled it.
type refusal struct{ ip netip.Addr }

func (r *refusal) Error() string { return "address " + r.ip.String() + " refused" }

// fault says why and what to do.
func (r *refusal) fault(g address.Guard, fromPublic bool) *fault {
	if fromPublic {
		return &fault{kind: ErrForbidden, reason: address.FromPublic(r.ip), cause: r}
	}
	if err := g.Check(r.ip); err != nil {
		return &fault{kind: ErrForbidden, reason: libra.ReasonOf(err), cause: r}
	}
	return faultf(ErrConnect, r, "its name resolved to public and private addresses in turn").with("check its name server")
}
