// Package web is the component that people and programs talk to: HTML pages,
// a JSON API, server-sent events, health and metrics. It keeps nothing that it
// cannot read again: the newest summary of every page is in memory, filled from
// the bus, with SQLite behind it. So it answers while either of them is away, and
// its answers name what may be missing.
//
//	GET  /                      newest pages, a form to submit one
//	POST /pages                 the form: 303 to the page
//	GET  /pages/{id}            live progress, then the report and its score
//	POST /pages/{id}/release    the button of a page in quarantine
//	POST /pages/{id}/watch      the form that has it inspected at an interval
//	GET  /alarms                what is wrong, silences, what happened
//	GET  /alarms/{id}           one alarm and its timeline
//	POST /alarms/{id}/acknowledge, /silences, /silences/{id}/end   their forms
//	GET  /runbook               what to do about each alarm
//	GET  /status                what runs
//	GET  /capacity              how busy it is, and what more fits
//	GET  /live                  the last minute, and what is being inspected
//	GET  /live/{request}        one inspection, looked into
//	POST /live/{request}/end    the button that ends it
//	GET  /lab                   load and faults on purpose, beside the live charts
//	POST /lab                   its forms
//	POST /api/pages             {"url":…} -> 202 {id, url, state}, once durable;
//	                            409 while the page is in quarantine. With
//	                            "every":"30s" it is watched, held against
//	                            "budget":[…]; "every":"off" ends that: 200
//	GET  /api/pages             newest first: ?limit= ?after= ?watched=true
//	GET  /api/pages/{id}        libra.Page, its score, and the newest answer
//	GET  /api/pages/{id}/trace  the spans of the request that its report answers
//	POST /api/pages/{id}/release  inspect a page that is in quarantine: 202
//	GET  /api/events            server-sent events: ?page=
//	GET  /api/alarms            open first, the worst first: ?state=raised|cleared
//	GET  /api/alarms/{id}       an alarm and its timeline: ?limit= ?after=
//	POST /api/alarms/{id}/acknowledge  {"text":…}, once durable
//	GET  /api/history           the timeline of all alarms: ?limit= ?after=
//	GET  /api/silences          in force or to come
//	POST /api/silences          {"match":{…},"for":"2h","why":…} -> 201, once
//	                            durable
//	DELETE /api/silences/{id}   ends it, once durable
//	GET  /api/channels          the channels and routes in force
//	POST /api/channels/{name}/test  sends a trial message -> event.Tried
//	GET  /api/status            components, degraded parts, counts
//	GET  /api/capacity          stages, queue, history, how many watches fit
//	GET  /api/live              samples of the last minute, inspections in
//	                            progress: ?from=
//	GET  /api/live/{request}    event.Look, and lines of the journal
//	POST /api/live/{request}/end  ends it: 202
//	GET  /api/lab               labapi.State; 404 unless LIBRA_LAB is on
//	POST /api/lab/dial, /api/lab/inspectors  {"value":20}
//	POST /api/lab/do            {"action":…,"unit":…}: 202
//	POST /api/lab/reset         undoes everything
//	GET  /up                    500 LOADING, then 200: OK, or what is unknown,
//	                            refused or degraded
//	GET  /metrics               for Prometheus
//
// Every error is RFC 9457 problem JSON, or an HTML page for a browser. A page
// shows its newest good report, and says when later inspections failed.
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"libra/pkg/bus"
	"libra/pkg/inspect/address"
	"libra/pkg/inspect/score"
	"libra/pkg/libra"
	"libra/pkg/trace"
	"libra/pkg/web/api"
	"libra/pkg/web/capacity"
	"libra/pkg/web/pages"
	"libra/pkg/web/state"
)

