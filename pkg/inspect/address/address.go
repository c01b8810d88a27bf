// Package address decides which IP addresses may be reached: those of the public
// Internet, and those that are allowed. The engine asks it right before each
// connection; libra-web asks it about the address in a URL that is submitted.
//
// As in https://wicg.github.io/local-network-access/, an address is in an address
// space, and the engine keeps what comes from the public one out of the other.
// The specification has two spaces that are not public, local and loopback. Here
// they are one: both are reached only where an operator allows it.
package address

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"code.dny.dev/ssrf"

	"libra/pkg/libra"
)

// Space is the address space of an address.
type Space int

// The address spaces.
const (
	Forbidden Space = iota // neither public nor allowed
	Public                 // the Internet
	Private                // allowed, and not public
)

// Guard refuses addresses that are neither public nor allowed.
type Guard struct {
	allow    []netip.Prefix
	remedy   func(netip.Prefix) string
	public   *ssrf.Guardian
	asPublic []netip.Prefix
}

// NewGuard returns a guard that lets allow through. remedy says what the reader of a
// refusal can do about the prefix that would have to be allowed; nil is [WithFlag].
func NewGuard(allow []netip.Prefix, remedy func(netip.Prefix) string) Guard {
	if remedy == nil {
		remedy = WithFlag
	}
	return Guard{allow: allow, remedy: remedy, public: ssrf.New(ssrf.WithAnyPort())}
}

// AsPublic returns g with prefixes that count as public. It is for tests, whose
// addresses are all of this machine, as --ip-address-space-overrides is in Chromium.
func (g Guard) AsPublic(prefixes []netip.Prefix) Guard {
	g.asPublic = prefixes
	return g
}

// nat64 maps IPv4 addresses into IPv6 (RFC 6052): what is behind it is as public as
// the IPv4 address.
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// Space returns the address space of ip.
func (g Guard) Space(ip netip.Addr) Space {
	ip = ip.Unmap().WithZone("")
	if within(g.asPublic, ip) || g.public.SafeAddr(ip) == nil {
		return Public
	}
	if !within(g.allow, ip) {
		return Forbidden
	}
	if nat64.Contains(ip) {
		b := ip.As16()
		if g.public.SafeAddr(netip.AddrFrom4([4]byte(b[12:]))) == nil {
			return Public
		}
	}
	return Private
}

func within(prefixes []netip.Prefix, ip netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(ip) })
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
	if g.Space(ip) != Forbidden {
		return nil
	}
	ip = ip.Unmap().WithZone("")
	return libra.Reason{Code: libra.CodeAddressForbidden, Text: fmt.Sprintf("%s is a private address", ip), Remedy: g.remedy(reserved(ip))}
}

// FromPublic is the reason why what comes from a public address does not reach ip,
// whether ip is allowed or not.
func FromPublic(ip netip.Addr) libra.Reason {
	return libra.Reason{
		Code: libra.CodeAddressForbidden, Text: fmt.Sprintf("%s is a private address, and what names it came from a public one", ip.Unmap().WithZone("")),
		Remedy: "name a public address, or inspect a page that is itself on an allowed private one",
	}
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
