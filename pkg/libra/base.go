package libra

import (
	"net"
	"net/url"
)

// HostURL is where libra-web is likely to be reached where nobody has said it: at
// the name of its host, and the port of server, which is its URL for programs on
// the host.
func HostURL(host, server string) string {
	u, err := url.Parse(server)
	if err != nil || host == "" {
		return ""
	}
	if port := u.Port(); port != "" && port != "80" {
		host = net.JoinHostPort(host, port)
	}
	return "http://" + host
}
