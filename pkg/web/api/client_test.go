package api

import (
	"net/http"
	"net/netip"
	"testing"
)

// The client is the peer, or what the trusted proxies in front of it say; nobody can
// choose it by a header of its own.
func TestClientIsAnAddress(t *testing.T) {
	s := &API{cfg: Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}}}
	for _, c := range []struct {
		peer, want string
		forwarded  []string
	}{
		{peer: "192.0.2.1:80", want: "192.0.2.1"},
		{peer: "192.0.2.1:80", forwarded: []string{"198.51.100.1"}, want: "192.0.2.1"}, // no proxy
		{peer: "127.0.0.1:80", want: "127.0.0.1"},
		{peer: "127.0.0.1:80", forwarded: []string{"198.51.100.1"}, want: "198.51.100.1"},
		{peer: "127.0.0.1:80", forwarded: []string{"203.0.113.9, 198.51.100.1"}, want: "198.51.100.1"}, // the first is the client's own
		{peer: "127.0.0.1:80", forwarded: []string{"203.0.113.9", "198.51.100.1, fd00::2"}, want: "198.51.100.1"},
		{peer: "127.0.0.1:80", forwarded: []string{"198.51.100.1, nonsense"}, want: "127.0.0.1"},
		{peer: "127.0.0.1:80", forwarded: []string{"127.0.0.2"}, want: "127.0.0.2"},
		{peer: "127.0.0.1:80", forwarded: []string{"198.51.100.1:4711"}, want: "198.51.100.1"},
		{peer: "[::ffff:192.0.2.1]:80", want: "192.0.2.1"},
		{peer: "[::1]:80", want: "::1"},
		{peer: "[2001:db8:1:2:3::1]:80", want: "2001:db8:1:2::/64"},
		{peer: "[fe80::1%eth0]:80", want: "fe80::/64"},
		{peer: "@", want: "local"},
		{peer: "", want: "local"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.forwarded, "X-Libra-Client": {"somebody else"}}}
		got, p := s.clientOf(r)
		if p != nil || got.key != c.want || got.label != "somebody else" {
			t.Errorf("%q forwarded for %q is %+v, want %q", c.peer, c.forwarded, got, c.want)
		}
	}
}
