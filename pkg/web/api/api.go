// Package api is libra-web's JSON API: its documents, its handlers, its problems,
// and what it publishes on behalf of a client. What it answers it reads from
// package state. A request, a note and a watch are durable before it answers.
package api

import (
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"libra/pkg/bus"
	"libra/pkg/inspect/address"
	"libra/pkg/labapi"
	"libra/pkg/meter"
	"libra/pkg/trace"
	"libra/pkg/web/state"
)

// Config is as in web.Config, which documents and fills in every field.
type Config struct {
	Guard          address.Guard  // of the pages that are submitted
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed
	Site           string
	Profile        string
	MaxStreams     int
	MaxList        int
	Patience       time.Duration
	SubmitPatience time.Duration
	Traces         *trace.Exporter
	Lab            string // control socket of libra-lab; "" where the lab is off
}

// API answers programs, and makes the documents that the HTML pages show.
type API struct {
	cfg      Config
	log      *slog.Logger
	conn     *bus.Conn
	state    *state.State
	failHTML func(w http.ResponseWriter, r *http.Request, p *Problem)
	stopping <-chan struct{} // closed when event streams are to end

	submitted, refused atomic.Int64
	busy               meter.Meter // submissions
	full               fullClients
	trials             chan struct{}  // holds one for each trial message that is being sent
	looks, ends        chan struct{}  // hold one for each inspection that is looked into, or ended
	lab                *labapi.Client // nil where the lab is off
}

// New makes an API. Event streams end when stopping is closed.
func New(cfg Config, log *slog.Logger, conn *bus.Conn, st *state.State, stopping <-chan struct{}) *API {
	s := &API{cfg: cfg, log: log, conn: conn, state: st, stopping: stopping, trials: make(chan struct{}, mostTrials), looks: make(chan struct{}, mostLooks), ends: make(chan struct{}, mostLooks)}
	if cfg.Lab != "" {
		s.lab = labapi.NewClient(cfg.Lab)
	}
	return s
}

// OnHTMLProblem sets what answers a browser with a problem. It is called before
// the first request.
func (s *API) OnHTMLProblem(fail func(w http.ResponseWriter, r *http.Request, p *Problem)) {
	s.failHTML = fail
}
