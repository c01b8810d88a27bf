// Package watchdog asks every part of Libra, once a second, whether it is
// well, and tells when that changes: a transition per alarm raised, made worse,
// eased or cleared.
//
//	probes (a goroutine each) --> board (one goroutine) --> outbox --> bus
//	        |                        |                         '-----> notifier's socket,
//	   own timeout,              Tally.Next                             while the bus is away
//	   skipped, never queued
//
// What it remembers, and where, so that kill -9 repeats and forgets nothing:
//
//	Config.Runtime/counters.json  counters and last beats, every second; a file
//	                              system in memory, so that neither a full nor a
//	                              worn disk matters. An orderly stop removes it.
//	Config.State/alarms.json      the newest transition of every alarm, and those
//	                              that the bus has not taken yet; written before
//	                              anybody is told.
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
	"os"
	"path/filepath"
	"sync"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// Config says what to watch. The zero value of every field means its default,
// except where it says "off".
type Config struct {
	// Interval between two probes of a target: 1 s.
	Interval time.Duration
	// Timeout of one probe: 1 s.
	Timeout time.Duration
	// Grace after the start, in which a target that was never well is not yet
	// unwell: 5 s.
	Grace time.Duration
	// Silence of a component's heart that counts as a failure: 3 s.
	Silence time.Duration
	// Limits of every probe.
	Limits Limits
	// Wait of the oldest request that is too long: minor from 5 min, major
	// from 15 min.
	Wait, LongWait time.Duration
	// Starts of one component within RestartWindow that are too many: 5 in
	// 10 min.
	Starts        int
	RestartWindow time.Duration
	// Undelivered is how long the notifier may fail to tell people: 2 min.
	Undelivered time.Duration
	// Expect lists the components whose hearts must beat: Components().
	Expect []Target
	// WebURL answers 200 while web can serve: http://127.0.0.1:8080/up.
	WebURL string
	// Folder on the file system to watch: /var/lib/libra.
	Folder string
	// Database is the recorder's file: beside it lie those that were damaged.
	// "" does not look.
	Database string
	// Aside is for how long a damaged file beside it is worth an alarm: 7 days.
	Aside time.Duration
	// Behind is how long the recorder may write nothing: 5 s.
	Behind time.Duration
	// Disk says how full it may be: 80, 90, 95.
	Disk Thresholds
	// NotifierSocket is where the notifier hears of alarms while the bus is
	// away: /run/libra-notifier/alarm.sock.
	NotifierSocket string
	// State is a folder that outlives a reboot; "" is off.
	State string
	// Runtime is a folder that outlives the process; "" is off.
	Runtime string
	// HeartbeatURL of an outside service that expects to be asked every
	// HeartbeatEvery (30 s), and raises the alarm when this watchdog, or its
	// host, is gone. "" is off.
	HeartbeatURL   string
	HeartbeatEvery time.Duration
	// Host names this machine in transitions: os.Hostname.
	Host string
}

// Target is a component whose heart must beat.
type Target struct {
	Component string // "libra-inspector"
	Instance  string // "1"; "" accepts any instance
}

// Components is what an appliance of default size consists of.
func Components() []Target {
	return []Target{
		{"libra-bus", ""},
		{"libra-web", ""},
		{"libra-inspector", "1"},
		{"libra-inspector", "2"},
		{"libra-recorder", ""},
		{"libra-notifier", ""},
	}
}

// Bus is what the watchdog needs of bus.Conn.
type Bus interface {
	Ping(ctx context.Context) error
	CheckStreams(ctx context.Context) error
	PublishAlarm(ctx context.Context, t libra.Transition) error
	WatchAlarms(ctx context.Context, caughtUp func(), fn func(libra.Transition)) error
	// WatchReports says the newest good and the newest failed report of every
	// page, then every new one; some twice, and not always in order.
	WatchReports(ctx context.Context, caughtUp func(), fn func(event.Reported)) error
	WatchBeats(fn func(event.Beat)) (stop func(), err error)
	// OldestRequest says how many requests are open, and since when the
	// oldest of them is; the zero time where there is none.
	OldestRequest(ctx context.Context) (open int, since time.Time, err error)
}

// Checker says whether something is well, in its own words.
type Checker interface {
	Check(ctx context.Context) error
}

// Deps are the parts a watchdog works with.
type Deps struct {
	Bus Bus
	// SQLite is the recorder's database, opened for reading; nil leaves it
	// unwatched.
	SQLite Checker
	// Web carries the question to WebURL: a transport without keep-alive.
	Web http.RoundTripper
	// Tell hands a transition to the notifier past the bus: a POST to
	// NotifierSocket.
	Tell func(ctx context.Context, t libra.Transition) error
	Log  *slog.Logger
	// Tick is called while the watchdog makes progress, at least once a
	// second. May be nil.
	Tick func()
	// Status takes one line for systemctl status. May be nil.
	Status func(string)
}

