// Package bus carries the messages of package event over NATS and JetStream.
// It is the only importer of nats.go, and knows subjects, streams and
// consumers, but not what the messages are for.
//
// Every call that asks the bus something ends within its context or about a
// second; what cannot be had is libra.ErrUnavailable. Every subscription comes
// back by itself when the bus does, however long it was gone.
package bus

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/libra"
)

// patience is how long one question to the bus may take. A request that is
// under way when the connection breaks never fails early.
const patience = time.Second

// Config says which bus, and as whom.
type Config struct {
	// URL of the bus: nats://127.0.0.1:4222. Several are separated by commas.
	URL string
	// Seed is the file with this role's nkey seed; "" connects without a key.
	Seed string
	// Role is who connects ("web"), as in Roles. It prefixes the inbox.
	Role string
	// Name tells connections of a role apart in the server's logs.
	Name string
	// InProcess is the server itself, when it runs in this process.
	InProcess nats.InProcessConnProvider
	// Remind is how often a bus that is away is said to be: once a minute.
	Remind time.Duration
	Log    *slog.Logger
}

// Conn is a connection to the bus, or one that is being sought: it is usable
// at once and never gives up. Its methods may be called concurrently.
type Conn struct {
	cfg     Config
	nc      *nats.Conn
	js      jetstream.JetStream
	log     *slog.Logger
	away    away
	streams sync.Map // handles by name: a look-up costs more than most questions
}

// Connect starts connecting and returns. Errors are faults of the
// configuration: a bus that is down is none.
func Connect(cfg Config) (*Conn, error) {
	if cfg.Remind == 0 {
		cfg.Remind = time.Minute
	}
	c := &Conn{cfg: cfg, log: cfg.Log}
	opts := []nats.Option{
		nats.Name(cfg.Name),
		nats.CustomInboxPrefix("_INBOX_" + cfg.Role),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		nats.CustomReconnectDelay(reconnectDelay),
		nats.ReconnectBufSize(-1), // an error now beats a stale message later
		nats.Timeout(patience),
		nats.PingInterval(2 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.IgnoreAuthErrorAbort(), // the bus may come back with the right keys
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { c.away.attempt(err) }),
		nats.ConnectHandler(func(nc *nats.Conn) { c.away.over(); c.log.Info("bus connected", "url", nc.ConnectedUrl()) }),
		nats.ReconnectHandler(func(nc *nats.Conn) { c.away.over(); c.log.Info("bus connected again", "url", nc.ConnectedUrl()) }),
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			if !nc.IsClosed() {
				c.log.Warn("bus connection lost, trying again", "url", redacted(cfg.URL), "err", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			c.log.Warn("bus complains", "subject", subject, "err", err)
		}),
	}
	if cfg.InProcess != nil {
		opts = append(opts, nats.InProcessServer(cfg.InProcess))
	}
	if cfg.Seed != "" {
		if _, err := os.Stat(cfg.Seed); err != nil {
			return nil, fmt.Errorf("read nkey seed: %w", err)
		}
		opt, err := nats.NkeyOptionFromSeed(cfg.Seed)
		if err != nil {
			return nil, fmt.Errorf("read nkey seed %q: %w: systemctl restart libra-keys makes what is missing, systemctl restart libra.target takes it", cfg.Seed, err)
		}
		opts = append(opts, opt)
	}
	nc, err := nats.Connect(cfg.URL, opts...)
	if err != nil {
		return nil, fmt.Errorf("bus at %q: %w", cfg.URL, err)
	}
	c.nc = nc
	if c.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(patience)); err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

// reconnectDelay grows from 100 ms to half a second, so that everybody is back
// within a second of the bus, and not all in the same instant.
func reconnectDelay(attempts int) time.Duration {
	return min(time.Duration(attempts)*50*time.Millisecond, 400*time.Millisecond) + rand.N(100*time.Millisecond)
}

// Close ends the connection at once; what was answered is safe.
func (c *Conn) Close() { c.nc.Close() }

// Connected says whether the bus can be talked to right now.
func (c *Conn) Connected() bool { return c.nc.IsConnected() }

// Ping asks the bus for an answer. Where there is no connection, the error says
// why.
func (c *Conn) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := c.nc.FlushWithContext(ctx)
	if err != nil && !c.Connected() {
		err = c.unreached(err) // it says more than that time was up
	}
	return unavailable(err)
}

// Wait returns when the bus is connected, or ctx ends.
func (c *Conn) Wait(ctx context.Context) error {
	return c.retry(ctx, "wait for the bus", func() error {
		if !c.Connected() {
			return libra.ErrUnavailable
		}
		return nil
	})
}

// quiet is how many attempts may fail before it is worth a line: a bus that
// starts beside us takes two or three.
const quiet = 5

// retry calls do until it succeeds or ctx ends, with growing pauses up to half
// a second. It logs that the bus does not answer, now and then, and that it does
// again.
func (c *Conn) retry(ctx context.Context, what string, do func() error) error {
	for attempt := 1; ; attempt++ {
		err := do()
		if err == nil {
			if attempt > quiet {
				c.log.Info("bus answers again", "doing", what, "attempt", attempt)
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if attempt >= quiet {
			c.complain(what, err)
		}
		pause := time.NewTimer(reconnectDelay(attempt))
		select {
		case <-ctx.Done():
			pause.Stop()
			return ctx.Err()
		case <-pause.C:
		}
	}
}

// unavailable translates what NATS says into the vocabulary.
func unavailable(err error) error {
	var api *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &api) && strings.Contains(api.Description, "per subject"):
		return fmt.Errorf("%w: %s", libra.ErrOpen, api.Description)
	case errors.As(err, &api) && (api.ErrorCode == insufficientResources || strings.Contains(api.Description, "maximum bytes") || strings.Contains(api.Description, "maximum messages")):
		return fmt.Errorf("%w: %s", libra.ErrFull, api.Description)
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return libra.ErrNotFound
	case errors.Is(err, nats.ErrReconnectBufExceeded): // there is none: see Connect
		return fmt.Errorf("%w: bus: not connected", libra.ErrUnavailable)
	}
	return fmt.Errorf("%w: bus: %w", libra.ErrUnavailable, err)
}

// insufficientResources is JetStream's "insufficient resources" (no space).
const insufficientResources = 10023
