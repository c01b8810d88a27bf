package notifier

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"libra/pkg/libra"
	"libra/pkg/meter"
	"libra/pkg/trace"
)

// sender is the send stage: it calls the provider of one channel, one message
// at a time, until the provider has accepted it, and then records it in the
// notification log. It keeps a pace, waits longer after failures, and sends less
// where a message itself is refused: see message.smaller.
type sender struct {
	name     string
	to       provider
	cfg      Config
	nflog    *notificationLog
	timeline timeline
	log      *slog.Logger

	next time.Time     // of the goroutine that sends; no message before
	pace time.Duration // of the goroutine that sends; grows while digests follow each other

	trials chan struct{} // held while a trial message is sent

	mu      sync.Mutex
	breaker breaker // under mu
	trouble trouble // under mu

	sent, failed atomic.Int64
	busy         meter.Meter // messages
}

// trouble is what keeps a channel from sending.
type trouble struct {
	reason    string    // of the last attempt; "" when the channel works
	since     time.Time // of the first failure in a row
	permanent bool
}

func newSender(name string, to provider, cfg Config, nflog *notificationLog, tl timeline, log *slog.Logger) *sender {
	s := &sender{
		name: name, to: to, cfg: cfg, nflog: nflog, timeline: tl, log: log, pace: cfg.Pace,
		trials: make(chan struct{}, 1), breaker: breaker{state: closed},
	}
	if b, ok := to.(broken); ok {
		s.trouble = trouble{b.reason.Error(), time.Now(), true}
	}
	return s
}

// send returns nil when the provider has accepted m, and an error only when ctx
// has ended.
func (s *sender) send(ctx context.Context, m message, loop Loop) error {
	for _, n := range m.Notifications {
		m.Repeat = m.Repeat || n.Repeat
	}
	for {
		if err := s.pause(ctx, loop); err != nil {
			return err
		}
		m.at = time.Now()
		s.beginAttempt()
		s.nflog.begin(m)
		loop.Allow(s.cfg.callTime())
		got, err := s.attempt(ctx, m)
		s.trace(m, err)
		if err == nil {
			s.delivered(m, got)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		m.Repeat = m.Repeat || refused(err) == nil
		s.nflog.withdraw(m)
		switch parts := s.reduce(m, err); len(parts) {
		case 0:
		case 1: // the same with less text; a call for it would nest deeper for as long as the channel refuses everything
			m = parts[0]
			continue
		default:
			return s.sendAll(ctx, parts, loop)
		}
		s.undelivered(m, err)
		if m.Refused != "" { // it refuses everything now, and may accept the whole text later
			m.Refused, m.Cut = "", false
		}
	}
}

// sendAll is send of one message after the other. What is not sent when ctx ends
// comes again, because it has not been acknowledged.
func (s *sender) sendAll(ctx context.Context, parts []message, loop Loop) error {
	for _, part := range parts {
		if err := s.send(ctx, part, loop); err != nil {
			return err
		}
	}
	return nil
}

// pause waits until the next attempt may be made, which may come nearer
// meanwhile.
func (s *sender) pause(ctx context.Context, loop Loop) error {
	for {
		loop.Allow(roundTime)
		wait := time.Until(s.notBefore())
		if wait <= 0 {
			return ctx.Err()
		}
		timer := time.NewTimer(min(wait, pollEvery))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}

func (s *sender) notBefore() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.breaker.until.After(s.next) {
		return s.breaker.until
	}
	return s.next
}

func (s *sender) beginAttempt() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.breaker = s.breaker.begin()
}

// callTime is what a loop declares for a round in which it calls a provider.
func (c Config) callTime() time.Duration { return c.Timeout + roundTime }

// attempt makes one call, which its own timeout ends.
func (s *sender) attempt(ctx context.Context, m message) (receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	return s.to.send(ctx, m.cut())
}

// trace exports the attempt, which began when m says and has just ended.
func (s *sender) trace(m message, err error) {
	s.mu.Lock()
	fails := s.breaker.fails
	s.mu.Unlock()
	var of []libra.Transition
	for _, n := range m.Notifications {
		of = append(of, n.Transition)
	}
	s.cfg.Traces.ExportCall(trace.Call{Channel: s.name, Kind: string(m.Kind), Attempt: fails + 1, Start: m.at, End: time.Now(), Err: err}, of)
}

