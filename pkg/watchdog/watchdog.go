// Package watchdog probes every component of Libra once a second and publishes a
// transition whenever an alarm is raised, gets worse, eases or clears.
//
//	probes (a goroutine each) --> evaluator (one goroutine) --> publisher --> bus
//	        |                     ^  |                              '-----> notifier's socket,
//	   own timeout,               |  Tally.Next                             while the bus is away
//	   skipped, never queued      |
//	                              |
//	reports of watched pages -----+  from the saved position, each once
//	troubles in heartbeats -------+  faults that components see themselves
//	systemd, over D-Bus ----------'  triggers probes when a unit changes
//
// What it remembers, and where, so that kill -9 repeats and forgets nothing:
//
//	Config.Runtime/counters.json  counters and last heartbeats, every second; a
//	                              file system in memory, so that neither a full
//	                              nor a worn disk matters. An orderly stop removes
//	                              it.
//	Config.Runtime/pages.json     the tallies of watched pages, and the position in
//	                              the stream up to which reports have been judged,
//	                              in one write; a copy in Config.State, every
//	                              minute.
//	Config.State/alarms.json      the newest transition of every alarm, and those
//	                              that the bus has not stored yet; written before
//	                              they are published.
//	the bus                       the newest transition of every alarm, read once
//	                              after each start. The newer of the two holds.
//
// A fault of the watchdog, or of the bus between it and a target, is never
// taken for a fault of the target: such a reading is Unclear and changes
// nothing.
package watchdog

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"libra/pkg/bus"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/rules"
	"libra/pkg/watchdog/publish"
)

// Bus is what the watchdog needs of bus.Conn.
type Bus interface {
	Ping(ctx context.Context) error
	CheckStreams(ctx context.Context) error
	PublishAlarm(ctx context.Context, t libra.Transition) error
	ConsumeAlarms(ctx context.Context, caughtUp func(), fn func(libra.Transition)) error
	// StreamMade is when a stream was made: one that was lost and made again has
	// another time.
	StreamMade(ctx context.Context, stream string) (time.Time, error)
	// ConsumeReports calls fn with the newest good and the newest failed report of
	// every page, then with every new one; some twice, and not always in order.
	ConsumeReports(ctx context.Context, caughtUp func(), fn func(event.Reported)) error
	// RecordReports stores every report, once and in order, from the position of
	// the reader.
	RecordReports(ctx context.Context, r bus.Recording[event.Reported]) error
	// ConsumeWatches calls fn with the newest state of every watch, then with every
	// change.
	ConsumeWatches(ctx context.Context, caughtUp func(), fn func(event.Watch)) error
	PublishNote(ctx context.Context, n libra.Note) error
	// InspectNow has a watched page inspected once, beside its schedule.
	InspectNow(ctx context.Context, w event.Watch, occasion string) error
	SubscribeHeartbeats(fn func(event.Heartbeat)) (stop func(), err error)
	// Queue returns the queue of requests as it is now.
	Queue(ctx context.Context) (bus.Queue, error)
}

// Checker returns an error while something is not healthy.
type Checker interface {
	Check(ctx context.Context) error
}

// Deps are what a watchdog works with.
type Deps struct {
	Bus Bus
	// SQLite is the recorder's database, opened for reading; nil leaves it
	// unprobed.
	SQLite Checker
	// Web sends the request to WebURL: a transport without keep-alive.
	Web http.RoundTripper
	// Systemd returns the states of units. Where it is nil, or does not answer,
	// only heartbeats are judged.
	Systemd Systemd
	// SendDirect sends a transition to the notifier without the bus: a POST to
	// NotifierSocket.
	SendDirect func(ctx context.Context, t libra.Transition) error
	Log        *slog.Logger
	// Loop supervises the goroutine that judges. May be nil.
	Loop bus.Loop
	// Status takes one line for systemctl status. May be nil.
	Status func(string)
}

// Watchdog probes and raises alarms. Make it with New.
type Watchdog struct {
	live       atomic.Pointer[Config]
	deps       Deps
	probes     []*probe
	heartbeats *heartbeats
	quarantine *quarantine
	watches    *watches
	services   *services
	alarms     rules.Keeper // of Config.AlarmsFile
	changing   sync.Mutex
	changes    chan settings // one at most; sent to under changing
}

