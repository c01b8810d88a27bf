package notifier

import (
	"context"
	"fmt"
	"slices"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// Try sends a trial message by a channel and returns the provider's own answer.
// It waits for no queue and no breaker, only for the trial before it: the pace
// is exceeded by one message at most.
func (n *Notifier) Try(ctx context.Context, name string) event.Tried {
	began := time.Now()
	all := n.running()
	i := slices.IndexFunc(all, func(ch *channel) bool { return ch.name == name })
	if i < 0 {
		var names []string
		for _, ch := range all {
			names = append(names, ch.name)
		}
		return event.Tried{Channel: name, Answer: fmt.Sprintf("there is no channel %q", name), Channels: names}
	}
	tried := event.Tried{Channel: name}
	got, err := all[i].try(ctx)
	if err != nil {
		tried.Answer = err.Error()
	} else {
		tried.OK, tried.Answer = true, got.answer
	}
	tried.TookMS = time.Since(began).Milliseconds()
	return tried
}

func (ch *channel) try(ctx context.Context) (receipt, error) {
	select {
	case <-ctx.Done():
		return receipt{}, fmt.Errorf("the trial before is still under way: %w", ctx.Err())
	case ch.trials <- struct{}{}:
	}
	now := time.Now()
	m := message{Kind: trial, at: now, Deliveries: []delivery{{Transition: libra.Transition{ID: "trial", At: now, Host: ch.cfg.Host}}}}
	got, err := ch.attempt(ctx, m)
	// The next trial waits for the pace, this answer does not.
	time.AfterFunc(ch.cfg.Pace, func() { <-ch.trials })
	ch.log.Info("trial message", "ok", err == nil, "err", err)
	ch.mu.Lock()
	defer ch.mu.Unlock()
	switch no := refused(err); {
	case err == nil: // what waits need not wait any longer
		ch.breaker.until, ch.trouble = time.Time{}, trouble{}
	case no != nil && no.permanent:
		if ch.trouble.reason == "" {
			ch.trouble.since = now
		}
		ch.trouble.reason, ch.trouble.permanent = no.reason, true
	}
	return got, err
}
