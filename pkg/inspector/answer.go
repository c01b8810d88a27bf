package inspector

import (
	"time"

	"libra/pkg/inspector/limit"
	"libra/pkg/libra"
)

// answer is what a report shows of one host.
type answer struct {
	status       int           // of its last response to the page; 0 without one
	retryAfter   time.Duration // for how long it asked to wait
	waited, took time.Duration // for a connection, and then until the response began
	ours         bool          // there is no response for a reason that is not the host's
}

// answerOf reads a report for what a host answered to the page. What the page's assets got
// says nothing of it. Where the host leads to another one, the redirect is its answer:
// else anybody could have a host suspended, by a page of it that leads to one that is
// down. ok says that the host was asked; the page's own always was.
func answerOf(r *libra.Report, name string) (a answer, ok bool) {
	own := name == hostOf(r.URL)
	a, ok = answer{
		status: r.Status, retryAfter: time.Duration(r.RetryAfterS) * time.Second,
		ours: r.HasReason(libra.CodeStopped, libra.CodeLocalResources, libra.CodeAddressForbidden, libra.CodeInvalidURL, libra.CodeQuarantined, libra.CodeEnded, ""), // "" is what fails on purpose
	}, own
	last := false
	for i, hop := range r.Assets {
		if !hop.OfPage() {
			break
		}
		last = hostOf(hop.URL) == name || own && i == 0 // over http, the first may have no port
		if !last {
			continue
		}
		a.status, ok = hop.Status, true
		if t := hop.Timings; t != nil {
			a.waited, a.took = milliseconds(t.Blocked), milliseconds(t.DNS+t.Connect+t.TLS+t.Wait)
		}
	}
	if !last {
		a.retryAfter = 0
	}
	return a, ok
}

func milliseconds(ms float64) time.Duration { return time.Duration(ms * float64(time.Millisecond)) }

func (a answer) verdict() limit.Verdict {
	switch {
	case a.status == 0 && a.ours:
		return limit.Unknown
	case a.status == 0, a.status == 429, a.status == 503:
		return limit.Overloaded
	}
	return limit.Timed(a.waited, a.took)
}

// next is the breaker of the host after the answer to a page at url.
func (a answer) next(b limit.Breaker, url string, why libra.ReasonList, probe bool, now time.Time) limit.Breaker {
	switch {
	case a.status == 0 && a.ours:
		return b
	case a.status == 0:
		return b.Silent(url, why, probe, now)
	case a.status == 429, a.status == 503 && a.retryAfter > 0:
		return b.AskedToWait(a.retryAfter, why, now)
	}
	return b.Answered(probe)
}