// reduce is what to send in place of a message that was itself refused; nil where
// the channel was, or there is nothing less to send.
func (s *sender) reduce(m message, err error) (parts []message) {
	no := refused(err)
	if no == nil || !no.message {
		return nil
	}
	if parts = m.smaller(no.reason); parts == nil {
		return nil
	}
	s.failed.Add(1)
	s.next = time.Now().Add(s.cfg.Pace)
	s.log.Warn("notification refused, sending less", "alarm", m.Notifications[0].Transition.Alarm.ID,
		"transitions", len(m.Notifications), "messages", len(parts), "cut", parts[0].Cut, "notice", parts[0].Refused != "", "err", err)
	return parts
}

func (s *sender) delivered(m message, got receipt) {
	if len(m.Notifications) > 1 {
		s.pace = min(2*s.pace, s.cfg.DigestPace)
	} else {
		s.pace = s.cfg.Pace
	}
	s.next = time.Now().Add(s.pace)
	s.nflog.record(m, got.post)
	s.timeline.add(s.name, m)
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range m.Notifications {
		a := n.Transition.Alarm
		s.log.Info("notification sent", "alarm", a.ID, "state", a.State, "transition", n.Transition.ID, "trace_id", trace.IDOf(n.Transition.Traceparent), "kind", m.Kind,
			"age", m.at.Sub(n.Transition.At).Round(time.Millisecond), "attempt", s.breaker.fails+1, "repeat", m.Repeat)
	}
	s.breaker, s.trouble = s.breaker.success(), trouble{}
	s.sent.Add(1)
}

func (s *sender) undelivered(m message, err error) {
	s.failed.Add(1)
	s.mu.Lock()
	defer s.mu.Unlock()
	asked, permanent, reason := time.Duration(0), false, err.Error()
	if no := refused(err); no != nil {
		asked, permanent = no.after, no.permanent
		if no.message {
			reason += "; it refuses even a message without the texts of the alarm"
		}
	}
	now := time.Now()
	s.breaker = s.breaker.failure(now, asked, s.cfg.Backoff, s.cfg.BackoffMax, jitter())
	s.failing(now, reason, permanent)
	t := m.Notifications[0].Transition
	s.log.Warn("cannot send notification, retrying", "alarm", t.Alarm.ID, "transition", t.ID, "trace_id", trace.IDOf(t.Traceparent),
		"transitions", len(m.Notifications), "attempt", s.breaker.fails, "pause", s.breaker.until.Sub(now).Round(time.Millisecond),
		"breaker", s.breaker.state, "err", err)
}

// failing notes why the channel does not work. s.mu is held.
func (s *sender) failing(now time.Time, reason string, permanent bool) {
	if s.trouble.reason == "" {
		s.trouble.since = now
	}
	s.trouble.reason, s.trouble.permanent = reason, permanent
}

// health returns what keeps the channel from sending, reason "" for nothing, and
// the state of its breaker.
func (s *sender) health() (trouble, breaker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble, s.breaker
}

// try sends a trial message, past the pipeline.
func (s *sender) try(ctx context.Context) (receipt, error) {
	select {
	case <-ctx.Done():
		return receipt{}, fmt.Errorf("the test before is still in progress: %w", ctx.Err())
	case s.trials <- struct{}{}:
	}
	now := time.Now()
	got, err := s.attempt(ctx, message{Kind: trial, at: now, Notifications: []notification{{Transition: libra.Transition{ID: "trial", At: now, Host: s.cfg.Host}}}})
	// The next trial waits for the pace, this answer does not.
	time.AfterFunc(s.cfg.Pace, func() { <-s.trials })
	s.log.Info("trial message", "ok", err == nil, "err", err)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch no := refused(err); {
	case err == nil: // what waits need not wait any longer
		s.breaker.until, s.trouble = time.Time{}, trouble{}
		s.nflog.forgetRefused()
	case no != nil && no.permanent:
		s.failing(now, no.reason, true)
	}
	return got, err
}
