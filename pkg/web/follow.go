package web

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"libra/pkg/bus"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// How often web looks for itself, where the bus does not tell.
const (
	probeEvery  = 500 * time.Millisecond
	resyncEvery = 30 * time.Second
	forgetAfter = 10 * time.Minute
	// lookups bounds the open requests that one resync asks the bus for.
	lookups = 500
)

// follow starts everything that keeps memory and health right.
func (s *Server) follow(ctx context.Context, wg *sync.WaitGroup) {
	wg.Go(func() { s.probeBus(ctx) })
	wg.Go(func() { s.checkHistory(ctx) })
	wg.Go(func() { s.followRequests(ctx) })
	wg.Go(func() { s.followLive(ctx) })
	wg.Go(func() { s.conn.ConsumeReports(ctx, s.caughtUp, s.onReport) })
	wg.Go(func() { s.conn.ConsumeAlarms(ctx, s.thenRecall(s.memory.setAlarmed), s.onAlarm) })
	wg.Go(func() { s.conn.ConsumeNotes(ctx, s.thenRecall(s.notes.MarkComplete), s.onNote) })
	wg.Go(func() { s.conn.ConsumeWatches(ctx, s.thenRecall(s.watches.setCaughtUp), s.onWatch) })
}

func (s *Server) caughtUp() {
	if s.memory.setCaughtUp() {
		s.log.Info("newest reports are in memory", "pages", s.memory.counts().Pages)
		s.recallSoon()
	}
}

// thenRecall is caughtUp, and has checkHistory read at once what the bus lacks.
func (s *Server) thenRecall(caughtUp func()) func() {
	return func() {
		caughtUp()
		s.recallSoon()
	}
}

// recallSoon starts the next round of checkHistory; it never blocks.
func (s *Server) recallSoon() {
	select {
	case s.recallNow <- struct{}{}:
	default: // one is due already
	}
}

func (s *Server) onReport(r event.Reported) {
	if r.Request.Page == "" {
		return
	}
	news, shown := s.memory.report(r)
	if !news {
		return
	}
	if !shown {
		// A failure after a good report, which stays in the cache.
	} else if data, err := encode(r.Report); err != nil {
		s.log.Error("report cannot be kept in memory", "page", r.Request.Page, "request", r.Request.ID, "err", err)
	} else {
		s.memory.reports.put(r.Request.Page, r.Request.ID, data)
	}
	if loaded, _ := s.memory.ready(); loaded {
		s.hub.tell("report", r.Request.Page, reportEvent(r.Request.Page, summarize(r, s.cfg.Profile)))
	}
}

func (s *Server) onAlarm(t libra.Transition) {
	if !s.memory.alarm(t) {
		return
	}
	if _, loaded := s.memory.ready(); loaded {
		s.hub.tell("alarm", pageOf(t.Alarm), t)
	}
}

func (s *Server) onNote(n libra.Note) {
	if !s.notes.take(n) || !s.notes.IsComplete() {
		return
	}
	t, _, _ := s.memory.alarmOf(n.Alarm)
	s.hub.tell("note", pageOf(t.Alarm), n)
}

func (s *Server) onWatch(w event.Watch) {
	if s.watches.take(w) && s.watches.ready() {
		s.hub.tell("watch", w.Page, watchEvent{w.Page, w.URL, showEvery(w.EveryS)})
	}
}

func (s *Server) onRequest(r event.Request) {
	if s.memory.request(r, time.Now()) {
		s.hub.tell("request", r.Page, requestEvent{r.ID, r.Page, r.URL, r.Asked})
	}
}

// heartbeatEvery is how often the server asks itself.
const heartbeatEvery = 500 * time.Millisecond

// answerTime is what the server declares for its next answer to itself.
const answerTime = 3 * time.Second

