// Libra-bus runs the bus of Libra's components: NATS with JetStream, embedded. If
// LIBRA_NATS_URL names another server, it only creates and checks Libra's streams
// there.
//
// It writes its store and nothing else. With --make-keys it creates the missing
// keys of the bus and exits.
package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"time"

	"libra/cmd/internal/wire"
	"libra/pkg/broker"
	"libra/pkg/bus"
	"libra/pkg/daemon"
	"libra/pkg/libra"
)

type settings struct {
	line      wire.Line
	broker    broker.Config
	keepSizes bool // LIBRA_BUS_SPACE is invalid: streams that exist keep their size
	makeKeys  string
}

func main() {
	s := settings{line: wire.Line{Serves: true}}
	os.Exit(daemon.Main(daemon.Program{
		Name: "libra-bus", Usage: "carries messages between Libra's components and stores them until they are consumed",
		Settings: append(s.line.Settings(),
			daemon.Setting{Name: "bus-store", Default: "/var/lib/libra/bus", Usage: "`folder` of the bus's store", Into: daemon.Text(&s.broker.Store)},
			daemon.Setting{Name: "bus-space", Usage: "most that the bus stores, in `bytes`; by default an eighth of the partition, from 1G to 2G", Effect: "the sizes that the stored streams have, the default where there are none", Into: s.space},
			daemon.Setting{Name: "bus-keys", Default: "/var/lib/libra/keys/public", Usage: "`file` of public keys", FlagOnly: true, Into: daemon.Text(&s.broker.Keys)},
			daemon.Setting{Name: "make-keys", Usage: "create the missing keys in `folder`, and exit", FlagOnly: true, Into: daemon.Text(&s.makeKeys)}),
		Check: s.check, Run: s.run,
	}))
}

// The server reads all of a store whose index is lost, which takes 25 s for 1 GB on a
// busy machine: systemd waits startTime more each time, up to longestStart.
const (
	startTime    = 30 * time.Second
	longestStart = 5 * time.Minute
)

// outsideSpace is for the streams on another server, whose disk is not known.
const outsideSpace = 1 << 30

// space reads the size of the store. With less than before, stored reports and
// watches would be removed: an invalid size changes no stream.
func (s *settings) space(text string) error {
	err := daemon.Bytes(&s.broker.Space, libra.LeastBusSpace)(text)
	s.keepSizes = s.keepSizes || err != nil
	return err
}

// check checks what only an embedded bus needs.
func (s *settings) check() []error {
	if s.line.Outside() || s.makeKeys != "" {
		return nil
	}
	var faults []error
	if err := daemon.Folder(&s.broker.Store)(s.broker.Store); err != nil {
		faults = append(faults, fmt.Errorf("invalid LIBRA_BUS_STORE %q: %w", s.broker.Store, err))
	}
	if err := daemon.File(&s.broker.Keys)(s.broker.Keys); err != nil {
		faults = append(faults, fmt.Errorf("invalid --bus-keys %q: %w; systemctl start libra-keys creates it", s.broker.Keys, err))
	}
	return faults
}

func (s *settings) run(ctx context.Context, p *daemon.Process) error {
	if s.makeKeys != "" {
		return broker.MakeKeys(s.makeKeys)
	}
	cfg, health := s.line.Config(p), func() (stopped string, err error) { return "", nil }
	space := cmp.Or(s.broker.Space, outsideSpace)
	if !s.line.Outside() {
		s.broker.Listen, s.broker.Log = s.line.Listen, p.Log
		began := time.Now()
		s.broker.Starting = func() {
			if time.Since(began) < longestStart {
				p.Starting(startTime)
			}
		}
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
	if err := conn.ServeConsumers(broker.Roles()); err != nil {
		return err
	}
	store := &storing{serving: "serving at " + cfg.URL}
	store.declare(p)
	declareBacklog(p, conn.Backlog)
	declareDue(p, conn.DueWaiting)
	wire.PublishHeartbeats(ctx, p, conn, "1")
	streams := &streams{keeper: conn.KeepStreams(bus.Space{Bytes: space, Keep: s.keepSizes}), log: p.Log}
	if err := streams.keeper.Ensure(ctx); err != nil {
		return err
	}
	p.Ready(store.serving)
	queue, due, reports := p.Liveness.Loop("queue"), p.Liveness.Loop("due watches"), p.Liveness.Loop("reports")
	go conn.GuardReports(ctx, time.Second, reports) // they end with ctx
	go conn.ServeQueue(ctx, queue)
	go conn.RelayDue(ctx, due)
	streams.loop = p.Liveness.Loop("bus")
	return watch(ctx, streams.loop, conn, func() error {
		stopped, err := health()
		store.look(cmp.Or(streams.look(ctx), stopped), p.Status, time.Now())
		streams.mend(ctx)
		return err
	})
}

// answerTime is how long the bus may leave its own process without an answer.
const answerTime = 3 * time.Second

// watch returns an error when the server needs a restart, and exceeds its
// allowance of loop when the server no longer answers.
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
