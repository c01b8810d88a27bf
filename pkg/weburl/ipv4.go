package weburl

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
)

// endsInNumber reports whether the last label of a name in lower case makes it an
// IPv4 address (https://url.spec.whatwg.org/#ends-in-a-number-checker).
func endsInNumber(name string) bool {
	name = strings.TrimSuffix(name, ".")
	_, numeric := ipv4Part(name[strings.LastIndexByte(name, '.')+1:])
	return numeric
}

// ipv4 reads an IPv4 address as browsers do: up to four parts, in decimal, octal
// (0…) or hexadecimal (0x…), the last of which fills what the others leave. The
// library takes signs for digits.
// https://url.spec.whatwg.org/#concept-ipv4-parser
func ipv4(host string) (address string, ok bool) {
	parts := strings.Split(strings.TrimSuffix(host, "."), ".")
	if len(parts) > 4 {
		return "", false
	}
	var sum uint64
	for i, part := range parts {
		n, ok := ipv4Part(part)
		bits := 8 // of this part
		if i == len(parts)-1 {
			bits = 8 * (5 - len(parts))
		}
		if !ok || n >= 1<<bits {
			return "", false
		}
		sum = sum<<bits | n
	}
	var bytes [4]byte
	binary.BigEndian.PutUint32(bytes[:], uint32(sum))
	return netip.AddrFrom4(bytes).String(), true
}

// ipv4Part reads a number of an IPv4 address; numeric says that it looks like
// one, which at the end of a host makes the host an address.
func ipv4Part(s string) (n uint64, numeric bool) {
	const tooMuch = 1 << 40 // more than any part may be
	digits, base := s, 10
	switch {
	case strings.HasPrefix(s, "0x"):
		digits, base = s[2:], 16
		if digits == "" {
			return 0, true
		}
	case len(s) > 1 && s[0] == '0':
		digits, base = s[1:], 8
	}
	n, err := strconv.ParseUint(digits, base, 40)
	switch {
	case err == nil:
		return n, true
	case s != "" && strings.Trim(s, "0123456789") == "", base == 16 && strings.Trim(digits, "0123456789abcdef") == "":
		return tooMuch, true
	}
	return 0, false
}
