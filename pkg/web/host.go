package web

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"libra/pkg/libra"
	"libra/pkg/web/api"
)

// wrongHost refuses a request whose Host is a name that is not Libra's. A page
// of another site may point a name of its own at this address, and read what a
// browser then takes for its own origin. Nobody can do so with an address, with
// localhost, or with no name at all.
func (s *Server) wrongHost(r *http.Request) *api.Problem {
	host := hostname(r.Host)
	if host == "" || host == "localhost" || slices.Contains(s.cfg.Hosts, host) {
		return nil
	}
	if _, err := netip.ParseAddr(host); err == nil {
		return nil
	}
	return api.NewProblem(api.ProblemURN+"host", "Not this host", http.StatusMisdirectedRequest, libra.Reason{Code: libra.CodeWrongHost, Text: fmt.Sprintf("host %q is not a name of this appliance", r.Host), Remedy: fmt.Sprintf("use its IP address or localhost, or set LIBRA_BASE_URL to http://%s and restart libra-web", r.Host)})
}

// hostname is a host without its port, in the form in which names compare.
func hostname(hostport string) string {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = strings.TrimSuffix(strings.TrimPrefix(hostport, "["), "]")
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}
