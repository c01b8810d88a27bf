package libra

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
)

// normalHost checks a host name, an IPv4 address or an IPv6 address without its
// brackets, in lower case, and returns its normal form: one host, one page. What
// is wrong with it is the error.
func normalHost(host string) (string, error) {
	if strings.Contains(host, ":") {
		addr, err := netip.ParseAddr(host)
		if err != nil {
			return "", invalidURL("check its spelling", "host %q is not an IPv6 address", host)
		}
		return "[" + strings.ReplaceAll(addr.String(), "%", "%25") + "]", nil
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	for _, label := range labels {
		if label == "" {
			return "", invalidURL("check its dots", "host %q has an empty label", host)
		}
	}
	if _, numeric := ipv4Part(labels[len(labels)-1]); !numeric {
		return host, nil
	}
	return ipv4(host, labels)
}

// ipv4 reads an IPv4 address as browsers do: up to four parts, in decimal, octal
// (0…) or hexadecimal (0x…), the last of which fills what the others leave.
// https://url.spec.whatwg.org/#concept-ipv4-parser
func ipv4(host string, parts []string) (string, error) {
	fault := invalidURL("check its spelling", "host %q ends in a number and is not an IPv4 address", host)
	if len(parts) > 4 {
		return "", fault
	}
	var address uint64
	for i, part := range parts {
		n, ok := ipv4Part(part)
		bits := 8 // of this part
		if i == len(parts)-1 {
			bits = 8 * (5 - len(parts))
		}
		if !ok || n >= 1<<bits {
			return "", fault
		}
		address = address<<bits | n
	}
	var bytes [4]byte
	binary.BigEndian.PutUint32(bytes[:], uint32(address))
	return netip.AddrFrom4(bytes).String(), nil
}

// ipv4Part reads a number of an IPv4 address; numeric says that it looks like
// one, which at the end of a host makes the host an address.
func ipv4Part(s string) (n uint64, numeric bool) {
	digits, base := s, 10
	switch {
	case strings.HasPrefix(s, "0x"):
		digits, base = s[2:], 16
	case len(s) > 1 && s[0] == '0':
		digits, base = s[1:], 8
	}
	const tooMuch = 1 << 40 // more than any part may be
	if digits == "" {
		return 0, true // "0x" is 0
	}
	n, err := strconv.ParseUint(digits, base, 40)
	switch {
	case err == nil:
		return n, true
	case strings.Trim(s, "0123456789") == "", base == 16 && strings.Trim(digits, "0123456789abcdef") == "":
		return tooMuch, true
	}
	return 0, false
}

// normalPort checks a port, and writes it without zeros before it; "" where it
// is the scheme's own.
func normalPort(port, scheme string) (string, error) {
	if port == "" {
		return "", nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil || n == 0 {
		return "", invalidURL("", "port %q must be 1 to 65535", port)
	}
	if n == 80 && scheme == "http" || n == 443 && scheme == "https" {
		return "", nil
	}
	return ":" + strconv.FormatUint(n, 10), nil
}
