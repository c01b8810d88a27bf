package notifier

import (
	"context"
	"fmt"
	"slices"
	"time"

	"libra/pkg/event"
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
		return event.Tried{Channel: name, Answer: fmt.Sprintf("no such channel %q", name), Channels: names, Routes: n.policy.routesInForce()}
	}
	tried := event.Tried{Channel: name}
	got, err := all[i].sender.try(ctx)
	if err != nil {
		tried.Answer = err.Error()
	} else {
		tried.OK, tried.Answer = true, got.answer
	}
	tried.TookMS = time.Since(began).Milliseconds()
	return tried
}
