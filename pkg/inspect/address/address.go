// Package address decides which IP addresses may be reached: those of the public
// Internet, and those that are allowed. The engine asks it right before each
// connection; libra-web asks it about the address in a URL that is submitted.
package address

import (
	"fmt"
	"net/netip"
	"strings"

	"code.dny.dev/ssrf"

	"libra/pkg/libra"
)

// Guard refuses addresses that are neither public nor allowed.
type Guard struct {
	allow  []netip.Prefix
	remedy func(netip.Prefix) string
	public *ssrf.Guardian
}

// NewGuard returns a guard that lets allow through. remedy says what the reader of a
// refusal can do about the prefix that would have to be allowed; nil is [WithFlag].
func NewGuard(allow []netip.Prefix, remedy func(netip.Prefix) string) Guard {
	if remedy == nil {
		remedy = WithFlag
	}
	return Guard{allow: allow, remedy: remedy, public: ssrf.New(ssrf.WithAnyPort())}
}

// WithFlag is the remedy for who runs libra inspect.
func WithFlag(p netip.Prefix) string { return fmt.Sprintf("allow it with --allow %s", p) }

// AskOperator is the remedy for who uses an appliance, and for its operator.
func AskOperator(p netip.Prefix) string {
	return fmt.Sprintf("ask the operator of this Libra to add %s to LIBRA_ALLOW in libra.env and to restart libra-web and the inspectors", p)
}

// Check returns a [libra.Reason] with [libra.CodeAddressForbidden] if ip may not be
// reached.
func (g Guard) Check(ip netip.Addr) error {
	ip = ip.Unmap().WithZone("")
	for _, p := range g.allow {
		if p.Contains(ip) {
			return nil
		}
	}
	if g.public.SafeAddr(ip) == nil {
		return nil
	}
	return libra.Reason{Code: libra.CodeAddressForbidden, Text: fmt.Sprintf("%s is a private address", ip), Remedy: g.remedy(reserved(ip))}
}

// CheckHost is Check for the host of a parsed URL that is an IP address, or a name
// that is always this machine: localhost, and what ends in .localhost (RFC 6761).
// Other names are known only once they are resolved: for them it returns nil.
func (g Guard) CheckHost(host string) error {
	host = strings.TrimSuffix(host, ".")
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		err := g.Check(netip.AddrFrom4([4]byte{127, 0, 0, 1}))
		if err == nil || g.Check(netip.IPv6Loopback()) == nil {
			return nil
		}
		why := libra.ReasonOf(err)
		why.Text = fmt.Sprintf("%q is this machine, and %s", host, why.Text)
		return why
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return nil
	}
	return g.Check(ip)
}

// reserved returns the registered block of ip, which is the prefix to allow.
func reserved(ip netip.Addr) netip.Prefix {
	blocks := ssrf.IPv4DeniedPrefixes
	if ip.Is6() {
		blocks = append([]netip.Prefix{
			netip.MustParsePrefix("fc00::/7"), netip.MustParsePrefix("fe80::/10"), netip.MustParsePrefix("64:ff9b::/96"),
		}, ssrf.IPv6DeniedPrefixes...)
	}
	for _, p := range blocks {
		if p.Contains(ip) {
			return p
		}
	}
	return netip.PrefixFrom(ip, ip.BitLen())
}