// Config is one web server. The zero value of every field is a default.
type Config struct {
	// Site is the first part of every request's subject; "home" by default.
	Site string
	// BaseURL is where people reach Libra. Its host is one of Hosts. Its path is
	// the prefix below which a reverse proxy serves Libra, and begins every link;
	// the X-Forwarded-Prefix of a request overrides it.
	BaseURL string
	// Hosts are the names under which people reach Libra, besides localhost and
	// IP addresses, which always are. A request for another name is
	// refused: its owner may have pointed it at this address.
	Hosts []string
	// Allow lists the address prefixes that pages may have although they are not
	// public, as the inspectors' own. A page at another such address is refused when
	// it is submitted.
	Allow []netip.Prefix
	// TrustedProxies are the addresses of reverse proxies whose X-Forwarded-For is
	// believed: which client a request is from, for its share of everything.
	TrustedProxies []netip.Prefix
	// Profile is the device whose web pages a score compares with: "desktop",
	// the default, or "mobile". The inspectors' own should be the same.
	Profile string
	// RunbookURL is where docs/operations.md is published, for links; "" is our
	// own /runbook.
	RunbookURL string
	// Status takes one line for systemctl status, every second. May be nil.
	Status func(string)
	// Traces exports a span for each request that is accepted; nil exports none.
	Traces *trace.Exporter
	// Version of the build, as /api/status and /metrics show it.
	Version string
	// Bounds is what everything in memory may take; see state.Bounds for its
	// defaults, 48 MB together. What has no room is read from the bus and from SQLite.
	Bounds state.Bounds
	// MaxStreams bounds the clients of /api/events; 256.
	MaxStreams int
	// MaxConns bounds open connections, event streams left out; 1024. One address has
	// three quarters of them at most. At these limits the connection that has waited
	// longest for its client is closed; if none waits, more wait in the listen queue, or
	// are closed where their address has its share.
	MaxConns int
	// HeaderTimeout and BodyTimeout bound how long a client may take to send the
	// headers, and headers and body; 5 s, 10 s. IdleTimeout is how long a connection
	// may be idle between two requests; 10 s.
	HeaderTimeout, BodyTimeout, IdleTimeout time.Duration
	// MaxList bounds the entries of one answer that lists; 500.
	MaxList int
	// MaxPageMetrics bounds the watched pages with metrics of their own, six
	// series each; 500. /metrics shows the number of those beyond it.
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
	// is sent every 250 ms, before its state counts as unknown; 800 ms. One that sends
	// them less often has three of its intervals.
	HeartbeatTimeout time.Duration
	// ReconnectTime is what components need to connect to a bus that has come back,
	// and to send a heartbeat; 2 s.
	ReconnectTime time.Duration
	// StepTimeout is how old the last step of an inspection may be before its
	// worker is asked whether it still has the page; 3 s.
	StepTimeout time.Duration
	// HistoryCheck is how often SQLite is looked at; 2 s.
	HistoryCheck time.Duration
	// SampleEvery is how often what /capacity shows is measured; 5 s.
	SampleEvery time.Duration
	// Lab is the control socket of libra-lab, to which everybody may have requests passed
	// on; "" where nobody may.
	Lab string
	// Linger is for how long requests are still answered once asked to stop, each answer with
	// Connection: close; 700 ms. A client that reuses its connection within that time never
	// sends a request on one that is being closed. No component is missed sooner.
	Linger time.Duration
	// Drain is how long answers under way may take after that; 3 s.
	Drain time.Duration
}

func (c Config) withDefaults() Config {
	or(&c.Site, "home")
	or(&c.Profile, score.Desktop)
	c.Hosts = slices.Clone(c.Hosts)
	if host := parseBase(c.BaseURL).host; host != "" {
		c.Hosts = append(c.Hosts, host)
	}
	for i, host := range c.Hosts {
		c.Hosts[i], _ = hostname(host)
	}
	or(&c.Version, "0.0.0")
	or(&c.MaxStreams, 256)
	or(&c.MaxConns, 1024)
	or(&c.HeaderTimeout, 5*time.Second)
	or(&c.BodyTimeout, 10*time.Second)
	or(&c.IdleTimeout, 10*time.Second)
	or(&c.MaxList, 500)
	or(&c.MaxPageMetrics, 500)
	or(&c.Patience, 4*time.Second)
	or(&c.SubmitPatience, 2500*time.Millisecond)
	or(&c.HeartbeatTimeout, 800*time.Millisecond)
	or(&c.ReconnectTime, 2*time.Second)
	or(&c.StepTimeout, 3*time.Second)
	or(&c.HistoryCheck, 2*time.Second)
	or(&c.SampleEvery, capacity.Every)
	or(&c.Linger, 700*time.Millisecond)
	or(&c.Drain, 3*time.Second)
	return c
}

