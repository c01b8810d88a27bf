package watchdog

import (
	"libra/pkg/event"
	"libra/pkg/rules"
)

// Thresholds are those in force.
func (w *Watchdog) Thresholds() rules.Thresholds { return w.config().Thresholds }

// Received is what is kept of heartbeats that arrive at once: the targets, and how many
// bytes of text their heartbeats have.
func Received(expected []Target, beats []event.Heartbeat) (kept map[Target]bool, bytes int) {
	h := newHeartbeats(Config{Expect: expected})
	for _, b := range beats {
		h.receive(b)
	}
	kept = map[Target]bool{}
	for t, e := range h.seen {
		kept[t] = true
		bytes += len(e.heartbeat.Status)
	}
	return kept, bytes
}
