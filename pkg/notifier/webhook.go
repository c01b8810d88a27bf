package notifier

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"libra/pkg/libra"
	"libra/pkg/rules"
)

// hookBody is what a webhook receives. Fields are only ever added. It is
// documented in docs/operations.md.
type hookBody struct {
	Kind        kind             `json:"kind"` // alarm, reminder, trial
	Text        string           `json:"text"` // all of it in one line
	Sent        time.Time        `json:"sent"`
	Repeat      bool             `json:"repeat"` // an earlier attempt may have arrived
	Transitions []hookTransition `json:"transitions"`
}

// hookTransition is a transition, and what people read about it.
type hookTransition struct {
	libra.Transition
	Text       string `json:"text"`               // in one line
	Affected   string `json:"affected,omitempty"` // who notices, and what of, while it is raised
	First      string `json:"first,omitempty"`    // what to do first
	AlarmURL   string `json:"alarm_url,omitempty"`
	ReportURL  string `json:"report_url,omitempty"` // of an alarm about a page
	RunbookURL string `json:"runbook_url,omitempty"`
}

// transition is d as a webhook receives it.
func (h *webhook) transition(m message, d notification) hookTransition {
	l := h.writer.single(message{Kind: m.Kind, at: m.at}, d)
	t := hookTransition{Transition: d.Transition, Text: flat(l.text, textLimit), Affected: l.meaning.affected, First: l.meaning.first}
	for _, k := range l.links {
		switch k.id {
		case "alarm":
			t.AlarmURL = k.url
		case "report":
			t.ReportURL = k.url
		case "runbook":
			t.RunbookURL = k.url
		}
	}
	return t
}

func newWebhook(c rules.Channel, cfg Config, w writer) (provider, error) {
	h := &webhook{url: secret{c.URL}, writer: w, client: newClient()}
	var err error
	if c.URLCredential != "" {
		if h.url, err = cfg.credential(c.URLCredential); err != nil {
			return nil, err
		}
		if err := rules.CheckURL(h.url.text); err != nil {
			return nil, fmt.Errorf("credential %q: webhook: %w", c.URLCredential, err)
		}
	}
	if c.Credential != "" {
		if h.key, err = cfg.credential(c.Credential); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// webhook posts JSON, signed.
type webhook struct {
	url, key secret
	writer   writer
	client   *http.Client
}

func (h *webhook) send(ctx context.Context, m message) (receipt, error) {
	body := hookBody{Kind: m.Kind, Text: flat(h.writer.content(m).text, textLimit), Sent: m.at.UTC(), Repeat: m.Repeat, Transitions: []hookTransition{}}
	for _, d := range m.Notifications {
		if m.Kind != trial && m.Refused == "" {
			body.Transitions = append(body.Transitions, h.transition(m, d))
		}
	}
	data, err := json.Marshal(body)
	if err != nil {
		return receipt{}, fmt.Errorf("encode message: %w", err)
	}
	header := http.Header{"User-Agent": {"Libra/" + h.writer.version}}
	if h.key.text != "" {
		stamp := strconv.FormatInt(m.at.Unix(), 10)
		header.Set("X-Libra-Timestamp", stamp)
		header.Set("X-Libra-Signature", "sha256="+sign(h.key, stamp, data))
	}
	return post(ctx, h.client, "the webhook", h.url, data, header)
}

// sign is the HMAC-SHA256 (RFC 2104), in hex, of the timestamp, a dot and the
// body: with the timestamp in it, a body that somebody recorded is worth
// nothing later.
func sign(key secret, stamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(key.text))
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	return hex.EncodeToString(mac.Sum(nil))
}
