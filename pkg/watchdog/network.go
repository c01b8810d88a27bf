package watchdog

import (
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// localFaults are what only this machine is to blame for, networkFaults what
// this machine's network may be as well as the page's.
var (
	localFaults   = []libra.Code{libra.CodeLocalResources, libra.CodeStopped}
	networkFaults = []libra.Code{libra.CodeNameServerSilent, libra.CodeNameServerFailed, libra.CodeNoRoute}
)

// network remembers which hosts could be reached lately: whether one that
// cannot is to blame, the others tell.
type network struct {
	hosts map[string]reach
}

// reach is when a host last answered, and when it could last not be reached.
type reach struct{ good, bad time.Time }

// lately is how long what was seen of a host tells of the network.
const lately = 2 * time.Minute

// see takes in a report, of whatever page.
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

// ours says whether the reasons of a report are faults of this machine or its
// network. Where another host has answered, the network is well; where others
// cannot be reached either, it is not; where there are no others, only a name
// server that is silent is taken for ours.
func (n *network) ours(r event.Reported) bool {
	if r.Report.HasReason(localFaults...) {
		return true
	}
	if r.Report.Outcome != libra.Failed || !r.Report.HasReason(networkFaults...) {
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
