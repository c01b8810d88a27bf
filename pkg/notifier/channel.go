package notifier

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"libra/pkg/bus"
	"libra/pkg/rules"
)

// channel notifies people by one provider, in order, one message at a time. Its
// loops put into its pipeline what the bus and the socket bring, and what
// becomes due.
type channel struct {
	rule     rules.Channel // as configured
	name     string
	policy   *policy
	nflog    *notificationLog
	pipeline *pipeline
	sender   *sender
	direct   *directQueue

	gate chan struct{} // held by the loop that runs the pipeline
}

func newChannel(rule rules.Channel, to provider, cfg Config, p *policy, tl timeline, log *slog.Logger) *channel {
	log = log.With("channel", rule.Name)
	nflog := loadNotificationLog(log, cfg.mirror("channel-"+rule.Name+".json"))
	file := ""
	if cfg.Runtime != "" {
		file = filepath.Join(cfg.Runtime, "direct-"+rule.Name+".json")
	}
	return &channel{
		rule: rule, name: rule.Name, policy: p, nflog: nflog, gate: make(chan struct{}, 1),
		pipeline: newPipeline(rule.Name, p, nflog, log),
		sender:   newSender(rule.Name, to, cfg, nflog, tl, log),
		direct:   loadDirectQueue(rule.Name, file, nflog, log),
	}
}

// supervised is a channel in the hands of one of its loops.
type supervised struct {
	*channel
	loop Loop
}

// run notifies until ctx ends: first of what a killed process was sending, then
// of what comes by the bus and by the socket, and of what becomes due.
func (ch *channel) run(ctx context.Context, b Bus, durable string, since time.Time, loop func(name string) Loop) {
	defer ch.nflog.file.flush()
	queue := supervised{ch, loop(ch.name)}
	if queue.process(ctx, ch.interrupted) != nil {
		queue.loop.Done()
		return
	}
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Go(func() {
		direct := supervised{ch, loop(ch.name + " direct")}
		defer direct.loop.Done()
		direct.runDirect(ctx)
	})
	wg.Go(func() {
		due := supervised{ch, loop(ch.name + " due")}
		defer due.loop.Done()
		due.runDue(ctx)
	})
	defer queue.loop.Done()
	queue.awaitNotes(ctx)
	deliver := func(ctx context.Context, batch []bus.AlarmDelivery) error {
		var list []notification
		for _, d := range batch {
			list = append(list, notification{Transition: d.Transition, Repeat: d.Attempt > 1})
		}
		return queue.deliver(ctx, list)
	}
	_ = b.DeliverAlarms(ctx, bus.AlarmConsumer{Durable: durable, Since: since, Most: ch.pipeline.group.take, Deliver: deliver, Loop: queue.loop}) // it ends with ctx
}

// process runs the pipeline once: with the message of its filters, which next
// makes, it enters the send stage. It returns nil when the message is sent, or
// is empty; an error only when ctx has ended.
func (ch supervised) process(ctx context.Context, next func(now time.Time) message) error {
	if err := ch.hold(ctx); err != nil {
		return err
	}
	defer func() { <-ch.gate }()
	m := next(time.Now())
	if len(m.Notifications) == 0 {
		return nil
	}
	defer ch.sender.busy.Begin()()
	return ch.sender.send(ctx, m, ch.loop)
}

// interrupted is the message that a killed process was sending.
func (ch *channel) interrupted(time.Time) message {
	if m := ch.nflog.begun(); m != nil {
		return *m
	}
	return message{}
}

// deliver returns nil when each transition of batch is sent, or suppressed and
// in the notification log; an error only when ctx has ended.
func (ch supervised) deliver(ctx context.Context, batch []notification) error {
	return ch.process(ctx, func(now time.Time) message { return ch.pipeline.filter(batch, now) })
}

// runDirect delivers what came by the socket until ctx ends.
func (ch supervised) runDirect(ctx context.Context) {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for ctx.Err() == nil {
		ch.loop.Allow(roundTime)
		batch := ch.direct.begin(ch.pipeline.group.take)
		if len(batch) == 0 {
			select {
			case <-ctx.Done():
			case <-ch.direct.wake:
			case <-poll.C:
			}
			continue
		}
		if ch.deliver(ctx, batch) == nil {
			ch.direct.end(len(batch))
		}
	}
}

// runDue notifies of what was suppressed, once it passes, and reminds. It waits
// in line at the gate, or one message after another would keep it out.
func (ch supervised) runDue(ctx context.Context) {
	ch.awaitNotes(ctx)
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for ch.process(ctx, ch.pipeline.due) == nil {
		select {
		case <-ctx.Done():
		case <-poll.C:
		}
	}
}

// longestNotes is how long the bus may take to deliver silences before
// notifications are sent without.
const longestNotes = 2 * time.Second

func (ch supervised) awaitNotes(ctx context.Context) {
	ch.loop.Allow(longestNotes + roundTime)
	patience := time.NewTimer(longestNotes)
	defer patience.Stop()
	select {
	case <-ctx.Done():
	case <-ch.policy.book.Complete():
	case <-patience.C:
	}
}

// pollEvery is how often a loop that waits looks again.
const pollEvery = 500 * time.Millisecond

// hold waits for the gate, for as long as another loop, which is supervised
// too, runs the pipeline.
func (ch supervised) hold(ctx context.Context) error {
	poll := time.NewTicker(pollEvery)
	defer poll.Stop()
	for {
		ch.loop.Allow(roundTime)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case ch.gate <- struct{}{}:
			return nil
		case <-poll.C:
		}
	}
}

// state is for the status line.
func (ch *channel) state() string {
	text := fmt.Sprintf("%d sent", ch.sender.sent.Load())
	if n := ch.nflog.suppressed(); n > 0 {
		text += fmt.Sprintf(", %d suppressed", n)
	}
	if trouble, breaker := ch.sender.health(); trouble.reason != "" {
		text += fmt.Sprintf(", breaker %s, attempt %d failed: %s", breaker.state, breaker.fails, trouble.reason)
	}
	return text
}
