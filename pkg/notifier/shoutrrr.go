package notifier

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/url"
	"strings"

	"github.com/nicholas-fedor/shoutrrr"
	"github.com/nicholas-fedor/shoutrrr/pkg/router"

	"libra/pkg/rules"
)

func newShoutrrr(c rules.Channel, cfg Config, w writer) (sender, error) {
	url, err := cfg.credential(c.Credential)
	if err != nil {
		return nil, err
	}
	if err := inClear(url.text); err != nil {
		return nil, fmt.Errorf("credential %q: %w", c.Credential, err)
	}
	// Its services log what they send and to where: nobody listens.
	r, err := shoutrrr.NewSender(log.New(io.Discard, "", 0), url.text)
	if err != nil {
		return nil, fmt.Errorf("credential %q holds no URL of shoutrrr (%s): see https://shoutrrr.nickfedor.com/ for those of its services", c.Credential, scrub(err.Error(), url.text))
	}
	r.Timeout = cfg.Timeout
	return &shout{url, r, w, make(chan struct{}, 1)}, nil
}

// inClear refuses URLs of services elsewhere that would be spoken to without
// TLS.
func inClear(raw string) error {
	u, err := url.Parse(raw)
	if err != nil {
		return errors.New("that is no URL of shoutrrr")
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
		return errors.New("the URL turns TLS off: whoever reads it on the way could use it; that is for this host and private networks")
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

// shout tells by any service that shoutrrr knows.
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
		return receipt{}, &refusal{reason: "the call before is still under way"}
	}
	text := s.writer.letter(m).plain()
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
			return receipt{}, errors.New(flat(scrub(err.Error(), s.url.text), 2*mostAnswer))
		}
	}
	return receipt{answer: "the service took it"}, nil
}
