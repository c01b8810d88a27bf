package api

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// client is who sent a request.
type client struct {
	// key is what fairness and limits go by: the address of the peer, or what a trusted
	// proxy says it is. Nobody can choose it freely.
	key string
	// label is what the client calls itself, "" where it does not.
	label string
}

// name is for people: who did something.
func (c client) name() string {
	if c.label != "" {
		return c.label
	}
	return c.key
}

// clientOf is the client of a request.
func (s *API) clientOf(r *http.Request) (client, *Problem) {
	label := strings.TrimSpace(r.Header.Get("X-Libra-Client"))
	if len(label) > MaxClient {
		return client{}, BadRequest("client", fmt.Sprintf("X-Libra-Client %.40q… is %d bytes long", label, len(label)), fmt.Sprintf("must be at most %d", MaxClient))
	}
	return client{s.addressOf(r), label}, nil
}

// whoSent is the client of a request, for people.
func (s *API) whoSent(r *http.Request) (string, *Problem) {
	c, p := s.clientOf(r)
	return c.name(), p
}

// local is the key of a peer without an address, at a Unix socket.
const local = "local"

// addressOf is the key of a request's client. Of the addresses in X-Forwarded-For, which
// a client may send too, those count that trusted proxies have added, from the right.
func (s *API) addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	peer, err := netip.ParseAddr(host)
	if err != nil {
		return local
	}
	chain := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(chain) - 1; i >= 0 && s.trusts(peer); i-- {
		before, ok := forwarded(strings.TrimSpace(chain[i]))
		if !ok {
			break // what follows cannot be trusted either
		}
		peer = before
	}
	return keyOf(peer)
}

// forwarded reads an address of X-Forwarded-For; some proxies add the port.
func forwarded(text string) (netip.Addr, bool) {
	if a, err := netip.ParseAddr(text); err == nil {
		return a, true
	}
	a, err := netip.ParseAddrPort(text)
	return a.Addr(), err == nil
}

func (s *API) trusts(peer netip.Addr) bool {
	peer = peer.Unmap()
	return slices.ContainsFunc(s.cfg.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(peer) })
}

// keyOf is the key of an address: of an IPv6 address its /64, because a host there has
// as many addresses as it likes.
func keyOf(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() && !a.IsLoopback() {
		if net64, err := a.Prefix(64); err == nil {
			return net64.String()
		}
	}
	return a.String()
}
