package state

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

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
	var oldest time.Time
	for n := 0; s.Live.Looking(time.Now()); n++ {
		if n%int(time.Second/live.Every) == 0 {
			s.conn.PublishLook()
			oldest = s.Memory.OldestOpen("")
		}
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.Live.Take(s.queueNow(oldest, now), now)
		}
	}
}

func (s *State) queueNow(oldest, now time.Time) live.Queue {
	q := live.Queue{Open: s.Memory.Counts().Open}
	if s.cfg.Connections != nil {
		q.Connections = s.cfg.Connections()
	}
	if !oldest.IsZero() && q.Open > 0 {
		q.OldestS = max(0, now.Sub(oldest).Seconds())
	}
	return q
}

// firstSight is how long inspectors may take to say what they have in progress, after
// nobody has looked for a while.
const firstSight = 1500 * time.Millisecond

// AskWorker asks the inspector that has a request; libra.ErrNotFound if none says that it
// has.
func (s *State) AskWorker(ctx context.Context, request, do, by string) (event.Look, error) {
	row, err := s.inProgress(ctx, request)
	if err != nil {
		return event.Look{}, err
	}
	look, err := s.conn.AskWorker(ctx, row.Page, event.Ask{Do: do, Request: request, By: by})
	switch {
	case errors.Is(err, libra.ErrUnavailable) && s.BusUp():
		return look, libra.ErrNotFound // it has ended meanwhile
	case err != nil:
		return look, err
	case look.Refused != "" || look.Request != request:
		return look, fmt.Errorf("%w: %s", libra.ErrNotFound, look.Refused)
	}
	shown := look.Inspection
	look.CPUMS = row.CPUMS
	if shown.HeldBytes == 0 {
		look.HeldBytes = row.HeldBytes
	}
	return look, nil
}

// inProgress finds an inspection, once the inspectors have had time to name theirs.
func (s *State) inProgress(ctx context.Context, request string) (live.Row, error) {
	for until := time.Now().Add(firstSight); ; {
		s.Live.Look(time.Now())
		if row, ok := s.Live.Find(request); ok {
			return row, nil
		}
		switch {
		case !s.BusUp():
			return live.Row{}, libra.ErrUnavailable
		case time.Now().After(until):
			return live.Row{}, libra.ErrNotFound
		}
		select {
		case <-ctx.Done():
			return live.Row{}, ctx.Err()
		case <-time.After(live.Every / 2):
		}
	}
}

// Journal asks for the lines of the journal that name a request. fault says why there are
// none that can be read.
func (s *State) Journal(ctx context.Context, look event.Look) (lines []string, fault string) {
	// The request was logged before it was claimed, which may be long ago.
	asked := look.Since.Add(-journalBefore)
	answer, err := s.conn.AskJournal(ctx, event.JournalAsk{Request: look.Request, Since: asked})
	switch {
	case err != nil:
		return []string{}, "libra-watchdog, which reads the journal, does not answer"
	case answer.Request != look.Request:
		return []string{}, "libra-watchdog has answered about another request"
	}
	return append([]string{}, answer.Lines...), answer.Fault
}

// journalBefore is how long before its claim lines of a request are looked for.
const journalBefore = time.Minute
