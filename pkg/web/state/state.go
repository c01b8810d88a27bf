// Package state is what libra-web knows: the newest reports, open requests,
// alarms, notes, the board, watches and heartbeats, in memory, filled from the bus, with
// SQLite behind it. It reads, and remembers nothing that it cannot read again; after
// kill -9 it is filled again.
//
// State.Follow keeps it current. Lookups answer at once where memory knows, and
// else ask bus and SQLite within Config.Patience; their errors are
// libra.ErrNotFound and libra.ErrUnavailable. It knows nothing of HTTP.
package state

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"libra/pkg/bus"
	"libra/pkg/store"
	"libra/pkg/web/admission"
	"libra/pkg/web/capacity"
	"libra/pkg/web/live"
)

// Config is as in web.Config, which documents and fills in every field.
type Config struct {
	Profile          string
	Version          string
	Bounds           Bounds
	MaxStreams       int
	Patience         time.Duration
	HeartbeatTimeout time.Duration
	ReconnectTime    time.Duration
	StepTimeout      time.Duration
	HistoryCheck     time.Duration
	SampleEvery      time.Duration
	// Connections counts the open connections of libra-web. May be nil.
	Connections func() int
}

// State is everything that is known. Its parts each have a mutex of their own
// that is never held while waiting for anything.
type State struct {
	cfg     Config
	log     *slog.Logger
	conn    *bus.Conn
	history History

	Memory  *Memory
	Notes   *Notebook
	Board   *Board
	Watches *Watchlist
	Hosts   *HostList
	Hub     *Hub
	Live    *live.View
	// Stores bounds what is being stored on the bus for clients, Reads the lists
	// and timelines that are being read for them from SQLite.
	Stores, Reads *admission.Limiter

	// capacity has samples of what is counted in heartbeats, and of the open requests.
	capacity *capacity.Tracker
	size     atomic.Pointer[store.Size] // of the history; nil while it is not known
	health   *health
	workers  *asker
	journals journals
	// resubmitted is what is done about open requests that the bus has lost.
	resubmitted resubmission

	started   time.Time
	recalled  atomic.Bool    // recall was done once; see there
	reads     sync.WaitGroup // of SQLite; some outlast the request that started them
	birth     atomic.Int64   // of the history, in Unix seconds; 0 while it is not known
	recallNow chan struct{}  // of one; see recallSoon
}

// New makes a state that knows nothing yet. conn may be disconnected.
func New(cfg Config, log *slog.Logger, conn *bus.Conn, history History) *State {
	now := time.Now()
	cfg.Bounds = cfg.Bounds.withDefaults()
	watches := newWatchlist(cfg.Bounds.Watches)
	return &State{
		started: now, cfg: cfg, log: log, conn: conn, history: history,
		Memory: newMemory(cfg.Bounds, cfg.Profile, watches.has), Notes: newNotebook(cfg.Bounds.Notes), Board: newBoard(cfg.Bounds.Board), Watches: watches, Hosts: newHostList(cfg.Bounds.Hosts), Hub: newHub(cfg.MaxStreams, cfg.Bounds.Streams),
		Stores: admission.New(time.Now), Reads: admission.New(time.Now),
		health: newHealth(now), workers: newAsker(conn), Live: newLive(), capacity: capacity.NewTracker(), recallNow: make(chan struct{}, 1),
	}
}
