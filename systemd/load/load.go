// Package load generates load: it submits pages to a Libra and reads from it, as
// many people at once would, and counts the results: accepted and refused
// submissions, responses and their latency, and reads of a known page that came
// back without its report.
//
// The generator runs in its own process, so that the suite's work does not delay
// it: Start runs the test binary again, where TestMain calls Main.
package load

import (
	"slices"
	"time"
)

// Config of a generator.
type Config struct {
	URL  string // of libra-web
	Site string // URL below which every submission is another page
	// Name is that of the generator, in URLs and as X-Libra-Client.
	Name string
	// Clients is from how many addresses it submits, each of which is a client to Libra;
	// 0 is 8.
	Clients int
	// Submits and Reads per second, whether or not earlier ones have a response.
	Submits, Reads float64
	// Readers and Submitters each send one request after the other, as fast as they can;
	// Reads, or Submits, is 0 then.
	Readers, Submitters int
}

// Stats are what happened since the last mark.
type Stats struct {
	Seconds float64

	Accepted      int // 202
	Refused       int // 503 or 429, with Retry-After
	BadRefusals   int // refused without Retry-After, or with another status
	Unknown       int // no response: it may have been accepted or not
	SlowestSubmit time.Duration
	// AcceptedP50 and so on are of the responses to submissions.
	AcceptedP50, AcceptedP99, RefusedP99 time.Duration

	Reads    int
	Answered int // 200
	Stale    int // answered and marked stale
	// Retried counts reads whose connection was cut before a response, and that
	// were sent again, as browsers do.
	Retried     int
	P50, P99    time.Duration
	SlowestRead time.Duration

	// Lost counts reads without a report of a page whose report had been read
	// before.
	Lost int
	// Stalled is the longest time for which the generator itself did not run:
	// figures of a machine that is busy with other work mean nothing.
	Stalled time.Duration
	// Errors counts samples of errors by their text.
	Errors map[string]int
}

// AnsweredShare is between 0 and 1; 1 without reads.
func (s Stats) AnsweredShare() float64 {
	if s.Reads == 0 {
		return 1
	}
	return float64(s.Answered) / float64(s.Reads)
}

// IDs are the pages of a generator by the result of their submission.
type IDs struct {
	Accepted []string
	Refused  []string
	Unknown  []string
	Reported []string // accepted and a report was read
}

func quantiles(d []time.Duration) (p50, p99, longest time.Duration) {
	if len(d) == 0 {
		return 0, 0, 0
	}
	slices.Sort(d)
	at := func(q float64) time.Duration { return d[min(int(q*float64(len(d))), len(d)-1)] }
	return at(0.50), at(0.99), d[len(d)-1]
}
