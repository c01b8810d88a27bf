package state

import (
	"strconv"
	"time"

	"libra/pkg/component"
	"libra/pkg/event"
)

// heartbeats holds the newest heartbeat of every instance, by component/instance.
// It belongs to Memory. A component chooses the name of its instance: those with
// an ordinary name always have a place, others while there is room.
type heartbeats struct {
	most  int64
	bytes int64 // of last
	last  map[string]LastHeartbeat
}

const (
	mostInstances = 256
	mostBeat      = 16_000 // bytes; of a larger one only who sends it is kept
	mostBeatName  = 128    // bytes
	// replaceable is for how long an instance is silent before another one may take its
	// place.
	replaceable = 5 * time.Second
)

func newHeartbeats(most int64) heartbeats {
	return heartbeats{most: most, last: map[string]LastHeartbeat{}}
}

// take keeps a heartbeat, if there is room.
func (h *heartbeats) take(b event.Heartbeat, now time.Time) {
	key := b.Component + "/" + b.Instance
	if len(key) > mostBeatName {
		return
	}
	if beatSize(b) > mostBeat {
		b = event.Heartbeat{Component: b.Component, Instance: b.Instance, PID: b.PID, Started: b.Started, At: b.At, EveryMS: b.EveryMS}
	}
	was, known := h.last[key]
	grows := beatSize(b)
	if known {
		grows -= beatSize(was.Heartbeat)
	}
	for h.bytes+grows > h.most || !known && len(h.last) >= mostInstances {
		other, ok := h.replaceable(key, ordinary(b), now)
		if !ok {
			return
		}
		h.drop(other)
	}
	h.last[key] = LastHeartbeat{b, now}
	h.bytes += grows
}

// replaceable is the instance that has been silent for longest, and may make room for
// another one.
func (h *heartbeats) replaceable(forKey string, forOrdinary bool, now time.Time) (key string, ok bool) {
	var oldest time.Time
	for k, l := range h.last {
		silent := now.Sub(l.At) > replaceable
		if k == forKey || !silent && (!forOrdinary || ordinary(l.Heartbeat)) {
			continue
		}
		if !ok || l.At.Before(oldest) {
			key, oldest, ok = k, l.At, true
		}
	}
	return key, ok
}

func (h *heartbeats) drop(key string) {
	h.bytes -= beatSize(h.last[key].Heartbeat)
	delete(h.last, key)
}

// ordinary reports whether an instance is named as the units name theirs: by a small
// number.
func ordinary(b event.Heartbeat) bool {
	_, known := component.Find(b.Component)
	n, err := strconv.Atoi(b.Instance)
	return known && err == nil && n > 0 && n <= 32
}
