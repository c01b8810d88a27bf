package web

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"libra/pkg/libra"
	"libra/pkg/web/api"
)

// wrongHost refuses a request whose Host is a name that is not Libra's. A page
// of another site may point a name of its own at this address, and read what a
// browser then takes for its own origin. Nobody can do so with an address, with
// localhost, or with no name at all.
func (s *Server) wrongHost(r *http.Request) *api.Problem {
	host, ok := hostname(r.Host)
	if ok && (host == "" || host == "localhost" || slices.Contains(s.cfg.Hosts, host) || isAddr(host)) {
		return nil
	}
	return api.NewProblem(api.ProblemURN+"host", "Not this host", http.StatusMisdirectedRequest, libra.Reason{Code: libra.CodeWrongHost, Text: fmt.Sprintf("host %q is not a name of this appliance", r.Host), Remedy: fmt.Sprintf("use its IP address or localhost, or set LIBRA_BASE_URL to http://%s and restart libra-web", r.Host)})
}

// isAddr reports whether a host is an IP address. One with a zone is not: what
// follows the % may be anything.
func isAddr(host string) bool {
	a, err := netip.ParseAddr(host)
	return err == nil && a.Zone() == ""
}

// hostname is a host without its port, in the form in which names compare. ok is false
// for what is not HOST or HOST:PORT, with a number for a port: 127.0.0.1:80.evil.example.
func hostname(hostport string) (host string, ok bool) {
	host, port := hostport, ""
	if i := strings.LastIndexByte(hostport, ':'); i >= 0 && !strings.Contains(hostport[i:], "]") {
		host, port = hostport[:i], hostport[i+1:]
	}
	if port != "" {
		if _, err := strconv.ParseUint(port, 10, 16); err != nil {
			return "", false
		}
	}
	if bracketed, isIPv6 := strings.CutPrefix(host, "["); isIPv6 {
		host, ok = strings.CutSuffix(bracketed, "]")
		return strings.ToLower(host), ok && strings.Contains(host, ":")
	}
	return strings.ToLower(strings.TrimSuffix(host, ".")), !strings.Contains(host, ":")
}
