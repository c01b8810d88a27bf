package state

import (
	"context"
	"runtime"
	"time"

	"libra/pkg/bus"
	"libra/pkg/libra"
	"libra/pkg/web/capacity"
)

// sample takes a sample of what heartbeats count, and of the open requests. While the
// bus is away there is nothing to count.
func (s *State) sample(ctx context.Context) {
	if !s.BusUp() {
		return
	}
	queue, err := s.conn.Queue(ctx)
	if err != nil {
		return // the next sample has it
	}
	s.take(queue, time.Now())
}

func (s *State) take(queue bus.Queue, now time.Time) {
	var readings []capacity.Reading
	for _, h := range s.Memory.Instances() {
		b := h.Heartbeat
		readings = append(readings, capacity.Reading{Component: b.Component, Instance: b.Instance, Started: b.Started, Up: s.arriving(h, now), Counters: b.Counters})
	}
	s.capacity.Take(now, readings, queue)
}

// measureHistory looks how large the history is. What cannot be read has no size.
func (s *State) measureHistory(ctx context.Context) {
	size, err := s.history.Size(ctx, time.Now())
	switch {
	case err == nil:
		s.size.Store(&size)
	case ctx.Err() == nil:
		s.size.Store(nil)
	}
}

// CapacityDoc is what /api/capacity answers.
type CapacityDoc struct {
	capacity.Doc
	Freshness
}

// Capacity says how busy Libra is, and what more fits.
func (s *State) Capacity() CapacityDoc {
	known := capacity.Known{Now: time.Now(), Cores: runtime.NumCPU(), History: s.size.Load()}
	known.Watches, known.Unread = s.Watches.intervals()
	doc := CapacityDoc{Doc: s.capacity.Doc(known)}
	doc.Freshness = s.onBus(s.Watches.Ready(), "figures")
	if doc.History == nil {
		_, h := s.health.parts()
		since := h.since
		if h.fault == "" { // it was not read yet
			since = s.started
		}
		doc.lack(since, libra.Because(libra.CodeHistoryUnreadable, "history cannot be read: its size is unknown"))
	}
	return doc
}
