package state

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"

	"libra/pkg/bus"
	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/trace"
)

// How often web polls what the bus does not publish.
const (
	probeEvery  = 500 * time.Millisecond
	resyncEvery = 30 * time.Second
	statusEvery = 100 * time.Millisecond
	forgetAfter = 10 * time.Minute
	forgetExtra = 10 * time.Second // of instances that libra.target does not start
	// lookups bounds the open requests that one resync asks the bus for.
	lookups = 500
)

// Follow starts everything that keeps memory and health right.
func (s *State) Follow(ctx context.Context, wg *sync.WaitGroup) {
	wg.Go(func() { s.probeBus(ctx) })
	wg.Go(func() { s.checkHistory(ctx) })
	wg.Go(func() { s.followRequests(ctx) })
	wg.Go(func() { every(ctx, s.cfg.SampleEvery, func() { s.sample(ctx) }) })
	wg.Go(func() { s.followLive(ctx) })
	wg.Go(func() { s.followLooks(ctx) })
	leave, announce := s.leaveSilentWorkers(), s.announceStatus()
	wg.Go(func() {
		every(ctx, statusEvery, func() {
			components := s.Components(time.Now())
			leave(components)
			announce(components)
		})
	})
	wg.Go(func() { s.conn.ConsumeReports(ctx, s.caughtUp, s.onReport) })
	wg.Go(func() { s.conn.ConsumeAlarms(ctx, s.thenRecall(s.Memory.setAlarmed), s.onAlarm) })
	wg.Go(func() { s.conn.ConsumeNotes(ctx, s.thenRecall(s.Notes.MarkComplete), s.OnNote) })
	wg.Go(func() {
		s.conn.ConsumeBoard(ctx, s.thenRecall(func() { s.Board.complete.Store(true) }), s.OnBoard)
	})
	wg.Go(func() { s.conn.ConsumeWatches(ctx, s.thenRecall(s.Watches.setCaughtUp), s.OnWatch) })
	wg.Go(func() { s.followHosts(ctx) })
	wg.Go(func() { s.conn.ConsumeHosts(ctx, s.Hosts.setStates, s.Hosts.onState) })
	wg.Go(func() { s.conn.ConsumeHolds(ctx, s.Hosts.setHolds, s.Hosts.OnHold) })
}

func (s *State) caughtUp() {
	if s.Memory.setCaughtUp() {
		s.log.Info("newest reports are in memory", "pages", s.Memory.Counts().Pages)
		s.recallSoon()
	}
}

// thenRecall is caughtUp, and has checkHistory read at once what the bus lacks.
func (s *State) thenRecall(caughtUp func()) func() {
	return func() {
		caughtUp()
		s.recallSoon()
	}
}

// recallSoon starts the next round of checkHistory; it never blocks.
func (s *State) recallSoon() {
	select {
	case s.recallNow <- struct{}{}:
	default: // one is due already
	}
}

func (s *State) onReport(r event.Reported) {
	if r.Request.Page == "" {
		return
	}
	news, shown := s.Memory.report(r)
	if !news {
		return
	}
	if loaded, _ := s.Memory.Ready(); loaded {
		s.Live.Reported(r.Request.ID, r.Report.Outcome == libra.Error)
	}
	if !shown {
		// A failure after a good report, which stays in the cache.
	} else if data, err := Encode(r); err != nil {
		s.log.Error("report cannot be kept in memory", "page", r.Request.Page, "request", r.Request.ID, "trace_id", trace.ID(r.Request), "err", err)
	} else {
		s.Memory.reports.put(r.Request.Page, r.Request.ID, data)
	}
	if loaded, _ := s.Memory.Ready(); loaded {
		s.Hub.send("report", r.Request.Page, ReportEvent(r.Request.Page, summarize(r, s.cfg.Profile)))
	}
}

func (s *State) onAlarm(t libra.Transition) {
	if !s.Memory.alarm(t) {
		return
	}
	if _, loaded := s.Memory.Ready(); loaded {
		s.Hub.send("alarm", pageOf(t.Alarm), t)
	}
}

// OnNote keeps a note that the bus has stored, and sends it to the event streams.
func (s *State) OnNote(n libra.Note) {
	if !s.Notes.take(n) || !s.Notes.IsComplete() {
		return
	}
	t, _, _ := s.Memory.AlarmOf(n.Alarm)
	s.Hub.send("note", pageOf(t.Alarm), n)
}

// OnWatch keeps a watch that the bus has stored, and sends it to the event streams.
func (s *State) OnWatch(w event.Watch) {
	if s.Watches.take(w) && s.Watches.Ready() {
		s.Hub.send("watch", w.Page, watchEvent{w.Page, w.URL, ShowEvery(w.EveryS)})
	}
}

