package watchdog

import (
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// localFaults are faults of this machine, networkFaults those that may be of this
// machine's network or of the page's.
var (
	localFaults   = []libra.Code{libra.CodeLocalResources, libra.CodeStopped}
	networkFaults = []libra.Code{libra.CodeNameServerSilent, libra.CodeNameServerFailed, libra.CodeNoRoute}
)

// network holds which hosts could be reached lately: they show whether a host that
// cannot be reached has a fault, or this machine's network.
type network struct {
	hosts map[string]reach
}

// reach is when a host last answered, and when it could last not be reached.
type reach struct{ good, bad time.Time }

// lately is how long an answer of a host is evidence of the network.
const lately = 2 * time.Minute

// see notes what a report of any page shows of its host.
func (n *network) see(r event.Reported) {
	if n.hosts == nil {
		n.hosts = map[string]reach{}
	}
	host := hostname(r.Request.URL)
	is := n.hosts[host]
	switch {
	case r.Report.Status != 0:
		is.good = r.At
	case r.Report.HasReason(networkFaults...):
		is.bad = r.At
	default:
		return
	}
	n.hosts[host] = is
	if len(n.hosts) > 1000 {
		for h, is := range n.hosts {
			if r.At.Sub(latest(is.good, is.bad)) > lately {
				delete(n.hosts, h)
			}
		}
	}
}

// ours reports whether the reasons of a report are faults of this machine or its
// network. Where another host has answered, the network works; where others cannot
// be reached either, it does not; where there are no others, only a name server
// that does not answer counts as this machine's fault.
func (n *network) ours(r event.Reported) bool {
	if r.Report.HasReason(localFaults...) {
		return true
	}
	if r.Report.Outcome != libra.Error || !r.Report.HasReason(networkFaults...) {
		return false
	}
	bad := r.Report.HasReason(libra.CodeNameServerSilent)
	for host, is := range n.hosts {
		if host == hostname(r.Request.URL) {
			continue
		}
		if r.At.Sub(is.good) < lately && !is.good.Before(is.bad) {
			return false
		}
		bad = bad || r.At.Sub(is.bad) < lately
	}
	return bad
}
