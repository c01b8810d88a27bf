package notifier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nicholas-fedor/shoutrrr"
	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/util/jsonclient"

	"libra/pkg/rules"
)

func newShoutrrr(c rules.Channel, cfg Config, w writer) (provider, error) {
	url, err := cfg.credential(c.Credential)
	if err != nil {
		return nil, err
	}
	if err := inClear(url.text); err != nil {
		return nil, fmt.Errorf("credential %q: %w", c.Credential, err)
	}
	// Its services log what they send and where to: that is discarded.
	r, err := shoutrrr.NewSender(log.New(io.Discard, "", 0), url.text)
	if err != nil {
		return nil, fmt.Errorf("credential %q: invalid shoutrrr URL (%s): see https://shoutrrr.nickfedor.com/ for those of its services", c.Credential, scrub(err.Error(), url.text))
	}
	r.Timeout = cfg.Timeout
	return &shout{url, r, w, make(chan struct{}, 1)}, nil
}

// inClear refuses URLs of services elsewhere that would be spoken to without
// TLS.
func inClear(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("invalid shoutrrr URL")
	}
	plain := strings.HasSuffix(u.Scheme, "+http") || u.Scheme == "smtp" && strings.EqualFold(u.Query().Get("encryption"), "none")
	for key, values := range u.Query() {
		switch strings.ToLower(key) {
		case "disabletls", "disabletlsverification", "insecureskipverify", "skiptlsverify":
			plain = plain || yes(values[0])
		case "scheme":
			plain = plain || strings.EqualFold(values[0], "http")
		case "usestarttls":
			plain = plain || !yes(values[0]) && u.Port() != "465"
		}
	}
	if plain && !rules.Near(u.Hostname()) {
		return errors.New("the URL turns TLS off: a host on the way could read and use it; that is for this host and private networks")
	}
	return nil
}

func yes(s string) bool {
	switch strings.ToLower(s) {
	case "yes", "true", "1":
		return true
	}
	return false
}

// shout sends by any service of shoutrrr.
type shout struct {
	url    secret
	router *router.ServiceRouter
	writer writer
	busy   chan struct{} // held by a call under way; services heed no context
}

func (s *shout) send(ctx context.Context, m message) (receipt, error) {
	select {
	case s.busy <- struct{}{}:
	default:
		return receipt{}, &refusal{reason: "the call before is still in progress"}
	}
	text := s.writer.content(m).plain()
	answer := make(chan error, 1)
	go func() {
		defer func() { <-s.busy }()
		answer <- errors.Join(s.router.Send(text, nil)...)
	}()
	select {
	case <-ctx.Done():
		return receipt{}, errors.New("no answer in time")
	case err := <-answer:
		if err != nil {
			return receipt{}, judgeShout(err, s.url.text)
		}
	}
	return receipt{answer: "the service accepted it"}, nil
}

// judgeShout distinguishes a refusal from an unknown result by the errors of the
// services: some have a type, most an HTTP status in their text.
func judgeShout(err error, url string) error {
	reason := flat(scrub(err.Error(), url), 2*mostAnswer)
	var dns *net.DNSError
	var op *net.OpError
	if errors.As(err, &dns) || errors.As(err, &op) && op.Op == "dial" {
		return &refusal{reason: reason}
	}
	status := statusIn(err, reason)
	final := slices.ContainsFunc(finalWords, func(s string) bool { return strings.Contains(strings.ToLower(reason), s) })
	no := &refusal{reason: reason, permanent: isFinal(status), message: tooLarge(reason) || isOfMessage(status, "") && !final}
	if status == 0 {
		no.permanent = no.message || final
	}
	if status == 0 && !no.permanent {
		return errors.New(reason)
	}
	return no
}

// finalWords are those of services that name no status.
var finalWords = []string{"unauthorized", "forbidden", "invalid token", "invalid_auth", "token_revoked", "chat not found", "not_found", "authentication failed"}

// statusWords is what may be a status of HTTP in an error: "status: 403",
// "HTTP 401", "unexpected response status code: 404", "403 Forbidden".
var statusWords = regexp.MustCompile(`(?i)(?:(?:status|code|http|failed):? |\b)([345]\d\d)\b( [a-z]+)?`)

// statusIn is the status of HTTP that an error is about; 0 where it names none.
func statusIn(err error, text string) int {
	var answer jsonclient.Error
	if errors.As(err, &answer) && answer.StatusCode != 0 {
		return answer.StatusCode
	}
	for _, found := range statusWords.FindAllStringSubmatch(text, -1) {
		status, _ := strconv.Atoi(found[1]) // three digits
		named := found[2] != "" && strings.HasPrefix(http.StatusText(status)+" ", found[2][1:]+" ")
		if !strings.HasPrefix(found[0], found[1]) || named {
			return status
		}
	}
	return 0
}
