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
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/slack-go/slack"
)

// webhook is a URL that lets whoever knows it post: it is never printed.
type webhook struct{ url string }

// String keeps the URL out of logs and errors.
func (webhook) String() string { return "[webhook]" }

// readWebhook reads the URL. Its errors name the file, never what is in it.
func readWebhook(file string) (webhook, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return webhook{}, fmt.Errorf("read Slack's webhook: %w", err)
	}
	text := strings.TrimSpace(string(data))
	u, err := url.Parse(text)
	switch {
	case text == "":
		return webhook{}, fmt.Errorf("read Slack's webhook: %q is empty: put the URL there that Slack shows under Incoming Webhooks", file)
	case err != nil || u.Host == "" || strings.ContainsAny(text, " \n"):
		return webhook{}, fmt.Errorf("read Slack's webhook: what %q holds is no URL: put the one there that Slack shows under Incoming Webhooks, alone on a line", file)
	case u.Scheme == "https", u.Scheme == "http" && isLocal(u.Hostname()):
		return webhook{text}, nil
	}
	return webhook{}, fmt.Errorf("read Slack's webhook: the URL in %q does not start with https://: whoever reads it on the way could post", file)
}

// isLocal allows a relay or a test without TLS on this host or its own network.
func isLocal(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && (ip.IsLoopback() || ip.IsPrivate())
}

// slackChannel posts to an incoming webhook.
type slackChannel struct {
	hook   webhook
	writer writer
	client *http.Client
}

func newSlack(hook webhook, cfg Config) *slackChannel {
	return &slackChannel{
		hook:   hook,
		writer: writer{base: cfg.BaseURL, runbook: cfg.RunbookURL, version: cfg.Version, late: cfg.Late},
		client: &http.Client{
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute, MaxIdleConns: 1},
			// A redirect of a webhook is a misconfiguration, not a way.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// send posts m. Where Slack dislikes the blocks, plain text says the same.
func (s *slackChannel) send(ctx context.Context, m message) error {
	msg := s.writer.message(m)
	err := s.post(ctx, msg)
	var no *refusal
	if errors.As(err, &no) && strings.Contains(no.reason, "invalid_") {
		return s.post(ctx, &slack.WebhookMessage{Text: msg.Text})
	}
	return err
}

func (s *slackChannel) post(ctx context.Context, msg *slack.WebhookMessage) error {
	data, err := json.Marshal(msg)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.hook.url, bytes.NewReader(data))
	if err != nil {
		return errors.New("post to Slack: the webhook is no URL")
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Libra/"+s.writer.version)
	resp, err := s.client.Do(req)
	if err != nil {
		return unsent(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 200)) // the status says enough
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &refusal{
		reason: fmt.Sprintf("Slack answered %s: %q", resp.Status, body),
		after:  retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
}

// unsent takes the URL out of an error, and tells what surely did not arrive
// from what may have.
func unsent(err error) error {
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err
	}
	var op *net.OpError
	var dns *net.DNSError
	if errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial" {
		return &refusal{reason: "cannot reach Slack: " + err.Error()}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.New("post to Slack: no answer in time")
	}
	return fmt.Errorf("post to Slack: %w", err)
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
