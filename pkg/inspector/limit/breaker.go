package limit

import (
	"time"

	"libra/pkg/libra"
)

// The constants of a breaker.
const (
	// Failures is how many pages in a row, of at least two URLs, have no answer until
	// the breaker opens: one URL that hangs says nothing of the others.
	Failures = 3
	// FirstPause is how long it stays open then; each probe without an answer doubles
	// that up to MostPause. It is short: one page at a time costs a dead host nothing,
	// and a page that is repaired is to be inspected soon.
	FirstPause = time.Second
	MostPause  = 8 * time.Second
	// MostAsked bounds the Retry-After that is obeyed, DefaultAsked is for a 429
	// without one.
	MostAsked    = 5 * time.Minute
	DefaultAsked = 10 * time.Second
)

// Breaker is the circuit breaker of one host. The zero value is closed. It is open
// until Until, and half-open from then on: one page at a time, of all inspectors
// together, is fetched as the probe.
//
//	breaker                event                              breaker then
//	open by asked          asked to wait, but for less        as it was
//	any other              asked to wait                      open (asked) for that long, at most MostAsked
//	closed                 no answer, Failures in a row       open (no-answer) for FirstPause
//	closed                 no answer, fewer, or one URL only  closed, and counted
//	closed                 an answer                          closed, nothing counted
//	open or half-open      no answer of the probe             open for twice the last pause, at most MostPause
//	open or half-open      no answer of another page          as it was
//	open or half-open      an answer of the probe             closed
//	open by no-answer      an answer of another page          closed
//	open by asked          an answer of another page          as it was: it began before
type Breaker struct {
	Cause libra.HostCause  // "" while closed
	Since time.Time        // when it opened
	Until time.Time        // of the pause
	Pages int              // in a row without an answer
	Why   libra.ReasonList // of the last failure, or of the host's own word
	Pause time.Duration

	url     string // of the first page of the row
	several bool   // the row has another URL, too
}

// Open reports whether the breaker is open or half-open.
func (b Breaker) Open() bool { return b.Cause != "" }

// HalfOpen reports whether a probe may be sent.
func (b Breaker) HalfOpen(now time.Time) bool { return b.Open() && !now.Before(b.Until) }

// Answered is the breaker after an answer; probe says that it answers the probe.
func (b Breaker) Answered(probe bool) Breaker {
	if b.Cause == libra.HostAsked && !probe {
		return b
	}
	return Breaker{}
}

// Silent is the breaker after a page at url had no answer.
func (b Breaker) Silent(url string, why libra.ReasonList, probe bool, now time.Time) Breaker {
	if b.Open() && !probe {
		return b
	}
	if b.url == "" {
		b.url = url
	}
	b.Pages++
	b.several = b.several || b.url != url
	b.Why = why
	switch {
	case b.Open():
		b.Pause = min(max(2*b.Pause, FirstPause), MostPause)
	case b.Pages >= Failures && b.several:
		b.Since, b.Pause = now, FirstPause
	default:
		return b
	}
	b.Cause, b.Until = libra.HostNoAnswer, now.Add(b.Pause)
	return b
}

// AskedToWait is the breaker after the host asked to wait. A page that began before the
// pause does not shorten it.
func (b Breaker) AskedToWait(wait time.Duration, why libra.ReasonList, now time.Time) Breaker {
	if wait <= 0 {
		wait = DefaultAsked
	}
	next := Breaker{Cause: libra.HostAsked, Since: now, Until: now.Add(min(wait, MostAsked)), Why: why}
	if b.Cause == libra.HostAsked && next.Until.Before(b.Until) {
		return b
	}
	if b.Open() {
		next.Since = b.Since
	}
	return next
}
