// Package load asks a Libra for work and for answers, as many people at once
// would, and keeps account of every one: what was accepted, what was refused
// and how, what was answered and how fast, and whether anything that was known
// was ever not to be read.
//
// The generator is a process of its own, so that what happens to the suite's
// does not happen to it: Start runs the test binary again, and TestMain hands
// over to Main there.
package load

import (
	"slices"
	"time"
)

// Config of a generator.
type Config struct {
	URL  string // of the Libra
	Site string // of the pages to weigh: every submission is of another one below
	// Name tells generators apart, in URLs and as X-Libra-Client.
	Name string
	// Submits and Reads a second, whether or not earlier ones are answered.
	Submits, Reads float64
	// Readers read as fast as they can, one after the other. Reads is 0 then.
	Readers int
}

// Stats are what happened since the last mark.
type Stats struct {
	Seconds float64

	Accepted      int // 202
	Refused       int // 503 or 429, with Retry-After
	BadRefusals   int // refused without Retry-After, or with any other status
	Unknown       int // no answer: the submission may have been taken or not
	SlowestSubmit time.Duration

	Reads    int
	Answered int // 200
	Stale    int // answered, and marked stale
	// Again counts reads whose connection was cut before an answer came, and
	// that were asked once more, as browsers do.
	Retried     int
	P50, P99    time.Duration
	SlowestRead time.Duration

	// Lost counts reads of a page whose report had been read before, that
	// came back without one.
	Lost int
	// Stall is how long the generator itself stood still, at most: a machine
	// that is busy with something else makes no figures.
	Stalled time.Duration
	// Complaints are samples of what was not well, with how often each.
	Errors map[string]int
}

// AnsweredShare is between 0 and 1; 1 where nothing was asked.
func (s Stats) AnsweredShare() float64 {
	if s.Reads == 0 {
		return 1
	}
	return float64(s.Answered) / float64(s.Reads)
}

// IDs are the pages of a generator, by what became of their submission.
type IDs struct {
	Accepted []string
	Refused  []string
	Unknown  []string
	Reported []string // accepted, and a report was read
}

func quantiles(d []time.Duration) (p50, p99, longest time.Duration) {
	if len(d) == 0 {
		return 0, 0, 0
	}
	slices.Sort(d)
	at := func(q float64) time.Duration { return d[min(int(q*float64(len(d))), len(d)-1)] }
	return at(0.50), at(0.99), d[len(d)-1]
}
