package notifier

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"libra/pkg/libra"
	"libra/pkg/rules"
)

// slackAPI is where bots speak, unless their channel names another place.
const slackAPI = "https://slack.com/api/"

func newBot(c rules.Channel, cfg Config, w writer) (provider, error) {
	token, err := cfg.credential(c.Credential)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(token.text, "xox") {
		return nil, fmt.Errorf("credential %q: invalid Slack bot token: must begin with xoxb-; Slack shows it under OAuth & Permissions", c.Credential)
	}
	api := strings.TrimRight(cmp.Or(c.URL, slackAPI), "/") + "/"
	client := newClient()
	return &bot{c.To[0], w, slack.New(token.text, slack.OptionAPIURL(api), slack.OptionHTTPClient(client), slack.OptionLog(log.New(io.Discard, "", 0)))}, nil
}

// bot posts with a token. It updates the first message about an alarm when it
// changes, and replies in its thread.
type bot struct {
	room   string
	writer writer
	api    *slack.Client
}

func (b *bot) send(ctx context.Context, m message) (receipt, error) {
	l := b.writer.content(m)
	if len(m.Notifications) == 1 && m.Kind != trial && m.Notifications[0].Post != (place{}) {
		return b.follow(ctx, m, l)
	}
	return b.say(ctx, b.room, l, len(m.Notifications) > 1)
}

func (b *bot) say(ctx context.Context, room string, l content, shared bool, more ...slack.MsgOption) (receipt, error) {
	channel, stamp, err := b.api.PostMessageContext(ctx, room, append(options(l.slackMessage()), more...)...)
	if isCode(err, "invalid_blocks", "invalid_attachments", "invalid_blocks_format") {
		channel, stamp, err = b.api.PostMessageContext(ctx, room, append([]slack.MsgOption{slack.MsgOptionText(l.slackText(), false)}, more...)...)
	}
	if err != nil {
		return receipt{}, judgeSlack(err)
	}
	return receipt{fmt.Sprintf("Slack accepted it: channel %s, message %s", channel, stamp), place{channel, stamp, shared}}, nil
}

// follow updates the first message about an alarm, unless that is about others
// too, and replies in its thread.
func (b *bot) follow(ctx context.Context, m message, l content) (receipt, error) {
	d := m.Notifications[0]
	over := d.Transition.Alarm.State == libra.Cleared
	if m.Kind == news && !d.Post.Shared && m.Refused == "" { // a notice says less than the message before
		_, _, _, err := b.api.UpdateMessageContext(ctx, d.Post.Room, d.Post.Stamp, options(l.slackMessage())...)
		if err = judgeSlack(err); hopeless(err) {
			return b.say(ctx, b.room, l, false) // somebody deleted it, say
		} else if err != nil {
			return receipt{}, err
		}
	}
	more := []slack.MsgOption{slack.MsgOptionTS(d.Post.Stamp)}
	if !over || d.Post.Shared {
		more = append(more, slack.MsgOptionBroadcast()) // it must be seen
	}
	got, err := b.say(ctx, d.Post.Room, l, false, more...)
	if hopeless(err) {
		return b.say(ctx, b.room, l, false) // no replies there any more, say
	}
	got.post = d.Post
	return got, err
}

// hopeless reports whether a retry would get the same answer.
func hopeless(err error) bool {
	no := refused(err)
	return no != nil && no.permanent
}

func options(msg *slack.WebhookMessage) []slack.MsgOption {
	return []slack.MsgOption{
		slack.MsgOptionText(msg.Text, false),
		slack.MsgOptionBlocks(msg.Blocks.BlockSet...),
		slack.MsgOptionAttachments(msg.Attachments...),
		slack.MsgOptionDisableLinkUnfurl(),
		slack.MsgOptionDisableMediaUnfurl(),
	}
}

func isCode(err error, codes ...string) bool {
	var no slack.SlackErrorResponse
	return errors.As(err, &no) && slices.Contains(codes, no.Err)
}

// passing are the answers of Slack that pass by themselves.
// https://docs.slack.dev/reference/methods/chat.postMessage#errors
var passing = []string{"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout", "accesslimited", "message_limit_exceeded"}

// ofMessage are the answers of Slack that refuse a message, not the channel, beside
// those that find it too long.
var ofMessage = []string{
	"invalid_arguments", "invalid_arg_name", "invalid_array_arg", "invalid_attachments", "invalid_blocks", "invalid_blocks_format", "invalid_charset",
	"invalid_form_data", "invalid_json", "json_not_object", "markdown_text_conflict", "no_text", "too_many_attachments",
}

// judgeSlack distinguishes a refusal from an unknown result.
func judgeSlack(err error) error {
	var limited *slack.RateLimitedError
	var no slack.SlackErrorResponse
	var status slack.StatusCodeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &limited):
		return &refusal{reason: "Slack answered 429 Too Many Requests", after: min(limited.RetryAfter, longestAfter)}
	case errors.As(err, &no):
		reason := fmt.Sprintf("Slack answered %q", no.Err)
		if no.Needed != "" {
			reason += fmt.Sprintf(": the bot needs the scope %s", no.Needed)
		}
		return &refusal{reason: reason, permanent: !slices.Contains(passing, no.Err), message: slices.Contains(ofMessage, no.Err) || tooLarge(no.Err)}
	case errors.As(err, &status):
		return &refusal{
			reason: fmt.Sprintf("Slack answered %d %s", status.Code, http.StatusText(status.Code)), permanent: isFinal(status.Code),
			message: isOfMessage(status.Code, ""),
		}
	}
	return unsent("Slack", err)
}