// heartbeat asks the server itself whether it answers, and only then declares
// the next round. A lock that nobody gives back thus ends the process.
func (s *Server) heartbeat(ctx context.Context) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "/up", nil)
	if err != nil {
		panic(err) // the arguments are constants
	}
	tick := time.NewTicker(heartbeatEvery)
	defer tick.Stop()
	for ctx.Err() == nil {
		w := &discard{header: http.Header{}}
		s.handler.ServeHTTP(w, req)
		if w.code != 0 && s.loop != nil {
			s.loop.Allow(answerTime)
		}
		if s.cfg.Status != nil {
			s.cfg.Status(s.Status())
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// discard is a ResponseWriter that keeps the status alone.
type discard struct {
	header http.Header
	code   int
}

func (d *discard) Header() http.Header { return d.header }

func (d *discard) WriteHeader(code int) {
	if d.code == 0 {
		d.code = code
	}
}

func (d *discard) Write(b []byte) (int, error) {
	d.WriteHeader(http.StatusOK)
	return len(b), nil
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

// probeBus asks the bus for a sign of life. Until the first answer, and while
// it is away, it looks more often, so that nobody is kept waiting.
func (s *Server) probeBus(ctx context.Context) {
	probe := func() bool {
		fault := ""
		if !s.conn.Connected() {
			fault = "not connected"
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
func (s *Server) checkHistory(ctx context.Context) {
	recalled := false
	check := func() {
		try, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		fault := ""
		if err := s.history.Check(try); err != nil {
			fault = err.Error()
		} else if birth, err := s.history.Since(try); err == nil { // else it is of an older Libra, or about to fail Check
			s.birth.Store(birth.Unix())
		}
		if ctx.Err() != nil {
			return
		}
		s.historyFault(fault)
		if loaded, _ := s.memory.ready(); loaded && fault == "" {
			s.seekGood(ctx)
		}
		if fault == "" && !recalled {
			recalled = s.recall(ctx)
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

// subscribe starts what the bus tells without storing. The subscription lasts
// through every outage; only a closed connection refuses it.
func subscribe[T any](s *Server, watch func(func(T)) (func(), error), fn func(T)) (stop func()) {
	stop, err := watch(fn)
	if err != nil {
		s.log.Error("cannot listen to the bus", "err", err)
		return func() {}
	}
	return stop
}

// followRequests keeps the open requests right: told by the bus, set right
// after every time it was away, and every half minute.
func (s *Server) followRequests(ctx context.Context) {
	defer subscribe(s, s.conn.SubscribeRequests, s.onRequest)()
	var last time.Time
	every(ctx, probeEvery/2, func() {
		switch {
		case !s.conn.Connected():
			last = time.Time{}
		case time.Since(last) > resyncEvery:
			if err := s.resync(ctx); err == nil {
				last = time.Now()
			} else if ctx.Err() == nil {
				s.log.Debug("list open requests", "err", err)
			}
		}
	})
}

func (s *Server) resync(ctx context.Context) error {
	then := time.Now()
	pages, err := s.conn.OpenPages(ctx)
	if err != nil {
		return err
	}
	onBus := map[string]int{}
	for _, page := range pages {
		onBus[page]++
	}
	for i, page := range s.memory.resync(onBus, then) {
		if i == lookups {
			break // the next round goes on
		}
		r, err := s.conn.OpenRequest(ctx, page)
		if errors.Is(err, libra.ErrNotFound) {
			continue // answered meanwhile
		} else if err != nil {
			return err
		}
		s.onRequest(r)
	}
	return nil
}

// followLive listens to what is told and forgotten: steps and beats.
func (s *Server) followLive(ctx context.Context) {
	defer subscribe(s, s.conn.SubscribeSteps, func(step event.Step) {
		s.memory.step(step, time.Now())
		s.hub.tell("step", step.Page, step)
	})()
	defer subscribe(s, s.conn.SubscribeHeartbeats, func(b event.Heartbeat) { s.memory.beat(b, time.Now()) })()
	every(ctx, time.Second, func() {
		now := time.Now()
		s.memory.forget(now.Add(-forgetAfter))
		s.notes.Prune(now)
		for _, page := range s.memory.doubtful(now.Add(-s.cfg.StepTimeout)) {
			if s.busUp() {
				s.whetherLive(ctx, page)
			}
		}
	})
}

// whetherLive asks who works on a page, and notes the answer.
func (s *Server) whetherLive(ctx context.Context, page string) {
	then := time.Now()
	step, err := s.workers.step(ctx, page)
	switch {
	case err == nil && step.Page == page:
		s.memory.step(step, time.Now())
	case ctx.Err() == nil:
		s.memory.idle(page, then)
	}
}

// doubtful lists pages whose worker was last heard of before a time.
func (m *memory) doubtful(before time.Time) (pages []string) {
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
