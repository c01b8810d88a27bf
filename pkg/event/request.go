package event

import (
	"cmp"
	"strconv"
	"strings"
)

// Requests are served in rounds, so that a client with many does not keep another
// waiting (start-time fair queueing, Goyal, Vin and Cheng 1996). A flow, which is a
// client, or the watches of a client, has a few requests in each round; inspectors
// serve the lowest round first. Who submits chooses the round: the one that is being
// served, or the next one in which the flow still has room.
//
// Rounds are numbered from 1 and never start over. Round r waits in lane r modulo
// [Lanes]; each lane is one consumer of stream REQUESTS.

// Lanes is how many rounds wait apart from each other, and how many consumers serve
// them. One costs the bus about 60 kB of memory.
const Lanes = 32

// LaneOf is the lane in which a round waits.
func LaneOf(round int64) int { return int(round % Lanes) }

// LanePrefix begins the names of the consumers that serve the lanes.
const LanePrefix = "lane-"

// LaneConsumer is the name of the consumer that serves a lane.
func LaneConsumer(lane int) string { return LanePrefix + strconv.Itoa(lane) }

// LaneRequests selects the requests of one lane.
func LaneRequests(lane int) string { return "libra.request." + strconv.Itoa(lane) + ".>" }

// Flow is what a request takes the turns of, as a token: its client; or the watches of
// its client, so that a thousand of them do not keep what the client asks for waiting.
func (r Request) Flow() string {
	if r.Watch != nil {
		return Token("watches of " + r.Client)
	}
	return Token(r.Client)
}

// By is who asks for a watch, for people.
func (w Watch) By() string { return cmp.Or(w.Label, w.Client) }

// RequestSubject is where a request waits in its round. The site stands in it, so that
// several sites can share a bus one day.
func RequestSubject(round int64, r Request) string {
	return strings.Join([]string{"libra.request", strconv.Itoa(LaneOf(round)), strconv.FormatInt(round, 10), Token(r.Site), r.Flow(), r.Page}, ".")
}

// FlowRequests selects the requests of a flow: of that of r.
func FlowRequests(r Request) string {
	return "libra.request.*.*." + Token(r.Site) + "." + r.Flow() + ".*"
}

// SameRequest selects the requests of the flow of r for its page.
func SameRequest(r Request) string {
	return "libra.request.*.*." + Token(r.Site) + "." + r.Flow() + "." + r.Page
}

// PageRequests selects the requests of every flow for one page.
func PageRequests(page string) string { return "libra.request.*.*.*.*." + page }

// AllReturns selects what JetStream itself publishes when a worker gives a request back.
const AllReturns = "$JS.EVENT.ADVISORY.CONSUMER.MSG_NAKED." + RequestStream + ".*"

// FormerRequests selects the requests that earlier versions stored.
const FormerRequests = "libra.request.*.*.*"

// RequestPlace is what the subject of a request says.
type RequestPlace struct {
	Lane             int
	Round            int64
	Site, Flow, Page string // tokens
}

// RequestOf splits a request's subject. ok is false for any other subject.
func RequestOf(subject string) (p RequestPlace, ok bool) {
	f := strings.Split(subject, ".")
	if len(f) != 7 || f[0] != "libra" || f[1] != "request" {
		return RequestPlace{}, false
	}
	lane, round, ok := laneAndRound(f[2], f[3])
	return RequestPlace{lane, round, f[4], f[5], f[6]}, ok && round > 0 && LaneOf(round) == lane
}

// WakeSubject notifies inspectors that a lane has a request of a round stored, and of no
// lower one. The request's own subject would be too early: subscribers get a message
// before the stream has it on disk.
func WakeSubject(lane int, round int64) string {
	return "libra.wake." + strconv.Itoa(lane) + "." + strconv.FormatInt(round, 10)
}

// WakeOf splits a wake-up's subject. ok is false for any other subject.
func WakeOf(subject string) (lane int, round int64, ok bool) {
	f := strings.Split(subject, ".")
	if len(f) != 4 || f[0] != "libra" || f[1] != "wake" {
		return 0, 0, false
	}
	return laneAndRound(f[2], f[3])
}

func laneAndRound(l, r string) (lane int, round int64, ok bool) {
	lane, err := strconv.Atoi(l)
	if err != nil || lane < 0 || lane >= Lanes {
		return 0, 0, false
	}
	round, err = strconv.ParseInt(r, 10, 64)
	return lane, round, err == nil && round >= 0
}
