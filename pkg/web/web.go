// Package web is the component that people and programs talk to: HTML pages,
// a JSON API, server-sent events, health and metrics. It keeps nothing that it
// cannot get again: the newest summary of every page is in memory, filled from
// the bus, with SQLite behind it. So it answers while either of them is away,
// and says in its answers what that costs.
//
//	GET  /                      newest pages, a form to submit one
//	POST /pages                 the form: 303 to the page
//	GET  /pages/{id}            live progress, then the report and its score
//	POST /pages/{id}/release    the button of a page in quarantine
//	POST /pages/{id}/watch      the form that has it weighed again and again
//	GET  /alarms                what is wrong, silences, what happened
//	GET  /alarms/{id}           one alarm and its timeline
//	POST /alarms/{id}/acknowledge, /silences, /silences/{id}/end   their forms
//	GET  /runbook               what to do about each alarm
//	GET  /status                what runs
//	POST /api/pages             {"url":…} -> 202 {id, url, state}, once durable;
//	                            409 while the page is in quarantine. With
//	                            "every":"30s" it is watched, held against
//	                            "budget":[…]; "every":"off" ends that: 200
//	GET  /api/pages             newest first: ?limit= ?after= ?watched=true
//	GET  /api/pages/{id}        libra.Page, its score, and the newest answer
//	POST /api/pages/{id}/release  weigh a page that is in quarantine: 202
//	GET  /api/events            server-sent events: ?page=
//	GET  /api/alarms            open first, the worst first: ?state=raised|cleared
//	GET  /api/alarms/{id}       an alarm and its timeline: ?limit= ?after=
//	POST /api/alarms/{id}/acknowledge  {"text":…}, once durable
//	GET  /api/history           the timeline of all alarms: ?limit= ?after=
//	GET  /api/silences          in force or to come
//	POST /api/silences          {"match":{…},"for":"2h","why":…} -> 201, once
//	                            durable
//	DELETE /api/silences/{id}   ends it, once durable
//	POST /api/channels/{name}/test  sends a trial message -> event.Tried
//	GET  /api/status            components, degraded parts, counts
//	GET  /up                    500 LOADING, then 200 OK and what is degraded
//	GET  /metrics               for Prometheus
//
// Every error is RFC 9457 problem JSON, or an HTML page for a browser. A page
// shows its newest good report for as long as there is one, and where it could
// not be had again, says so.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"

	"libra/pkg/bus"
	"libra/pkg/event"
	"libra/pkg/inspect/score"
	"libra/pkg/libra"
	"libra/pkg/store"
)

// Config is one web server. The zero value of every field is a default.
type Config struct {
	// Site is the first part of every request's subject; "home" by default.
	Site string
	// Hosts are the names under which people reach Libra, besides localhost and
	// IP addresses, which always are. Another name in a request's Host is one
	// that somebody else has pointed here.
	Hosts []string
	// Profile is the device whose web pages a score compares with: "desktop",
	// the default, or "mobile". The inspectors' own should be the same.
	Profile string
	// RunbookURL is where docs/operations.md is published, for links; by default
	// our own /runbook.
	RunbookURL string
	// Status takes one line for systemctl status, every second. May be nil.
	Status func(string)
	// Version of the build, as /api/status and /metrics tell it.
	Version string
	// CacheBytes bounds the compressed full reports in memory; 32 MB.
	CacheBytes int64
	// MaxPages bounds the pages in memory, at about 1 KB each; 20,000. Older
	// ones are read from the bus and from SQLite.
	MaxPages int
	// MaxStreams bounds the clients of /api/events; 256.
	MaxStreams int
	// MaxConns bounds open connections; 1024. More wait in the listen queue.
	MaxConns int
	// MaxList bounds the entries of one answer that lists; 500.
	MaxList int
	// MaxPageMetrics bounds the watched pages with metrics of their own, six
	// series each; 500. Of those beyond it /metrics tells the number.
	MaxPageMetrics int
	// Patience is how long a read of what memory does not hold may wait for bus
	// and SQLite together, and how long a bus that went away counts as one
	// that is about to come back; 4 s: on a busy machine a killed bus takes 2 s
	// or 3.
	Patience time.Duration
	// SubmitPatience is how long what is to be stored, a submission or a note,
	// may wait for the bus before it is refused; 2.5 s where it is 0.
	SubmitPatience time.Duration
	// HeartbeatTimeout is how long a component may go without a heartbeat, which
	// is sent every second, before it counts as down; 3.5 s.
	HeartbeatTimeout time.Duration
	// StepTimeout is how old the last step of an inspection may be before its
	// worker is asked whether it still has the page; 3 s.
	StepTimeout time.Duration
	// HistoryCheck is how often SQLite is looked at; 2 s.
	HistoryCheck time.Duration
	// Drain is how long answers under way may take once asked to stop; 3 s.
	Drain time.Duration
}

