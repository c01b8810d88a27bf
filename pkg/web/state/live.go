package state

import (
	"context"
	"runtime"
	"sync"
	"time"

	"libra/pkg/bus"
	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/web/live"
)

func newLive() *live.View {
	var names []string
	for _, c := range component.All() {
		names = append(names, c.Name)
	}
	return live.New(names, runtime.NumCPU())
}

// followLooks collects for the live view, while somebody looks, until ctx ends.
func (s *State) followLooks(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.Live.Wake():
		}
		s.collect(ctx)
	}
}

// collect collects until nobody looks any more, or ctx ends.
func (s *State) collect(ctx context.Context) {
	s.Live.Begin(time.Now())
	defer s.Live.Rest()
	defer subscribe(s, s.conn.SubscribeRunning, func(r event.Running) { s.Live.Running(r, time.Now()) })()
	defer subscribe(s, s.conn.SubscribeSamples, s.Live.Samples)()
	tick := time.NewTicker(live.Every)
	defer tick.Stop()
	for n := 0; s.Live.Looking(time.Now()); n++ {
		if n%int(time.Second/live.Every) == 0 {
			s.conn.PublishLook()
		}
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.Live.Take(s.queueNow(now), now)
		}
	}
}

func (s *State) queueNow(now time.Time) live.Queue {
	q := live.Queue{Open: s.Memory.Counts().Open}
	if s.cfg.Connections != nil {
		q.Connections = s.cfg.Connections()
	}
	if q.Open == 0 {
		return q
	}
	if oldest := s.Memory.OldestOpen(""); !oldest.IsZero() {
		q.OldestS = max(0, now.Sub(oldest).Seconds())
	}
	return q
}

// AskInspector asks the inspector that has a request: the one that has said so, else each that
// sends heartbeats. libra.ErrNotFound if none has it.
func (s *State) AskInspector(ctx context.Context, ask event.Ask) (event.Look, error) {
	row, listed := s.Live.Find(ask.Request)
	var instances []string
	if listed {
		instances = append(instances, row.Inspector)
	}
	now := time.Now()
	for _, h := range s.Memory.instancesOf(component.Inspector) {
		if s.arriving(h, now) && h.Heartbeat.Instance != row.Inspector {
			instances = append(instances, h.Heartbeat.Instance)
		}
	}
	for _, instance := range instances {
		look, err := s.conn.AskInspector(ctx, instance, ask)
		if err != nil {
			continue // it does not have it, or does not answer: another one may have it
		}
		s.Live.Look(time.Now())
		look.CPUMS = row.CPUMS
		if look.HeldBytes == 0 {
			look.HeldBytes = row.HeldBytes
		}
		return look, nil
	}
	if !s.BusUp() {
		return event.Look{}, libra.ErrUnavailable
	}
	return event.Look{}, libra.ErrNotFound
}

// Journal asks for the lines of the journal that name a request. fault says why there are
// none that can be read.
func (s *State) Journal(ctx context.Context, look event.Look) (lines []string, fault string) {
	now := time.Now()
	if kept, ok := s.journals.of(look.Request, now); ok {
		return kept.Lines, kept.Fault
	}
	answer, err := s.conn.AskJournal(ctx, event.JournalAsk{Request: look.Request, Since: look.Asked.Add(-time.Second), Until: now.Add(bus.JournalTime)})
	switch {
	case err != nil:
		return []string{}, "libra-watchdog, which reads the journal, does not answer"
	case answer.Request != look.Request:
		return []string{}, "libra-watchdog has answered about another request"
	}
	answer.Lines = append([]string{}, answer.Lines...)
	s.journals.keep(answer, now)
	return answer.Lines, answer.Fault
}

// journals keeps what was read of the journal for a moment, so that several who look, or a
// page that polls, cost the host one read.
type journals struct {
	mu   sync.Mutex
	last map[string]readJournal // under mu; by request, mostJournals at most
}

type readJournal struct {
	event.Journal
	at time.Time
}

const (
	journalFor   = 5 * time.Second
	mostJournals = 8 // of event.MostLines lines each
)

func (j *journals) of(request string, now time.Time) (event.Journal, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r, ok := j.last[request]
	return r.Journal, ok && now.Sub(r.at) < journalFor
}

func (j *journals) keep(answer event.Journal, now time.Time) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.last == nil || len(j.last) >= mostJournals {
		j.last = map[string]readJournal{}
	}
	j.last[answer.Request] = readJournal{answer, now}
}
