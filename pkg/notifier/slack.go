package notifier

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"libra/pkg/rules"
)

// newHook makes a Slack channel of an incoming webhook.
func newHook(c rules.Channel, cfg Config, w writer) (provider, error) {
	url, err := cfg.credential(c.Credential)
	if err != nil {
		return nil, err
	}
	if err := rules.CheckURL(url.text); err != nil {
		return nil, fmt.Errorf("credential %q: Slack webhook: %w: put the URL there that Slack shows under Incoming Webhooks, alone on a line", c.Credential, err)
	}
	return &hook{url, w, newClient()}, nil
}

// hook posts to an incoming webhook.
type hook struct {
	url    secret
	writer writer
	client *http.Client
}

// send posts m, as plain text where Slack refuses the blocks.
func (h *hook) send(ctx context.Context, m message) (receipt, error) {
	l := h.writer.content(m)
	got, err := h.post(ctx, l.slackMessage())
	if no := refused(err); no != nil && (strings.Contains(no.reason, "invalid_blocks") || strings.Contains(no.reason, "invalid_attachments") || strings.Contains(no.reason, "invalid_payload")) {
		return h.post(ctx, &slack.WebhookMessage{Text: l.slackText()})
	}
	return got, err
}

func (h *hook) post(ctx context.Context, msg *slack.WebhookMessage) (receipt, error) {
	data, err := json.Marshal(msg)
	if err != nil {
		return receipt{}, fmt.Errorf("encode message: %w", err)
	}
	return post(ctx, h.client, "Slack", h.url, data, http.Header{"User-Agent": {"Libra/" + h.writer.version}})
}

// newClient is one for a single provider, whose credentials no other sees.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute, MaxIdleConns: 1},
		// A redirect of a webhook is a misconfiguration, not a way.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// mostAnswer is how much of a provider's answer is read.
const mostAnswer = 200

// post sends JSON to who and judges the answer.
func post(ctx context.Context, client *http.Client, who string, to secret, data []byte, header http.Header) (receipt, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.text, bytes.NewReader(data))
	if err != nil {
		return receipt{}, &refusal{reason: "post to " + who + ": invalid URL", permanent: true}
	}
	req.Header = header
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return receipt{}, unsent(who, err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 20*mostAnswer)) // the status says enough
	answer := fmt.Sprintf("%s answered %s", who, resp.Status)
	if len(body) > 0 {
		said := scrub(string(body), to.text) // before it is cut, or a part of a secret could stay
		answer += fmt.Sprintf(": %q", said[:min(len(said), mostAnswer)])
	}
	if resp.StatusCode/100 == 2 {
		return receipt{answer: answer}, nil
	}
	return receipt{}, &refusal{
		reason:    answer,
		after:     retryAfter(resp.Header.Get("Retry-After"), time.Now()),
		permanent: isFinal(resp.StatusCode),
		message:   isOfMessage(resp.StatusCode, string(body)),
	}
}

// isOfMessage reports whether a status refuses a message and not the channel. A
// 400 may be either: where the answer does not say that it is the channel, a
// smaller message shows which.
func isOfMessage(status int, answer string) bool {
	switch status {
	case http.StatusBadRequest, http.StatusNotAcceptable, http.StatusLengthRequired, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong,
		http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity, http.StatusRequestHeaderFieldsTooLarge:
		return !slices.Contains(channelCodes, strings.TrimSpace(answer))
	}
	return isFinal(status) && tooLarge(answer)
}

// channelCodes are the answers of Slack's webhooks that refuse the channel.
// https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors
var channelCodes = []string{
	"action_prohibited", "channel_is_archived", "channel_not_found", "invalid_token", "no_active_hooks", "no_service", "no_service_id", "no_team",
	"posting_to_general_channel_denied", "team_disabled", "user_not_found",
}

// isFinal reports whether a retry does not help until a person changes something.
func isFinal(status int) bool {
	switch status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return status/100 == 3 || status/100 == 4
}

// unsent takes the URL out of an error, and distinguishes a message that surely
// did not arrive from one that may have.
func unsent(who string, err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	var op *net.OpError
	var dns *net.DNSError
	if errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial" {
		return &refusal{reason: "cannot reach " + who + ": " + err.Error()}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("post to %s: no answer in time", who)
	}
	return fmt.Errorf("post to %s: %w", who, err)
}

// longestAfter bounds what a provider may ask for.
const longestAfter = time.Hour

// retryAfter reads the header of RFC 9110, section 10.2.3: seconds or a date.
func retryAfter(v string, now time.Time) time.Duration {
	var d time.Duration
	if n, err := strconv.Atoi(strings.TrimSpace(v)); err == nil {
		d = time.Duration(min(max(n, 0), int(longestAfter/time.Second))) * time.Second
	} else if t, err := http.ParseTime(v); err == nil {
		d = t.Sub(now)
	}
	return min(max(d, 0), longestAfter)
}
