package notifier

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"libra/pkg/libra"
	"libra/pkg/rules"
)

// Circumstances and Entry are what Verdict decides on.
type (
	Circumstances struct {
		Now     time.Time
		Routed  bool
		Silence *libra.Silence
		Acked   bool
		Cause   *time.Time
		Group   time.Time
	}
	Entry = entry
)

// Verdict is decide's, in words, with the shipped intervals.
func Verdict(e Entry, c Circumstances) (string, string) {
	v, why := decide(e, circumstances{
		now: c.Now, routed: c.Routed, silence: c.Silence, acked: c.Acked, cause: c.Cause, group: c.Group, telling: rules.Defaults().Telling,
	})
	return map[verdict]string{nothing: "nothing", tell: "tell", withhold: "withhold", remind: "remind"}[v], why
}

// SendWith has every channel call fn in place of its provider, with the words
// of each message and their number.
func (n *Notifier) SendWith(fn func(ctx context.Context, channel, text string, transitions int) error) {
	n.sender = func(c rules.Channel, _ Config, w writer, _ *slog.Logger) (sender, error) {
		return senderFunc(func(ctx context.Context, m message) (receipt, error) {
			return receipt{}, fn(ctx, c.Name, w.letter(m).plain(), len(m.Deliveries))
		}), nil
	}
}

type senderFunc func(context.Context, message) (receipt, error)

func (f senderFunc) send(ctx context.Context, m message) (receipt, error) { return f(ctx, m) }

// Refused is the error of a provider that says no.
func Refused(reason string, permanent bool) error {
	return &refusal{reason: reason, permanent: permanent}
}

// ShoutrrrSays is what judgeShout makes of an error.
func ShoutrrrSays(said string) string {
	switch no := refused(judgeShout(errors.New(said), "generic://x")); {
	case no == nil:
		return "unknown"
	case no.large:
		return "large"
	case no.permanent:
		return "permanent"
	}
	return "passing"
}

// Scrub is scrub.
func Scrub(text, raw string) string { return scrub(text, raw) }

// Delivery is what a message tells of.
type Delivery = delivery

// Written is a message as Slack and as a mail get it.
func Written(cfg Config, how string, at time.Time, repeat bool, list ...Delivery) (any, string) {
	cfg = cfg.withDefaults()
	w := newWriter(cfg, newDesk(&shelf{}, cfg.Rules, slog.New(slog.DiscardHandler)))
	l := w.letter(message{Kind: kind(how), Deliveries: list, Repeat: repeat, at: at})
	return l.slackMessage(), l.plain()
}
