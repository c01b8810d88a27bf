package inspector

import (
	"time"

	"libra/pkg/inspector/limit"
	"libra/pkg/libra"
)

// answer is what a report shows of the page's own host.
type answer struct {
	status       int           // of its last response to the page; 0 without one
	retryAfter   time.Duration // for how long it asked to wait
	waited, took time.Duration // for a connection, and then until the response began
	ours         bool          // there is no response for a reason that is not the host's
}

// answerOf reads a report for what the page's own host answered. What its assets got says
// nothing of it. Where the page leads to another host, the redirect is the answer: else
// anybody could have a host suspended, by a page of it that leads to one that is down.
func answerOf(r *libra.Report) answer {
	a := answer{
		status: r.Status, retryAfter: time.Duration(r.RetryAfterS) * time.Second,
		ours: r.HasReason(libra.CodeStopped, libra.CodeLocalResources, libra.CodeAddressForbidden, libra.CodeInvalidURL, libra.CodeQuarantined, ""), // "" is what fails on purpose
	}
	own := ""
	for i, hop := range r.Assets {
		if !hop.OfPage() {
			break
		}
		host := hostOf(hop.URL)
		if i == 0 {
			own = host
		}
		if host != own {
			a.retryAfter = 0
			continue
		}
		a.status, a.retryAfter = hop.Status, time.Duration(r.RetryAfterS)*time.Second
		if t := hop.Timings; t != nil {
			a.waited, a.took = milliseconds(t.Blocked), milliseconds(t.DNS+t.Connect+t.TLS+t.Wait)
		}
	}
	return a
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
