// Package bus carries the messages of package event over NATS and JetStream.
// It is the only importer of nats.go, and deals in subjects, streams and
// consumers, but not what the messages are for.
//
// Every call to the bus ends with its context or after about a second; while the
// bus is unavailable the error is libra.ErrUnavailable, and libra.ErrTooLarge for a
// message that it never carries. Every subscription
// resumes by itself when the bus is back, however long it was away.
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
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/libra"
	"libra/pkg/meter"
)

// callTime is how long one call to the bus may take. A call in progress does not fail
// earlier when the connection breaks, unless it is about a message to be stored.
const callTime = time.Second

// Config says which bus to connect to, in which role.
type Config struct {
	// URL of the bus: nats://127.0.0.1:4222. Several are separated by commas.
	URL string
	// Seed is the file with this role's nkey seed; "" connects without a key.
	Seed string
	// Role is that of the component ("web"), as in package component. It prefixes
	// the inbox.
	Role string
	// Name distinguishes connections of a role in the server's logs.
	Name string
	// InProcess is the server itself, when it runs in this process.
	InProcess nats.InProcessConnProvider
	// Remind is how often the log repeats that the bus is away: every minute.
	Remind time.Duration
	Log    *slog.Logger
}

// Conn is a connection to the bus. It is usable at once and reconnects forever.
// Its methods may be called concurrently.
type Conn struct {
	cfg      Config
	nc       *nats.Conn
	js       jetstream.JetStream
	log      *slog.Logger
	outage   outage
	inFlight inFlight
	refusals refusals
	streams  sync.Map // handles by name: a look-up costs more than most calls
	rounds   rounds
	backlogs backlogs
	due      dueWaits

	publishing meter.Meter // messages that are to be stored
	published  atomic.Int64
}

// Connect starts connecting and returns. An error is a fault of the
// configuration; a bus that is down is not an error.
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
		nats.Timeout(callTime),
		nats.PingInterval(2 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.IgnoreAuthErrorAbort(), // the bus may come back with the right keys
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) { c.outage.failed(err) }),
		nats.ConnectHandler(func(nc *nats.Conn) { c.outage.end(); c.log.Info("bus connected", "url", nc.ConnectedUrl()) }),
		nats.ReconnectHandler(func(nc *nats.Conn) { c.outage.end(); c.log.Info("bus reconnected", "url", nc.ConnectedUrl()) }),
		nats.DisconnectErrHandler(func(nc *nats.Conn, err error) {
			c.inFlight.lost()
			if !nc.IsClosed() {
				c.log.Warn("bus connection lost, reconnecting", "url", redacted(cfg.URL), "err", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			c.log.Warn("bus reported an error", "subject", subject, "err", err)
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
			return nil, fmt.Errorf("read nkey seed %q: %w: systemctl restart libra-keys creates missing keys, systemctl restart libra.target loads them", cfg.Seed, err)
		}
		opts = append(opts, opt)
	}
	nc, err := nats.Connect(cfg.URL, opts...)
	if err != nil {
		return nil, fmt.Errorf("bus at %q: %w", cfg.URL, err)
	}
	c.nc = nc
	if c.js, err = jetstream.New(nc, jetstream.WithDefaultTimeout(callTime)); err != nil {
		nc.Close()
		return nil, err
	}
	return c, nil
}

// reconnectDelay grows from 100 ms to half a second, so that all components
// reconnect within a second of the bus, and not in the same instant.
func reconnectDelay(attempts int) time.Duration {
	return min(time.Duration(attempts)*50*time.Millisecond, 400*time.Millisecond) + rand.N(100*time.Millisecond)
}

// Close ends the connection at once. What was acknowledged is stored.
func (c *Conn) Close() { c.nc.Close() }

// Connected reports whether there is a connection now.
func (c *Conn) Connected() bool { return c.nc.IsConnected() }

// Ping asks the bus for an answer. Without a connection, the error says why.
func (c *Conn) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	err := c.nc.FlushWithContext(ctx)
	if err != nil && !c.Connected() {
		err = c.outageCause(err) // it says more than that the deadline has passed
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

// quietAttempts may fail before retry logs: a bus that starts at the same time
// takes two or three.
const quietAttempts = 5

// retry calls do until it succeeds or ctx ends, with growing pauses of at most
// half a second. It logs, at intervals of Config.Remind, that do fails, and once
// that it succeeds again.
func (c *Conn) retry(ctx context.Context, what string, do func() error) error {
	for attempt := 1; ; attempt++ {
		err := do()
		if err == nil {
			if attempt > quietAttempts {
				c.log.Info("bus operation succeeded after retries", "operation", what, "attempt", attempt)
			}
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if attempt >= quietAttempts {
			c.logOutage(what, err)
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

// unavailable translates an error of NATS into one of package libra.
func unavailable(err error) error {
	var api *jetstream.APIError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &api) && strings.Contains(api.Description, "per subject"):
		return fmt.Errorf("%w: %s", libra.ErrOpen, api.Description)
	case errors.As(err, &api) && (api.ErrorCode == insufficientResources || strings.Contains(api.Description, "maximum bytes") || strings.Contains(api.Description, "maximum messages")):
		return fmt.Errorf("%w: %s", libra.ErrFull, api.Description)
	case errors.As(err, &api) && (api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant):
		return fmt.Errorf("%w: %s", errExists, api.Description)
	case errors.Is(err, jetstream.ErrMsgNotFound):
		return libra.ErrNotFound
	case errors.Is(err, nats.ErrMaxPayload):
		return fmt.Errorf("%w: bus: %w", libra.ErrTooLarge, err)
	case errors.Is(err, nats.ErrReconnectBufExceeded): // there is no such buffer: see Connect
		return fmt.Errorf("%w: bus: not connected", libra.ErrUnavailable)
	}
	return fmt.Errorf("%w: bus: %w", libra.ErrUnavailable, err)
}

// errExists says that there is a message already where none was expected.
var errExists = errors.New("there is a message already")

// insufficientResources is JetStream's "insufficient resources" (no space).
const insufficientResources = 10023