// OnRequest keeps a request that the bus has stored, and sends it to the event streams.
func (s *State) OnRequest(r event.Request) { s.onRequest(r, true) }

// OnRefused takes a request off that the bus has refused after it was published.
func (s *State) OnRefused(r event.Request) { s.Memory.refused(r) }

// onPublished keeps a request that was published. If the bus has refused it, OnRefused or
// the next resync corrects that.
func (s *State) onPublished(r event.Request) { s.onRequest(r, false) }

func (s *State) onRequest(r event.Request, stored bool) {
	if s.Memory.request(r, stored, time.Now()) {
		s.Hub.send("request", r.Page, requestEvent{r.ID, r.Page, r.URL, r.Asked})
	}
}

// every calls do at once and then at an interval, until ctx ends.
func every(ctx context.Context, interval time.Duration, do func()) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for ctx.Err() == nil {
		do()
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// notConnected is the fault of a bus without a connection.
const notConnected = "not connected"

// probeBus asks the bus for an answer. Until the first answer, and while
// it is away, it asks more often, so that no request waits longer than it must.
func (s *State) probeBus(ctx context.Context) {
	probe := func() bool {
		fault := ""
		if !s.conn.Connected() {
			fault = notConnected
		} else if err := s.conn.Ping(ctx); err != nil {
			fault = "connected, but it does not answer"
		}
		if ctx.Err() == nil && s.health.setBus(fault, time.Now()) {
			s.log.Info("bus seen from web", "fault", fault)
		}
		return fault == ""
	}
	fast := time.NewTicker(5 * time.Millisecond)
	defer fast.Stop()
	for n := 0; n < 100 && !probe(); n++ {
		select {
		case <-ctx.Done():
			return
		case <-fast.C:
		}
	}
	for ctx.Err() == nil {
		pause := probeEvery
		if !probe() {
			pause /= 10
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
}

// checkHistory looks at SQLite at an interval, and when something on the bus has
// been read to its end: only then is it known what to look for in SQLite.
func (s *State) checkHistory(ctx context.Context) {
	check := func() {
		try, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		fault := ""
		if err := s.history.Check(try); err != nil {
			fault = err.Error()
		} else if birth, err := s.history.Since(try); err == nil { // else it is of an older Libra, or about to fail Check
			s.birth.Store(birth.Unix())
		}
		s.measureHistory(try)
		if ctx.Err() != nil {
			return
		}
		s.historyFault(fault)
		if loaded, _ := s.Memory.Ready(); loaded && fault == "" {
			s.seekGood(ctx)
		}
		if fault == "" && !s.recalled.Load() {
			s.recalled.Store(s.recall(ctx))
		}
	}
	tick := time.NewTicker(s.cfg.HistoryCheck)
	defer tick.Stop()
	for ctx.Err() == nil {
		check()
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-s.recallNow:
		}
	}
}

// subscribe starts a subscription to what the bus does not store. The subscription lasts
// through every outage; only a closed connection refuses it.
func subscribe[T any](s *State, watch func(func(T)) (func(), error), fn func(T)) (stop func()) {
	stop, err := watch(fn)
	if err != nil {
		s.log.Error("cannot listen to the bus", "err", err)
		return func() {}
	}
	return stop
}

// followRequests keeps the open requests right: published by the bus, corrected
// after every time it was away, and every half minute.
func (s *State) followRequests(ctx context.Context) {
	defer subscribe(s, s.conn.SubscribeRequests, s.onPublished)()
	var last, looked time.Time
	every(ctx, probeEvery/2, func() {
		if !s.conn.Connected() {
			last, looked = time.Time{}, time.Time{}
			return
		}
		if time.Since(looked) < lookEvery {
			return
		}
		looked = time.Now()
		made, err := s.conn.StreamMade(ctx, event.RequestStream)
		if err == nil && made.Equal(s.resubmitted.made) {
			s.resubmitted.there = looked
		}
		if err == nil && (time.Since(last) > resyncEvery || !made.Equal(s.resubmitted.made)) {
			if err = s.correctRequests(ctx, made); err == nil {
				last = time.Now()
			}
		}
		if err != nil && ctx.Err() == nil {
			looked = time.Time{} // at the next tick
			s.log.Debug("list open requests", "err", err)
		}
	})
}

// resync sets the open requests right by what is on the bus, unless that has made their
// stream again meanwhile.
func (s *State) resync(ctx context.Context, made time.Time) error {
	then := time.Now()
	pages, err := s.conn.OpenPages(ctx)
	if err != nil {
		return err
	}
	if now, err := s.conn.StreamMade(ctx, event.RequestStream); err != nil || !now.Equal(made) {
		return errors.Join(err, libra.ErrUnavailable)
	}
	onBus := map[string]int{}
	for _, page := range pages {
		onBus[page]++
	}
	for i, page := range s.Memory.resync(onBus, then) {
		if i == lookups {
			break // the next round goes on
		}
		r, err := s.conn.OpenRequest(ctx, page)
		if errors.Is(err, libra.ErrNotFound) {
			s.Memory.settled(page) // answered meanwhile
			continue
		} else if err != nil {
			return err
		}
		s.OnRequest(r)
	}
	return nil
}

// followLive subscribes to what is not stored: steps and heartbeats.
func (s *State) followLive(ctx context.Context) {
	defer subscribe(s, s.conn.SubscribeSteps, func(step event.Step) {
		s.Memory.step(step, time.Now())
		s.Hub.send("step", step.Page, step)
	})()
	defer subscribe(s, s.conn.SubscribeHeartbeats, func(b event.Heartbeat) { s.Memory.beat(b, time.Now()) })()
	every(ctx, time.Second, func() {
		now := time.Now()
		extraBefore := now.Add(-forgetExtra)
		if !s.BusUp() || s.busJustBack(now) { // no heartbeat is received
			extraBefore = time.Time{}
		}
		s.Memory.forget(now.Add(-forgetAfter), extraBefore)
		s.Notes.Prune(now)
		for _, page := range s.Memory.doubtful(now.Add(-s.cfg.StepTimeout)) {
			if s.BusUp() {
				s.whetherLive(ctx, page)
			}
		}
	})
}

// leaveSilentWorkers returns a function that takes pages off inspectors whose
// heartbeats do not arrive.
func (s *State) leaveSilentWorkers() func([]ComponentDoc) {
	left := map[string]time.Time{} // by instance, the silence that was seen
	return func(components []ComponentDoc) {
		if s.busPart().fault != "" || s.busJustBack(time.Now()) {
			return // heartbeats had no time to arrive
		}
		if len(left) > mostInstances {
			clear(left)
		}
		for _, c := range components {
			if c.Component != component.Inspector || c.State == Healthy || !c.Seen() || left[c.Instance].Equal(c.UnknownSince) {
				continue
			}
			left[c.Instance] = c.UnknownSince
			s.Memory.leave(c.Instance, c.UnknownSince)
		}
	}
}

// whetherLive asks who works on a page, and notes the answer.
func (s *State) whetherLive(ctx context.Context, page string) {
	then := time.Now()
	step, err := s.workers.step(ctx, page)
	switch {
	case err == nil && step.Page == page:
		s.Memory.step(step, time.Now())
	case ctx.Err() == nil:
		s.Memory.idle(page, then)
	}
}

// announceStatus returns a function that sends an event when what is unknown, refused
// or degraded has changed since its last call.
func (s *State) announceStatus() func([]ComponentDoc) {
	was, first := "", true
	return func(components []ComponentDoc) {
		var now []string
		unknown, refused := s.gaps(time.Now())
		for _, g := range append(unknown, refused...) {
			now = append(now, g.What)
		}
		for _, d := range s.Degraded(time.Now()) {
			if d.Code != libra.CodeOverloaded { // it comes and goes, and clients that ask would add to it
				now = append(now, d.Part)
			}
		}
		for _, c := range components {
			now = append(now, c.name(), string(c.State))
		}
		is := strings.Join(now, "\n")
		if is != was && !first {
			s.Hub.sendAll("status", statusEvent{s.Up().Status})
		}
		was, first = is, false
	}
}

// doubtful lists pages whose worker last sent a step before a time.
func (m *Memory) doubtful(before time.Time) (pages []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.order {
		if e.step.Step != "" && e.stepAt.Before(before) && len(pages) < 64 {
			pages = append(pages, e.id)
		}
	}
	return pages
}

// asker asks workers for their step, one question per page at a time, however
// many want to know.
type asker struct {
	conn *bus.Conn

	mu      sync.Mutex
	waiting map[string]*answer // under mu; by page
}

type answer struct {
	done chan struct{} // closed when step and err stand
	step event.Step
	err  error
}

func newAsker(conn *bus.Conn) *asker { return &asker{conn: conn, waiting: map[string]*answer{}} }

func (a *asker) step(ctx context.Context, page string) (event.Step, error) {
	a.mu.Lock()
	ans, asked := a.waiting[page]
	if !asked {
		ans = &answer{done: make(chan struct{})}
		a.waiting[page] = ans
	}
	a.mu.Unlock()
	if asked {
		select {
		case <-ans.done:
			return ans.step, ans.err
		case <-ctx.Done():
			return event.Step{}, ctx.Err()
		}
	}
	ans.step, ans.err = a.conn.AskStep(context.WithoutCancel(ctx), page) // others wait for it too
	a.mu.Lock()
	delete(a.waiting, page)
	a.mu.Unlock()
	close(ans.done)
	return ans.step, ans.err
}