// New applies the defaults and reads alarms.toml. Whatever is wrong with that
// file is an alarm, and the last good one, or the defaults, are in force.
func New(cfg Config, deps Deps) *Watchdog {
	cfg = cfg.withDefaults()
	if deps.Web == nil {
		deps.Web = &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: cfg.Timeout}).DialContext}
	}
	if deps.SendDirect == nil {
		deps.SendDirect = publish.Socket(cfg.NotifierSocket)
	}
	if deps.Loop == nil {
		deps.Loop = bus.Unsupervised{}
	}
	if deps.Status == nil {
		deps.Status = func(string) {}
	}
	w := &Watchdog{
		deps: deps, heartbeats: newHeartbeats(cfg), quarantine: newQuarantine(), watches: newWatches(), services: newServices(cfg, deps), changes: make(chan settings, 1),
	}
	var fault error
	if cfg.AlarmsFile != "" {
		w.alarms.File, w.alarms.LastGood = cfg.AlarmsFile, join(cfg.State, "alarms.toml.good")
		cfg.Thresholds, fault = w.load()
		w.heartbeats.setLimit(cfg.Heartbeat)
	}
	w.live.Store(&cfg)
	w.change(settings{nil, w.troubles(fault)})
	w.probes = w.allProbes()
	return w
}

// config is the configuration in force.
func (w *Watchdog) config() *Config { return w.live.Load() }

// Alarms lists the alarms this watchdog may raise, as they look when nothing
// is wrong; those of pages are there once, for a page "page".
func (w *Watchdog) Alarms() []libra.Alarm {
	all := []libra.Alarm{quarantineAlarm("page", "https://www.example.org/")}
	for _, kind := range pageKinds() {
		all = append(all, pageProbe(kind, "page", "https://www.example.org/").alarm)
	}
	for _, p := range w.probes {
		all = append(all, p.alarm)
	}
	return all
}

// Run probes until ctx ends.
func (w *Watchdog) Run(ctx context.Context) error {
	stop, err := w.deps.Bus.SubscribeHeartbeats(w.heartbeats.receive)
	if err != nil {
		return err
	}
	defer stop()
	cfg := w.config()
	out := publish.New(w.deps.Bus, w.deps.SendDirect, w.deps.Log, join(cfg.State, "alarms.json"))
	b := newEvaluator(w, out)

	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	results, history := make(chan observation), make(chan known)
	for _, p := range w.probes {
		wg.Go(func() { p.run(ctx, cfg.Interval, results) })
	}
	if cfg.AlarmsFile != "" {
		wg.Go(func() { w.alarms.Follow(ctx, w.nameFault) })
	}
	wg.Go(func() { out.Run(ctx) })
	wg.Go(func() { out.RunNotes(ctx) })
	wg.Go(func() { w.quarantine.consume(ctx, w.deps.Bus) })
	wg.Go(func() { w.watches.consume(ctx, w.deps.Bus) })
	wg.Go(func() { b.pages.readReports(ctx, w.deps.Bus) })
	wg.Go(func() { b.pages.runRechecks(ctx, w.deps.Bus) })
	if w.deps.Systemd != nil {
		wg.Go(func() { w.services.run(ctx) })
	}
	if cfg.HeartbeatURL != "" {
		wg.Go(func() { w.callOutside(ctx, b.round.Load, b.vitals.wrong) })
	}
	wg.Go(func() { followHistory(ctx, w.deps.Bus, cfg.Interval, history) })
	err = b.run(ctx, inputs{results, history, w.changes})
	if errors.Is(err, context.Canceled) {
		b.stop() // asked to stop: the next start has no counters
	}
	return err
}

// known is the newest transition that the bus has of an alarm; nil is the end of them.
// Those of this process that are older than began are on the bus, or the bus has lost
// them.
type known struct {
	transition *libra.Transition
	began      time.Time
}

// followHistory reads the newest transition of every alarm from the bus, and again
// whenever the bus has another stream of alarms, which has lost them.
func followHistory(ctx context.Context, bus Bus, interval time.Duration, history chan<- known) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var of time.Time // the stream that was read
	for ctx.Err() == nil {
		try, cancel := context.WithTimeout(ctx, interval)
		made, err := bus.StreamMade(try, event.AlarmStream)
		cancel()
		if err == nil && (of.IsZero() || !made.Equal(of)) {
			readHistory(ctx, bus, history)
			of = made
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// readHistory reads the newest transition of every alarm from the bus, whenever
// the bus answers.
func readHistory(ctx context.Context, bus Bus, history chan<- known) {
	reading, done := context.WithCancel(ctx)
	defer done()
	began := time.Now()
	var once sync.Once
	send := func(t *libra.Transition) {
		select {
		case history <- known{t, began}:
		case <-ctx.Done():
		}
	}
	// What comes after caughtUp was published by this process.
	_ = bus.ConsumeAlarms(reading, func() { once.Do(func() { send(nil); done() }) }, func(t libra.Transition) {
		if reading.Err() == nil {
			send(&t)
		}
	})
}

func join(folder, name string) string {
	if folder == "" {
		return ""
	}
	return filepath.Join(folder, name)
}
