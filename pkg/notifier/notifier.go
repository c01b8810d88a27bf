// Package notifier notifies people of alarms. Each channel has a pipeline, which
// a notification moves through one way (pipeline.go has its order, and each
// stage a file of its own):
//
//	bus, socket ---> route -> inhibit -> silence -> group -> deduplicate -> send -> notification log
//
// A stage passes a notification on or suppresses it. What is suppressed stays in
// the notification log, and moves through the pipeline again until it passes or
// its alarm is over. When many pass at once, they become one digest. The send
// stage tries for as long as it takes, about one message a second, and nothing
// overtakes. Channels share nothing but the policy (rules, silences,
// acknowledgements): one that hangs holds up no other.
//
// A transition is acknowledged to the bus after the provider has accepted it, or
// after it is in the notification log as suppressed, so that none is lost. Where
// the provider refuses the texts of one notification and accepts a notice without
// them, the notification is set aside, with a note in the alarm's timeline and an
// alarm of its own, and the next one is sent.
// Killed during a call, the notifier cannot know whether the message arrived: it
// sends again, and marks that as "possible repeat".
//
// State that survives kill -9:
//
//	channel-<name>.json  the notification log of a channel: which alarms are
//	                     open, sent, suppressed or being sent, which
//	                     notifications were refused for good, and the
//	                     provider's names of messages
//	notes.json           silences and acknowledgements, for a start without a bus
//	consumers.json       the durable consumer of each channel
//	direct-<name>.json   what came by the socket and is not sent yet
//
// The files are in Config.Runtime, which is in memory; all but the last are
// copied to Config.State, and nothing waits for the disk.
package notifier

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"libra/pkg/bus"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/rules"
	"libra/pkg/trace"
)

// Config configures a notifier. The zero value of every field means its default.
type Config struct {
	// Rules are alarms.toml. Without a channel in it:
	// Slack, where there is a credential "slack-webhook"; else transitions are
	// only logged.
	Rules rules.File
	// RulesFault is why alarms.toml is not what Rules holds; nil when it is.
	RulesFault error
	// Credentials is put before the name of a credential, to make the name of
	// its file: "/run/credentials/libra-notifier.service/channel_".
	Credentials string
	// Socket is where the watchdog posts alarms while the bus is down; ""
	// serves none.
	Socket string
	// State is a folder that outlives a reboot; "" forgets.
	State string
	// Runtime is a folder in memory that outlives the process; "" has the disk
	// waited for, and forgets what came by the socket.
	Runtime string
	// BaseURL is where people reach Libra's pages; without it messages carry
	// no button to them.
	BaseURL string
	// RunbookURL is where docs/operations.md is published, by default /runbook
	// below BaseURL; without either messages name the section.
	RunbookURL string
	// Version of Libra, for the context line.
	Version string
	// Host names this machine in trial messages: os.Hostname.
	Host string
	// Timeout of one call: 10 s.
	Timeout time.Duration
	// Pace is the least time between two messages to one channel: 1 s.
	Pace time.Duration
	// Backoff is the pause after the first failure, which doubles up to
	// BackoffMax: 1 s, 30 s.
	Backoff, BackoffMax time.Duration
	// DigestPace is the longest pause between two digests, which doubles from
	// Pace while one follows another: 20 s.
	DigestPace time.Duration
	// MailRoots are whose certificates mail servers show; nil: the system's.
	MailRoots *x509.CertPool
	// Traces exports a span for each call of a provider about a page; nil exports none.
	Traces *trace.Exporter
}

func (c Config) withDefaults() Config {
	fill(&c.Timeout, 10*time.Second)
	fill(&c.Pace, time.Second)
	fill(&c.Backoff, time.Second)
	fill(&c.BackoffMax, 30*time.Second)
	fill(&c.DigestPace, 20*time.Second)
	if c.Rules.Notify.Digest == 0 {
		c.Rules.Notify = rules.Defaults().Notify
	}
	if c.Host == "" {
		c.Host, _ = os.Hostname()
	}
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
	DeliverAlarms(ctx context.Context, a bus.AlarmConsumer) error
	DropAlarms(ctx context.Context, durable string) error
	ConsumeNotes(ctx context.Context, caughtUp func(), fn func(libra.Note)) error
	PublishNote(ctx context.Context, n libra.Note) error
	ServeChannels(ctx context.Context, fn func(ctx context.Context, channel string) event.Tried) (stop func(), err error)
}

// Deps are the parts a notifier works with.
type Deps struct {
	Bus Bus
	Log *slog.Logger
	// Loop registers a loop to be supervised. May be nil.
	Loop func(name string) Loop
	// Status takes one line for systemctl status. May be nil.
	Status func(string)
}

// Loop supervises one loop: Allow declares how long it may block, Done that it
// has ended.
type Loop interface {
	bus.Loop
	Done()
}

// roundTime is what a loop declares for a round in which it calls no provider.
const roundTime = 3 * time.Second

// Notifier notifies people of alarms. Make it with New.
type Notifier struct {
	cfg      Config
	deps     Deps
	policy   *policy
	timeline timeline
	// applied brings new rules to Run.
	applied   chan applied
	consumers *consumers // Run's
	// provider makes a provider: newProvider.
	provider func(rules.Channel, Config, writer, *slog.Logger) (provider, error)

	mu      sync.Mutex
	members []*member // under mu; in the order of the file
	fault   error     // under mu; of alarms.toml

	delivered, failed, busy atomic.Int64 // by channels that are gone
}

