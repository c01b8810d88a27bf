// Libra-bus is the bus that Libra's processes meet on: NATS with JetStream,
// embedded; or, where LIBRA_NATS_URL names a server elsewhere, the one that
// keeps Libra's streams in order there.
//
// It writes its store and nothing else. With --make-keys it makes the bus keys
// that are missing and exits.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"libra/cmd/internal/wire"
	"libra/pkg/broker"
	"libra/pkg/bus"
	"libra/pkg/daemon"
)

type settings struct {
	line     wire.Line
	broker   broker.Config
	makeKeys string
}

func main() {
	var s settings
	os.Exit(daemon.Main(daemon.Program{
		Name: "libra-bus", Usage: "carries messages between Libra's processes and keeps them until they are dealt with",
		Settings: append(s.line.Settings(),
			daemon.Setting{Name: "bus-store", Default: "/var/lib/libra/bus", Usage: "`folder` for what the bus keeps", Into: daemon.Text(&s.broker.Store)},
			daemon.Setting{Name: "bus-space", Default: "1G", Usage: "most that the bus may keep, in `bytes`", Into: daemon.Bytes(&s.broker.Space, 32<<20)},
			daemon.Setting{Name: "bus-keys", Default: "/var/lib/libra/keys/public", Usage: "`file` of public keys", FlagOnly: true, Into: daemon.Text(&s.broker.Keys)},
			daemon.Setting{Name: "make-keys", Usage: "make the keys that are missing in `folder`, and exit", FlagOnly: true, Into: daemon.Text(&s.makeKeys)}),
		Check: s.check, Run: s.run,
	}))
}

// check looks at what only an embedded bus needs.
func (s *settings) check() []error {
	if s.line.Outside() || s.makeKeys != "" {
		return nil
	}
	var faults []error
	if err := daemon.Folder(&s.broker.Store)(s.broker.Store); err != nil {
		faults = append(faults, fmt.Errorf("LIBRA_BUS_STORE is %q: %w", s.broker.Store, err))
	}
	if err := daemon.File(&s.broker.Keys)(s.broker.Keys); err != nil {
		faults = append(faults, fmt.Errorf("--bus-keys is %q: %w; systemctl start libra-keys makes it", s.broker.Keys, err))
	}
	return faults
}

func (s *settings) run(ctx context.Context, p *daemon.Process) error {
	if s.makeKeys != "" {
		return broker.MakeKeys(s.makeKeys)
	}
	cfg, health := s.line.Config(p, "bus"), func() error { return nil }
	space := s.broker.Space
	if !s.line.Outside() {
		s.broker.Listen, s.broker.Log = s.line.Listen, p.Log
		b, err := broker.Start(ctx, s.broker)
		if err != nil {
			return err
		}
		p.Cleanup("bus", func(context.Context) error { b.Stop(); return nil })
		cfg.InProcess, health, space = b, b.Healthy, b.Space()
	}
	conn, err := bus.Connect(cfg)
	if err != nil {
		return err
	}
	wire.Beat(ctx, p, conn, "1")
	if err := conn.EnsureStreams(ctx, space); err != nil {
		return err
	}
	p.Ready("serving at " + cfg.URL)
	return watch(ctx, p.Heart.Loop("bus"), conn, health)
}

// answerTime is how long the bus may go without an answer to its own process.
const answerTime = 3 * time.Second

// watch ends with an error when the server has given up, and exceeds what it
// declared to loop when the server no longer answers.
func watch(ctx context.Context, loop *daemon.Loop, conn *bus.Conn, health func() error) error {
	for {
		if err := health(); err != nil {
			return err
		}
		if conn.Ping(ctx) == nil {
			loop.Allow(answerTime)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(time.Second):
		}
	}
}