func or[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

// Server answers HTTP. What it knows is in state, and what it answers is made by
// api and pages.
type Server struct {
	cfg  Config
	base base // of cfg.BaseURL
	log  *slog.Logger
	loop bus.Loop

	state   *state.State
	api     *api.API
	pages   *pages.Pages
	metrics *meter
	conns   *conns
	handler http.Handler
	cross   *http.CrossOriginProtection

	lingers  atomic.Bool   // Run was asked to end, and answers for Config.Linger
	stopping chan struct{} // closed when Run begins to end; streams end then
	gate     sync.RWMutex  // read-locked by every handler; Run ends by locking it
}

// New makes a server. conn may be disconnected. loop supervises that
// HTTP is answered; it may be nil.
func New(cfg Config, log *slog.Logger, conn *bus.Conn, history state.History, loop bus.Loop) *Server {
	cfg = cfg.withDefaults()
	s := &Server{cfg: cfg, base: parseBase(cfg.BaseURL), log: log, loop: loop, stopping: make(chan struct{}), cross: http.NewCrossOriginProtection()}
	if s.base.origin != "" { // a proxy may send another Host than the browser sends it
		if err := s.cross.AddTrustedOrigin(s.base.origin); err != nil {
			log.Warn("forms are accepted for this host only", "base_url", cfg.BaseURL, "err", err)
		}
	}
	s.conns = newConns(cfg.MaxConns, cfg.MaxStreams)
	s.state = state.New(state.Config{
		Profile: cfg.Profile, Version: cfg.Version, Bounds: cfg.Bounds, MaxStreams: cfg.MaxStreams, Patience: cfg.Patience,
		HeartbeatTimeout: cfg.HeartbeatTimeout, ReconnectTime: cfg.ReconnectTime, StepTimeout: cfg.StepTimeout, HistoryCheck: cfg.HistoryCheck, SampleEvery: cfg.SampleEvery, Connections: s.conns.open,
	}, log, conn, history)
	s.api = api.New(api.Config{
		Guard: address.NewGuard(cfg.Allow, address.AskOperator), TrustedProxies: cfg.TrustedProxies, Site: cfg.Site, Profile: cfg.Profile, MaxStreams: cfg.MaxStreams, MaxList: cfg.MaxList,
		Patience: cfg.Patience, SubmitPatience: cfg.SubmitPatience, Traces: cfg.Traces, Lab: cfg.Lab,
	}, log, conn, s.state, s.stopping)
	s.pages = pages.New(pages.Config{Version: cfg.Version, RunbookURL: cfg.RunbookURL, MaxList: cfg.MaxList, Lab: cfg.Lab != ""}, s.state, s.api)
	s.metrics = newMeter(s)
	s.handler = s.routes()
	return s
}

// Submitted counts the requests that were accepted, Refused those that nothing
// durable could take.
func (s *Server) Submitted() int64 { return s.api.Submitted() }

// Refused: see Submitted.
func (s *Server) Refused() int64 { return s.api.Refused() }

// Busy is how long submissions have been in progress, see api.API.Busy.
func (s *Server) Busy() int64 { return s.api.Busy() }

// Slots is how many submissions may be in progress at a time now.
func (s *Server) Slots() int64 { return int64(s.state.Stores.Figures().Limit) }

// Handler answers every request, for a caller that serves HTTP itself.
func (s *Server) Handler() http.Handler { return s.handler }

// Run serves l until ctx ends, and returns when every goroutine of the server
// has. It serves at once, whatever else is away.
func (s *Server) Run(ctx context.Context, l net.Listener) error {
	asked := ctx.Done()
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	answers, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	srv := &http.Server{
		Handler:           s.tracked(),
		BaseContext:       func(net.Listener) context.Context { return answers },
		ConnContext:       withConn,
		ConnState:         s.conns.changed,
		ReadHeaderTimeout: s.cfg.HeaderTimeout,
		ReadTimeout:       s.cfg.BodyTimeout,
		WriteTimeout:      30 * time.Second, // streams renew theirs with every event
		IdleTimeout:       s.cfg.IdleTimeout,
		MaxHeaderBytes:    32 << 10,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelError), // a handler that panicked
	}
	var wg sync.WaitGroup
	served := make(chan error, 1)
	wg.Go(func() { served <- srv.Serve(s.conns.listen(l)) })
	wg.Go(func() { s.heartbeat(ctx) })
	s.state.Follow(ctx, &wg)

	var err error
	select {
	case <-asked:
		s.lingers.Store(true)
		select {
		case <-time.After(s.cfg.Linger):
		case err = <-served:
		}
	case err = <-served:
	}
	if err != nil {
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
	s.state.Wait()
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
		if s.lingers.Load() {
			w.Header().Set("Connection", "close")
		}
		if r.Body != http.NoBody {
			defer s.conns.watchBody(r)()
		}
		s.handler.ServeHTTP(w, r)
	})
}

// Status is the line for systemctl status.
func (s *Server) Status() string {
	up := s.state.Up()
	if !up.Serving() {
		return "loading"
	}
	c := s.state.Memory.Counts()
	line := "serving " + libra.Several(c.Pages, "page") + ", " + libra.Several(c.Open, "open request")
	for _, d := range up.Degraded {
		line += "; degraded: " + d.Part
	}
	return line
}
