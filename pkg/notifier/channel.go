package notifier

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"libra/pkg/libra"
)

// delivery is a transition that must be told.
type delivery struct {
	Transition libra.Transition `json:"transition"`
	Repeat     bool             `json:"repeat"` // it may have been told before
}

// message is what one call tells: one transition, or a digest of many.
type message struct {
	deliveries []delivery
	at         time.Time // of this attempt
	repeat     bool      // an earlier attempt may have arrived
}

// sender tells a provider. It returns nil when the provider has taken the
// message, and a *refusal when it has said no.
type sender interface {
	send(ctx context.Context, m message) error
}

// refusal is a provider's answer that is not a yes: the message did not arrive.
type refusal struct {
	reason string
	after  time.Duration // the provider wants to be left alone so long
}

func (r *refusal) Error() string { return r.reason }

// channel tells one provider, in order, one message at a time.
type channel struct {
	name string
	to   sender
	cfg  Config
	log  *slog.Logger

	gate chan struct{} // held by whoever sends
	next time.Time     // under gate; no message before
	pace time.Duration // under gate; grows while digests follow each other

	mu      sync.Mutex
	breaker breaker       // under mu
	seen    memory        // under mu; told already
	trouble string        // under mu; of the last attempt
	since   time.Time     // under mu; of the first failure in a row
	direct  directQueue   // under mu
	wake    chan struct{} // something came by the socket

	sent, failed atomic.Int64
}

func newChannel(name string, to sender, cfg Config, log *slog.Logger, file string) *channel {
	ch := &channel{
		name: name, to: to, cfg: cfg, log: log.With("channel", name), gate: make(chan struct{}, 1), pace: cfg.Pace,
		breaker: breaker{state: closed}, wake: make(chan struct{}, 1),
	}
	ch.direct.load(file, ch.log)
	for _, id := range ch.direct.Told {
		ch.seen.add(id)
	}
	return ch
}

// take says how many transitions make one message, of so many waiting.
func (ch *channel) take(waiting int) int {
	if waiting >= ch.cfg.Digest {
		return waiting
	}
	return 1
}

// state is for the status line.
func (ch *channel) state() string {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	text := fmt.Sprintf("%d told", ch.sent.Load())
	if ch.trouble != "" {
		text += fmt.Sprintf(", breaker %s, attempt %d failed: %s", ch.breaker.state, ch.breaker.fails, ch.trouble)
	}
	return text
}

func (ch *channel) failingFor(now time.Time) time.Duration {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.trouble == "" {
		return 0
	}
	return now.Sub(ch.since)
}

// deliver returns nil when the provider has taken every one of batch, and an
// error only when ctx has ended.
func (ch *channel) deliver(ctx context.Context, batch []delivery, tick func()) error {
	if err := hold(ctx, ch.gate, tick); err != nil {
		return err
	}
	defer func() { <-ch.gate }()
	if batch = ch.untold(batch); len(batch) == 0 {
		return nil
	}
	m := message{deliveries: batch}
	for _, d := range batch {
		m.repeat = m.repeat || d.Repeat
	}
	for {
		if err := pause(ctx, ch.notBefore(), tick); err != nil {
			return err
		}
		m.at = time.Now()
		err := ch.attempt(ctx, m, tick)
		if err == nil {
			ch.delivered(m)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		ch.undelivered(m, err)
		var no *refusal
		m.repeat = m.repeat || !errors.As(err, &no)
	}
}

func (ch *channel) untold(batch []delivery) (rest []delivery) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	for _, d := range batch {
		if !ch.seen.has(d.Transition.ID) {
			rest = append(rest, d)
		}
	}
	return rest
}

func (ch *channel) notBefore() time.Time {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.breaker.until.After(ch.next) {
		return ch.breaker.until
	}
	return ch.next
}

// attempt makes one call, beside us, so that one that hangs stops no heart;
// its own timeout ends it.
func (ch *channel) attempt(ctx context.Context, m message, tick func()) error {
	ch.mu.Lock()
	ch.breaker = ch.breaker.begin()
	ch.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, ch.cfg.Timeout)
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- ch.to.send(ctx, m) }()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		tick()
		select {
		case err := <-answer:
			return err
		case <-beat.C:
		}
	}
}

func (ch *channel) delivered(m message) {
	if len(m.deliveries) > 1 {
		ch.pace = min(2*ch.pace, ch.cfg.DigestPace)
	} else {
		ch.pace = ch.cfg.Pace
	}
	ch.next = time.Now().Add(ch.pace)
	ch.mu.Lock()
	defer ch.mu.Unlock()
	for _, d := range m.deliveries {
		ch.seen.add(d.Transition.ID)
		a := d.Transition.Alarm
		ch.log.Info("told", "alarm", a.ID, "state", a.State, "transition", d.Transition.ID,
			"age", m.at.Sub(d.Transition.At).Round(time.Millisecond), "attempt", ch.breaker.fails+1, "repeat", m.repeat)
	}
	ch.breaker, ch.trouble = ch.breaker.success(), ""
	ch.sent.Add(1)
}

func (ch *channel) undelivered(m message, err error) {
	ch.failed.Add(1)
	ch.mu.Lock()
	defer ch.mu.Unlock()
	var no *refusal
	asked := time.Duration(0)
	if errors.As(err, &no) {
		asked = no.after
	}
	now := time.Now()
	ch.breaker = ch.breaker.failure(now, asked, ch.cfg.Backoff, ch.cfg.BackoffMax, jitter())
	if ch.trouble == "" {
		ch.since = now
	}
	ch.trouble = err.Error()
	ch.log.Warn("not told, trying again", "alarm", m.deliveries[0].Transition.Alarm.ID, "transition", m.deliveries[0].Transition.ID,
		"transitions", len(m.deliveries), "attempt", ch.breaker.fails, "pause", ch.breaker.until.Sub(now).Round(time.Millisecond),
		"breaker", ch.breaker.state, "err", err)
}

// heartbeat is how often a loop that waits says that it waits.
const heartbeat = 500 * time.Millisecond

// pause waits until t.
func pause(ctx context.Context, t time.Time, tick func()) error {
	for {
		tick()
		wait := time.Until(t)
		if wait <= 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(min(wait, heartbeat))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

// hold waits for the gate.
func hold(ctx context.Context, gate chan struct{}, tick func()) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		tick()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case gate <- struct{}{}:
			return nil
		case <-beat.C:
		}
	}
}

// memory holds the last ids that were added, up to a bound.
type memory struct {
	ids   map[string]bool
	order []string // oldest first
}

const remembered = 10_000

func (m *memory) has(id string) bool { return m.ids[id] }

func (m *memory) add(id string) {
	if m.ids == nil {
		m.ids = map[string]bool{}
	}
	if m.ids[id] {
		return
	}
	if len(m.order) == remembered {
		delete(m.ids, m.order[0])
		m.order = m.order[1:]
	}
	m.ids[id] = true
	m.order = append(m.order, id)
}
