package notifier

import (
	"context"
	"time"
)

// tell returns nil when the provider has taken m, and an error only when ctx
// has ended. ch.gate is held.
func (ch supervised) tell(ctx context.Context, m message) error {
	for _, d := range m.Deliveries {
		m.Repeat = m.Repeat || d.Repeat
	}
	for {
		if err := ch.pause(ctx); err != nil {
			return err
		}
		m.at = time.Now()
		ch.begin(m)
		ch.loop.Allow(ch.cfg.callTime())
		got, err := ch.attempt(ctx, m)
		if err == nil {
			ch.delivered(m, got)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		m.Repeat = m.Repeat || refused(err) == nil
		if parts := ch.reduce(m, err); parts != nil {
			return ch.tellAll(ctx, parts)
		}
		ch.undelivered(m, err)
	}
}

// reduce is what to tell in place of a message that was refused as too large;
// nil where it was not, or there is nothing smaller.
func (ch *channel) reduce(m message, err error) (parts []message) {
	no := refused(err)
	if no == nil || !no.large {
		return nil
	}
	if parts = m.smaller(); parts == nil {
		return nil
	}
	ch.failed.Add(1)
	ch.next = time.Now().Add(ch.cfg.Pace)
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if !m.Repeat { // it surely has not arrived
		ch.ledger.Begun = &m
		ch.ledger.keep()
	}
	ch.breaker = ch.breaker.success() // it answers
	ch.log.Warn("refused as too large, telling less at a time", "alarm", m.Deliveries[0].Transition.Alarm.ID,
		"transitions", len(m.Deliveries), "messages", len(parts), "cut", parts[0].Cut, "err", err)
	return parts
}

// tellAll is tell of one message after the other. What is not told when ctx ends
// comes again, because it has not been acknowledged.
func (ch supervised) tellAll(ctx context.Context, parts []message) error {
	for _, part := range parts {
		if err := ch.tell(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// begin notes that m may have been told, should this process end before it
// knows.
func (ch *channel) begin(m message) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.breaker = ch.breaker.begin()
	m.Repeat = true
	ch.ledger.Begun = &m
	ch.ledger.keep()
}

func (ch *channel) notBefore() time.Time {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.breaker.until.After(ch.next) {
		return ch.breaker.until
	}
	return ch.next
}

// callTime is what a loop declares for a round in which it calls a provider.
func (c Config) callTime() time.Duration { return c.Timeout + roundTime }

// attempt makes one call, which its own timeout ends.
func (ch *channel) attempt(ctx context.Context, m message) (receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, ch.cfg.Timeout)
	defer cancel()
	return ch.to.send(ctx, m.cut())
}

func (ch *channel) delivered(m message, got receipt) {
	if len(m.Deliveries) > 1 {
		ch.pace = min(2*ch.pace, ch.cfg.DigestPace)
	} else {
		ch.pace = ch.cfg.Pace
	}
	ch.next = time.Now().Add(ch.pace)
	ch.mu.Lock()
	defer ch.mu.Unlock()
	for _, d := range m.Deliveries {
		a := d.Transition.Alarm
		if m.Kind == reminded {
			if e := ch.ledger.Open[a.ID]; e != nil {
				e.Word = m.at
			}
		} else {
			ch.ledger.told(d, m.at, got.post)
		}
		ch.log.Info("told", "alarm", a.ID, "state", a.State, "transition", d.Transition.ID, "kind", m.Kind,
			"age", m.at.Sub(d.Transition.At).Round(time.Millisecond), "attempt", ch.breaker.fails+1, "repeat", m.Repeat)
	}
	ch.desk.minutes.take(ch.name, m)
	ch.ledger.Begun = nil
	ch.ledger.keep()
	ch.breaker, ch.trouble = ch.breaker.success(), trouble{}
	ch.sent.Add(1)
}

func (ch *channel) undelivered(m message, err error) {
	ch.failed.Add(1)
	ch.mu.Lock()
	defer ch.mu.Unlock()
	asked, permanent := time.Duration(0), false
	if no := refused(err); no != nil {
		asked, permanent = no.after, no.permanent
	}
	now := time.Now()
	ch.breaker = ch.breaker.failure(now, asked, ch.cfg.Backoff, ch.cfg.BackoffMax, jitter())
	if ch.trouble.reason == "" {
		ch.trouble.since = now
	}
	ch.trouble.reason, ch.trouble.permanent = err.Error(), permanent
	if !m.Repeat { // it surely has not arrived
		ch.ledger.Begun = &m
		ch.ledger.keep()
	}
	t := m.Deliveries[0].Transition
	ch.log.Warn("not told, trying again", "alarm", t.Alarm.ID, "transition", t.ID,
		"transitions", len(m.Deliveries), "attempt", ch.breaker.fails, "pause", ch.breaker.until.Sub(now).Round(time.Millisecond),
		"breaker", ch.breaker.state, "err", err)
}

// heartbeat is how often a loop that waits says that it waits.
const heartbeat = 500 * time.Millisecond

// pause waits until notBefore, which may come nearer meanwhile.
func (ch supervised) pause(ctx context.Context) error {
	for {
		ch.loop.Allow(roundTime)
		wait := time.Until(ch.notBefore())
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

// hold waits for the gate, for as long as another loop, which is supervised
// too, calls the provider.
func (ch supervised) hold(ctx context.Context) error {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		ch.loop.Allow(roundTime)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case ch.gate <- struct{}{}:
			return nil
		case <-beat.C:
		}
	}
}