// Watchdog watches. Make it with New.
type Watchdog struct {
	cfg    Config
	deps   Deps
	probes []*probe
	beats  *beats
	wards  *wards
}

// New applies the defaults. It does no input or output.
func New(cfg Config, deps Deps) *Watchdog {
	cfg = cfg.withDefaults()
	if deps.Web == nil {
		deps.Web = &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: cfg.Timeout}).DialContext}
	}
	if deps.Tell == nil {
		deps.Tell = socketTeller(cfg.NotifierSocket)
	}
	if deps.Tick == nil {
		deps.Tick = func() {}
	}
	if deps.Status == nil {
		deps.Status = func(string) {}
	}
	w := &Watchdog{cfg: cfg, deps: deps, beats: newBeats(cfg), wards: newWards()}
	w.probes = w.allProbes()
	return w
}

func (c Config) withDefaults() Config {
	fill(&c.Interval, time.Second)
	fill(&c.Timeout, time.Second)
	fill(&c.Grace, 5*time.Second)
	fill(&c.Silence, 3*time.Second)
	fill(&c.WebURL, "http://127.0.0.1:8080/up")
	fill(&c.Folder, "/var/lib/libra")
	fill(&c.NotifierSocket, "/run/libra-notifier/alarm.sock")
	fill(&c.Disk, Thresholds{80, 90, 95})
	fill(&c.Wait, 5*time.Minute)
	fill(&c.LongWait, 15*time.Minute)
	fill(&c.Starts, 5)
	fill(&c.RestartWindow, 10*time.Minute)
	fill(&c.Undelivered, 2*time.Minute)
	fill(&c.Aside, 7*24*time.Hour)
	fill(&c.Behind, 5*time.Second)
	fill(&c.HeartbeatEvery, 30*time.Second)
	c.Limits = c.Limits.withDefaults()
	if c.Expect == nil {
		c.Expect = Components()
	}
	if c.Host == "" {
		c.Host, _ = os.Hostname() // "" names no host, which is true then
	}
	return c
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Alarms lists the alarms this watchdog may raise, as they look when nothing
// is wrong. That of pages in quarantine is there once, for a page "page".
func (w *Watchdog) Alarms() []libra.Alarm {
	all := []libra.Alarm{quarantineAlarm("page", "http://page/")}
	for _, p := range w.probes {
		all = append(all, p.alarm)
	}
	return all
}

// Run watches until ctx ends.
func (w *Watchdog) Run(ctx context.Context) error {
	stop, err := w.deps.Bus.WatchBeats(w.beats.hear)
	if err != nil {
		return err
	}
	defer stop()
	out := newOutbox(w.deps, path(w.cfg.State, "alarms.json"))
	b := newBoard(w.cfg, w.deps, w.probes, w.beats, w.wards, out, path(w.cfg.Runtime, "counters.json"))

	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel()
	results := make(chan observation)
	for _, p := range w.probes {
		wg.Go(func() { p.watch(ctx, w.cfg.Interval, results) })
	}
	wg.Go(func() { out.run(ctx) })
	wg.Go(func() { w.wards.watch(ctx, w.deps.Bus) })
	if w.cfg.HeartbeatURL != "" {
		wg.Go(func() { w.heartbeat(ctx, b.round.Load) })
	}
	history := make(chan *libra.Transition) // nil: all there was
	wg.Go(func() {
		for ctx.Err() == nil {
			readHistory(ctx, w.deps.Bus, history)
			select {
			case <-ctx.Done():
			case <-b.reread:
			}
		}
	})
	err = b.run(ctx, results, history)
	if errors.Is(err, context.Canceled) {
		b.forget() // asked to stop: the next start looks afresh
	}
	return err
}

// readHistory reads the newest transition of every alarm from the bus, however
// late the bus answers.
func readHistory(ctx context.Context, bus Bus, history chan<- *libra.Transition) {
	reading, done := context.WithCancel(ctx)
	defer done()
	var once sync.Once
	say := func(t *libra.Transition) {
		select {
		case history <- t:
		case <-ctx.Done():
		}
	}
	// What comes after the first has been caught up with is our own.
	_ = bus.WatchAlarms(reading, func() { once.Do(func() { say(nil); done() }) }, func(t libra.Transition) {
		if reading.Err() == nil {
			say(&t)
		}
	})
}

func path(folder, name string) string {
	if folder == "" {
		return ""
	}
	return filepath.Join(folder, name)
}
