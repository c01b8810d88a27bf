// Package notifier tells people what the watchdog has found.
//
//	bus, one durable consumer per channel --.
//	                                         >--> channel --> Slack
//	watchdog's socket, while the bus is away'      one message at a time, about
//	                                               one a second, breaker
//
// A transition is acknowledged after the provider has answered, so that none
// is lost; it is tried for as long as it takes, and nothing overtakes it.
// Killed in the middle of a POST, the notifier cannot know whether it arrived:
// it tells once more, and says "possible repeat". What came by the socket is
// kept in Config.Runtime until the bus has brought it too.
//
// When many transitions wait, they become one digest. Channels know nothing of
// each other: one that hangs holds up no other.
package notifier

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"libra/pkg/bus"
)

// Config says whom to tell. The zero value of every field means its default.
type Config struct {
	// WebhookFile holds the URL of a Slack incoming webhook, alone on a line.
	// "": no channel is configured, transitions are only logged.
	WebhookFile string
	// Socket is where the watchdog tells of alarms while the bus is away; ""
	// serves none.
	Socket string
	// Runtime is a folder that outlives the process, for what came by the
	// socket; "" forgets it.
	Runtime string
	// BaseURL is where people reach Libra's pages; without it messages carry
	// no button to them.
	BaseURL string
	// RunbookURL is where docs/operations.md is published; without it messages
	// name the section.
	RunbookURL string
	// Version of Libra, for the context line.
	Version string
	// Timeout of one POST: 10 s.
	Timeout time.Duration
	// Pace is the least time between two messages to one channel: 1 s.
	Pace time.Duration
	// Backoff is the pause after the first failure, which doubles up to
	// BackoffMax: 1 s, 30 s.
	Backoff, BackoffMax time.Duration
	// Late is the age from which a message says how late it is: 1 min.
	Late time.Duration
	// Digest is how many waiting transitions become one message: 6.
	Digest int
	// DigestPace is the longest pause between two digests, which doubles from
	// Pace while one follows another: 20 s.
	DigestPace time.Duration
}

func (c Config) withDefaults() Config {
	fill(&c.Timeout, 10*time.Second)
	fill(&c.Pace, time.Second)
	fill(&c.Backoff, time.Second)
	fill(&c.BackoffMax, 30*time.Second)
	fill(&c.Late, time.Minute)
	fill(&c.Digest, 6)
	fill(&c.DigestPace, 20*time.Second)
	return c
}

func fill[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Bus is what the notifier needs of bus.Conn.
type Bus interface {
	DeliverAlarms(ctx context.Context, durable string, since time.Time, tick func(), take func(waiting int) int, fn func(context.Context, []bus.AlarmDelivery) error) error
}

// Deps are the parts a notifier works with.
type Deps struct {
	Bus Bus
	Log *slog.Logger
	// Loop registers a loop and returns what it calls, at least once a second,
	// while it makes progress: daemon's Heart.Loop(name).Beat. May be nil.
	Loop func(name string) (tick func())
	// Status takes one line for systemctl status. May be nil.
	Status func(string)
}

// Notifier tells. Make it with New.
type Notifier struct {
	cfg      Config
	deps     Deps
	channels []*channel
}

// New reads the credentials. An error is a fault of the configuration.
func New(cfg Config, deps Deps) (*Notifier, error) {
	n := &Notifier{cfg: cfg.withDefaults(), deps: deps}
	if deps.Loop == nil {
		n.deps.Loop = func(string) func() { return func() {} }
	}
	if deps.Status == nil {
		n.deps.Status = func(string) {}
	}
	var s sender = journal{deps.Log}
	name := "journal"
	if cfg.WebhookFile != "" {
		hook, err := readWebhook(cfg.WebhookFile)
		if err != nil {
			return nil, err
		}
		s, name = newSlack(hook, n.cfg), "slack"
	}
	n.channels = []*channel{n.newChannel(name, s)}
	return n, nil
}

func (n *Notifier) newChannel(name string, s sender) *channel {
	file := ""
	if n.cfg.Runtime != "" {
		file = filepath.Join(n.cfg.Runtime, "direct-"+name+".json")
	}
	return newChannel(name, s, n.cfg, n.deps.Log, file)
}

// durable is the consumer of the first channel, whichever it is: what was
// logged while there was none is not sent once there is one.
const durable = "notifier"

// Run tells until ctx ends.
func (n *Notifier) Run(ctx context.Context) error {
	listener, err := n.listen()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)
	if listener != nil {
		wg.Go(func() {
			if err := n.serve(ctx, listener); err != nil {
				cancel(err)
			}
		})
	}
	for _, ch := range n.channels {
		wg.Go(func() { ch.runDirect(ctx, n.deps.Loop(ch.name+" direct")) })
		wg.Go(func() { n.runBus(ctx, ch, n.deps.Loop(ch.name)) })
	}
	n.report(ctx)
	return context.Cause(ctx)
}

func (n *Notifier) runBus(ctx context.Context, ch *channel, tick func()) {
	_ = n.deps.Bus.DeliverAlarms(ctx, durable, time.Time{}, tick, ch.take, func(ctx context.Context, batch []bus.AlarmDelivery) error {
		var list []delivery
		for _, d := range batch {
			list = append(list, delivery{Transition: d.Transition, Repeat: d.Attempt > 1})
		}
		return ch.deliver(ctx, list, tick)
	}) // it ends with ctx
}

// report keeps the status line until ctx ends.
func (n *Notifier) report(ctx context.Context) {
	loop := n.deps.Loop("status")
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		text := ""
		for _, ch := range n.channels {
			text += fmt.Sprintf("%s: %s ", ch.name, ch.state())
		}
		n.deps.Status(text[:len(text)-1])
		loop()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Counters are for the heartbeat: messages the providers answered well, and
// attempts that failed.
func (n *Notifier) Counters() (delivered, failed int64) {
	for _, ch := range n.channels {
		delivered += ch.sent.Load()
		failed += ch.failed.Load()
	}
	return delivered, failed
}

// Undelivered says for how long the channel that is worst off has been failing
// to tell; 0 when all is well. The watchdog raises an alarm of its own on it,
// from the heartbeat's counter "undelivered_seconds".
func (n *Notifier) Undelivered() time.Duration {
	var longest time.Duration
	for _, ch := range n.channels {
		longest = max(longest, ch.failingFor(time.Now()))
	}
	return longest
}

// journal is the channel of those who configured none.
type journal struct{ log *slog.Logger }

func (j journal) send(_ context.Context, m message) error {
	for _, d := range m.deliveries {
		a := d.Transition.Alarm
		j.log.Info("no channel is configured, nobody is told", "alarm", a.ID, "state", a.State, "severity", a.Severity,
			"target", a.Target, "summary", a.Summary, "evidence", a.Evidence, "transition", d.Transition.ID)
	}
	return nil
}