// New makes a notifier. A channel that cannot be used is named by Troubles and
// holds up no other; Check says beforehand.
func New(cfg Config, deps Deps) *Notifier {
	n := &Notifier{cfg: cfg.withDefaults(), deps: deps, applied: make(chan applied), fault: cfg.RulesFault, provider: newProvider, timeline: newTimeline(deps.Log)}
	if deps.Loop == nil {
		n.deps.Loop = func(string) Loop { return bus.Unsupervised{} }
	}
	if deps.Status == nil {
		n.deps.Status = func(string) {}
	}
	n.policy = newPolicy(n.cfg.mirror("notes.json"), n.cfg.Rules, deps.Log)
	n.consumers = n.loadConsumers()
	return n
}

// Check names every channel that cannot be used as it is configured.
func Check(cfg Config) (faults []error) {
	cfg = cfg.withDefaults()
	for _, c := range cfg.channels() {
		if _, err := newProvider(c, cfg, newWriter(cfg, newPolicy(&mirror{}, cfg.Rules, slog.New(slog.DiscardHandler))), nil); err != nil {
			where := "channel " + c.Name
			if c.Line > 0 {
				where = fmt.Sprintf("alarms.toml:%d: channel %s", c.Line, c.Name)
			}
			faults = append(faults, fmt.Errorf("%s: %w", where, err))
		}
	}
	return faults
}

// Run notifies until ctx ends.
func (n *Notifier) Run(ctx context.Context) error {
	listener, err := n.listen()
	if err != nil {
		return err
	}
	defer n.policy.file.flush() // after the last note
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)
	n.change(ctx, n.cfg.Rules)
	defer n.leave()
	if listener != nil {
		wg.Go(func() {
			if err := n.serve(ctx, listener); err != nil {
				cancel(err)
			}
		})
	}
	wg.Go(func() { n.timeline.publish(ctx, n.deps.Bus) })
	wg.Go(func() { _ = n.deps.Bus.ConsumeNotes(ctx, n.policy.markComplete, n.policy.addNote) }) // it ends with ctx
	stop, err := n.deps.Bus.ServeChannels(ctx, n.Try)
	if err != nil {
		return fmt.Errorf("serve trial messages: %w", err)
	}
	defer stop()
	n.report(ctx)
	cancel(nil)
	return context.Cause(ctx)
}

// Apply puts new rules in force: channels that are as they were are not disturbed.
// It returns when Run has done so.
func (n *Notifier) Apply(ctx context.Context, f rules.File) error {
	a := applied{f, make(chan struct{})}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case n.applied <- a:
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-a.done:
		return nil
	}
}

// applied are rules on their way to Run, which closes done.
type applied struct {
	rules rules.File
	done  chan struct{}
}

// Fault sets why alarms.toml is not in force: it is invalid, or not applied yet.
// nil says that it is.
func (n *Notifier) Fault(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fault = err
}

// report keeps the status line, and changes the rules, until ctx ends.
func (n *Notifier) report(ctx context.Context) {
	loop := n.deps.Loop("status")
	defer loop.Done()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		var text []string
		for _, ch := range n.running() {
			text = append(text, ch.name+": "+ch.state())
		}
		n.deps.Status(strings.Join(text, "; "))
		loop.Allow(roundTime)
		select {
		case <-ctx.Done():
			return
		case a := <-n.applied:
			loop.Allow(n.cfg.callTime()) // a channel that leaves may have a call under way
			n.change(ctx, a.rules)
			close(a.done)
		case <-tick.C:
			n.dropGone(ctx)
		}
	}
}

// Counters are for the heartbeat: messages the providers answered well, and
// attempts that failed.
func (n *Notifier) Counters() (delivered, failed int64) {
	delivered, failed = n.delivered.Load(), n.failed.Load()
	for _, ch := range n.running() {
		delivered += ch.sender.sent.Load()
		failed += ch.sender.failed.Load()
	}
	return delivered, failed
}

// Busy is how long channels have had a message to send, from its first attempt, with the
// pause before it, until it was accepted; that of several added up, in microseconds.
func (n *Notifier) Busy() int64 {
	busy := n.busy.Load()
	for _, ch := range n.running() {
		busy += ch.sender.busy.Spent()
	}
	return busy
}

// Channels counts the channels in use.
func (n *Notifier) Channels() int64 { return int64(len(n.running())) }

// Troubles are for the heartbeat, and become alarms: channels that cannot
// send, notifications that were refused for good, and a file that is not in
// force. A channel that is refused for good is named at once, another once it has
// failed for Notify.Undelivered.
func (n *Notifier) Troubles() (list []event.Trouble) {
	patience := n.policy.notify().Undelivered
	for _, ch := range n.running() {
		if t, ok := ch.refusedTrouble(time.Now()); ok {
			list = append(list, t)
		}
		t, _ := ch.sender.health()
		if t.reason == "" || !t.permanent && time.Since(t.since) < patience {
			continue
		}
		list = append(list, event.Trouble{
			ID: "channel." + ch.name, Target: "channel " + ch.name, Severity: libra.Major, Runbook: "#channel",
			Summary:  "Notifications cannot be sent through the channel " + ch.name,
			Evidence: fmt.Sprintf("failing since %s: %s", libra.FormatTime(t.since), t.reason),
		})
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fault != nil {
		list = append(list, event.Trouble{
			ID: event.AlarmsFileAlarm, Target: "alarms.toml", Severity: libra.Minor, Runbook: "#alarms-file",
			Summary: rules.Summary(n.fault), Evidence: strings.ReplaceAll(n.fault.Error(), "\n", "; "),
		})
	}
	return list
}
