package bus

import (
	"encoding/json"
	"sync"

	"github.com/nats-io/nats.go"
)

// mostReturns bounds the requests whose returns are remembered, about 100 bytes each.
const mostReturns = 4096

// returns counts how often requests were given back by workers that are well. The bus
// counts every delivery, and a request that is delivered again is under suspicion to
// have ended its worker; those that were given back are not. The bus publishes each
// return to all workers. One that started later, or was away, does not know of it:
// then the request is under suspicion, which costs a process of its own.
type returns struct {
	mu    sync.Mutex
	times map[uint64]int // under mu; by the request's place in the stream
	order []uint64       // under mu; the keys of times, the oldest first
}

// note counts a return that the bus has published.
func (r *returns) note(m *nats.Msg) {
	var naked struct { // JSConsumerDeliveryNakAdvisory of nats-server
		Place uint64 `json:"stream_seq"`
	}
	if err := json.Unmarshal(m.Data, &naked); err != nil || naked.Place == 0 {
		return // of another version of the bus
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.times[naked.Place] == 0 {
		r.order = append(r.order, naked.Place)
	}
	r.times[naked.Place]++
	if len(r.order) > mostReturns {
		delete(r.times, r.order[0])
		r.order = r.order[1:]
	}
}

// of counts the returns of the request at a place.
func (r *returns) of(place uint64) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.times[place]
}
