package notifier

import (
	"math/rand/v2"
	"time"
)

// breakerState says whether calls go through.
//
//	closed --threshold failures in a row--> open --pause over--> half-open
//	   ^                                     ^                     |    |
//	   |                                     '------- failure -----'    |
//	   '------------------------- success ------------------------------'
type breakerState string

const (
	closed   breakerState = "closed"
	open     breakerState = "open"
	halfOpen breakerState = "half-open"
)

// trip is how many failures in a row open the breaker.
const trip = 3

// breaker paces attempts: each failure doubles the pause before the next. Once
// it is open, the attempt after the pause is a single probe: the channel's one
// sender makes it while everything else waits. It is pure.
type breaker struct {
	state breakerState
	fails int       // in a row
	until time.Time // no attempt before
}

// begin is called as an attempt begins.
func (b breaker) begin() breaker {
	if b.state == open {
		b.state = halfOpen
	}
	return b
}

// failure counts one at time now. The pause is at least what the provider
// asked for; jitter from 0 to 1 spreads it.
func (b breaker) failure(now time.Time, asked, first, longest time.Duration, jitter float64) breaker {
	b.fails++
	pause := longest
	if shift := b.fails - 1; shift < 16 {
		pause = min(first<<shift, longest)
	}
	pause = pause/2 + time.Duration(float64(pause/2)*jitter)
	b.until = now.Add(max(pause, asked))
	b.state = closed
	if b.fails >= trip {
		b.state = open
	}
	return b
}

func (b breaker) success() breaker { return breaker{state: closed} }

func jitter() float64 { return rand.Float64() }
