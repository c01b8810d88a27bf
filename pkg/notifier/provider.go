package notifier

import (
	"context"
	"fmt"
	"log/slog"

	"libra/pkg/rules"
)

// slackCredential makes a channel without a line in alarms.toml.
const slackCredential = "slack-webhook"

// journalName is the channel where none is configured.
const journalName = rules.Journal

// channels are those of the rules; without any, Slack where it has a credential,
// else the journal.
func (c Config) channels() []rules.Channel {
	switch {
	case len(c.Rules.Channels) > 0:
		return c.Rules.Channels
	case c.hasCredential(slackCredential):
		return []rules.Channel{{Name: "slack", Type: rules.Slack, Credential: slackCredential}}
	}
	return []rules.Channel{{Name: journalName}}
}

// newProvider makes the provider of a channel. Errors are faults of the
// configuration, and hold no secret.
func newProvider(c rules.Channel, cfg Config, w writer, log *slog.Logger) (provider, error) {
	switch c.Type {
	case rules.Slack:
		return newHook(c, cfg, w)
	case rules.SlackBot:
		return newBot(c, cfg, w)
	case rules.Webhook:
		return newWebhook(c, cfg, w)
	case rules.Email:
		return newEmail(c, cfg, w)
	case rules.Shoutrrr:
		return newShoutrrr(c, cfg, w)
	case "":
		return journal{log}, nil
	}
	return nil, fmt.Errorf("channel type %q is unknown: use one of %v", c.Type, rules.Types())
}

// broken is a channel that cannot be used as it is configured. What is for it
// waits.
type broken struct{ reason error }

func (b broken) send(context.Context, message) (receipt, error) {
	return receipt{}, &refusal{reason: b.reason.Error(), permanent: true}
}

// journal writes to the log only.
type journal struct{ log *slog.Logger }

func (j journal) send(_ context.Context, m message) (receipt, error) {
	for _, d := range m.Notifications {
		a := d.Transition.Alarm
		j.log.Info("no channel is configured, nobody is notified", "alarm", a.ID, "state", a.State, "severity", a.Severity,
			"target", a.Target, "summary", a.Summary, "evidence", a.Evidence, "transition", d.Transition.ID)
	}
	return receipt{answer: "no channel is configured: this went to the journal of libra-notifier"}, nil
}