func (c Config) withDefaults() Config {
	or(&c.Site, "home")
	or(&c.Profile, score.Desktop)
	c.Hosts = slices.Clone(c.Hosts)
	for i, host := range c.Hosts {
		c.Hosts[i] = hostname(host)
	}
	or(&c.RunbookURL, runbookPath)
	or(&c.Version, "0.0.0")
	or(&c.CacheBytes, 32<<20)
	or(&c.MaxPages, 20_000)
	or(&c.MaxStreams, 256)
	or(&c.MaxConns, 1024)
	or(&c.MaxList, 500)
	or(&c.MaxPageMetrics, 500)
	or(&c.Patience, 4*time.Second)
	or(&c.SubmitPatience, 2500*time.Millisecond)
	or(&c.HeartbeatTimeout, 3500*time.Millisecond)
	or(&c.StepTimeout, 3*time.Second)
	or(&c.HistoryCheck, 2*time.Second)
	or(&c.Drain, 3*time.Second)
	return c
}

func or[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

// History is SQLite as web reads it. It may be missing, locked or broken at
// any time: errors are libra.ErrNotFound or libra.ErrUnavailable.
type History interface {
	// Report is a page's newest good report, else its newest failed one.
	Report(ctx context.Context, page string) (event.Reported, error)
	// Complete is a page's newest complete report.
	Complete(ctx context.Context, page string) (event.Reported, error)
	// Failure is a page's newest failed report.
	Failure(ctx context.Context, page string) (event.Reported, error)
	// Latest lists for each page the newest good report, else the newest
	// failed one, of those published before a time, newest first.
	Latest(ctx context.Context, before time.Time, limit int) ([]event.Reported, error)
	// Alarms lists the newest transitions, newest first.
	Alarms(ctx context.Context, limit int) ([]libra.Transition, error)
	// Transitions and Notes list those of an alarm, or of all where alarm is
	// "", newest first, from after a mark on.
	Transitions(ctx context.Context, alarm string, after store.Mark, limit int) ([]libra.Transition, error)
	Notes(ctx context.Context, alarm string, after store.Mark, limit int) ([]libra.Note, error)
	// OpenAlarms lists the newest transition of every alarm that is raised.
	OpenAlarms(ctx context.Context) ([]libra.Transition, error)
	// Silences lists the newest note of each silence that has not ended.
	Silences(ctx context.Context, at time.Time) ([]libra.Note, error)
	// Watches lists the pages that are watched.
	Watches(ctx context.Context) ([]event.Watch, error)
	// Since is the time from which on it is complete.
	Since(ctx context.Context) (time.Time, error)
	// Check reads something.
	Check(ctx context.Context) error
}

// Server answers HTTP. Its parts meet in memory and hub alone, each with a
// mutex of its own that is never held while waiting for anything.
type Server struct {
	cfg     Config
	log     *slog.Logger
	conn    *bus.Conn
	history History
	loop    bus.Loop

	memory  *memory
	notes   *notebook
	watches *watchlist
	health  *health
	hub     *hub
	workers *asker
	metrics *meter
	handler http.Handler
	cross   *http.CrossOriginProtection

	reads     sync.WaitGroup // of SQLite; some outlast whoever asked
	recallNow chan struct{}  // of one; see recallSoon
	stopping  chan struct{}  // closed when Run begins to end; streams leave then
	failHTML  func(w http.ResponseWriter, r *http.Request, p *problem)
	gate      sync.RWMutex // read-locked by every handler; Run ends by locking it
	birth     atomic.Int64 // of the history, in Unix seconds; 0 while it is not known
	submitted atomic.Int64
	refused   atomic.Int64
}

// New makes a server. conn may be disconnected. loop supervises that
// HTTP is answered; it may be nil.
func New(cfg Config, log *slog.Logger, conn *bus.Conn, history History, loop bus.Loop) *Server {
	cfg = cfg.withDefaults()
	s := &Server{
		cfg: cfg, log: log, conn: conn, history: history, loop: loop,
		memory: newMemory(cfg.MaxPages, cfg.CacheBytes, cfg.Profile), notes: newNotebook(), watches: newWatchlist(), health: newHealth(time.Now(), cfg.HeartbeatTimeout), hub: newHub(cfg.MaxStreams),
		workers: newAsker(conn), stopping: make(chan struct{}), recallNow: make(chan struct{}, 1),
		cross: http.NewCrossOriginProtection(),
	}
	s.failHTML = s.renderProblem
	s.metrics = newMeter(s)
	s.handler = s.routes()
	return s
}

// historySince is since when the history goes; the zero time while that is not
// known.
func (s *Server) historySince() (at time.Time) {
	if seconds := s.birth.Load(); seconds != 0 {
		at = time.Unix(seconds, 0).UTC()
	}
	return at
}

// Handler answers everything, for whoever serves it otherwise than Run does.
func (s *Server) Handler() http.Handler { return s.handler }

// Submitted counts the requests that were accepted, Refused those that nothing
// durable could take.
func (s *Server) Submitted() int64 { return s.submitted.Load() }

// Refused: see Submitted.
func (s *Server) Refused() int64 { return s.refused.Load() }

// Run serves l until ctx ends, and returns when every goroutine of the server
// has. It serves at once, whatever else is away.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	srv := &http.Server{
		Handler:           s.tracked(),
		BaseContext:       func(net.Listener) context.Context { return answers },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second, // streams renew theirs with every event
		IdleTimeout:       60 * time.Second,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelError), // a handler that panicked
	}
	var wg sync.WaitGroup
	served := make(chan error, 1)
	wg.Go(func() { served <- srv.Serve(netutil.LimitListener(l, s.cfg.MaxConns)) })
	wg.Go(func() { s.heartbeat(ctx) })
	s.follow(ctx, &wg)

	var err error
	select {
	case <-ctx.Done():
	case err = <-served:
		err = fmt.Errorf("serve HTTP: %w", err)
	}
	cancel()
	close(s.stopping)
	drain, stop := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Drain)
	defer stop()
	if srv.Shutdown(drain) != nil {
		abandon()
		srv.Close()
	}
	s.gate.Lock() // handlers outlive Close
	wg.Wait()
	s.wait()
	if errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return err
}

// tracked lets Run wait for the handlers under way.
func (s *Server) tracked() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !s.gate.TryRLock() {
			panic(http.ErrAbortHandler) // Run is over
		}
		defer s.gate.RUnlock()
		s.handler.ServeHTTP(w, r)
	})
}

// Status is the line for systemctl status.
func (s *Server) Status() string {
	up := s.up()
	if up.Status != statusOK {
		return "loading"
	}
	c := s.memory.counts()
	line := "serving " + showCount(c.Pages, "page", "pages") + ", " + showCount(c.Open, "open request", "open requests")
	for _, d := range up.Degraded {
		line += "; degraded: " + d.Part
	}
	return line
}
