package watchdog

import (
	"slices"
	"strings"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// localFaults are what only this machine is to blame for, networkFaults what
// this machine's network may be as well as the page's; in the words of
// pkg/inspect/fetch.
var (
	localFaults = []string{
		"too many open files", "cannot allocate memory", "no buffer space available", "cannot assign requested address",
		"the inspection was given up", "the inspection was stopped",
	}
	networkFaults = []string{nameServerSilent, "name server has no answer", "no route to ", "network is unreachable"}
)

const nameServerSilent = "no name server answered"

func names(reason string, faults []string) bool {
	return slices.ContainsFunc(faults, func(s string) bool { return strings.Contains(reason, s) })
}

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
	case len(r.Report.Reasons) > 0 && names(r.Report.Reasons[0], networkFaults):
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
	reasons := r.Report.Reasons
	if slices.ContainsFunc(reasons, func(s string) bool { return names(s, localFaults) }) {
		return true
	}
	if r.Report.Outcome != libra.Failed || len(reasons) == 0 || !names(reasons[0], networkFaults) {
		return false
	}
	bad := strings.Contains(reasons[0], nameServerSilent)
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
