package load

import (
	"hash/fnv"
	"net"
	"net/http"
)

// Address is an address of the loopback for a client of that name, for who dials: to
// Libra an address is a client.
func Address(name string) *net.TCPAddr {
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(name)) // it never fails
	n := sum.Sum32()
	return &net.TCPAddr{IP: net.IPv4(127, 1+byte(n>>16)%250, byte(n>>8), 1+byte(n)%250)}
}

// Client is an HTTP client of that name, with an address and so many connections of its
// own.
func Client(name string, conns int) *http.Client {
	return client(net.Dialer{LocalAddr: Address(name)}, conns)
}
