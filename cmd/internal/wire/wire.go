// Package wire holds what the mains of all processes on the bus have in common.
package wire

import (
	"context"

	"libra/pkg/bus"
	"libra/pkg/component"
	"libra/pkg/daemon"
	"libra/pkg/event"
)

// Line is the address of the bus and the key for it, from the settings.
type Line struct {
	Listen string // of libra-bus
	URL    string // of another bus instead; "" for libra-bus
	Seed   string
	// Serves says that the process is libra-bus, which ends where the address is
	// invalid. The others then go on without a bus: at the default address might be
	// one that is not meant.
	Serves  bool
	invalid bool // the address is
}

// noBus is an address where nobody can listen.
const noBus = "nats://127.0.0.1:0"

// Settings of a process on the bus.
func (l *Line) Settings() []daemon.Setting {
	return []daemon.Setting{
		l.address(daemon.Setting{Name: "bus-listen", Default: "127.0.0.1:4222", Usage: "`address` where libra-bus listens", Into: daemon.Address(&l.Listen)}),
		l.address(daemon.Setting{Name: "nats-url", Usage: "`URL` of a NATS server to use instead of libra-bus", Into: daemon.URLs(&l.URL, "nats://bus.example.org:4222", "nats", "tls", "ws", "wss")}),
		{Name: "nats-seed", Usage: "`file` with the nkey seed of this component", FlagOnly: true, Vital: true, Into: daemon.File(&l.Seed)},
	}
}

// address completes a setting that says where the bus is.
func (l *Line) address(s daemon.Setting) daemon.Setting {
	into := s.Into
	s.Vital, s.Partly, s.Effect = l.Serves, true, "no bus, until it is corrected"
	s.Into = func(text string) error {
		err := into(text)
		l.invalid = l.invalid || err != nil
		return err
	}
	return s
}

// Outside reports whether the bus is another NATS server than libra-bus's own.
func (l *Line) Outside() bool { return l.URL != "" }

// Config is the configuration of the process's connection, with the role that the
// registry has for it.
func (l *Line) Config(p *daemon.Process) bus.Config {
	c, _ := component.Find(p.Name) // a test compares the programs with the registry
	url := l.URL
	if url == "" {
		url = "nats://" + l.Listen
	}
	if l.invalid {
		url = noBus
	}
	return bus.Config{URL: url, Seed: l.Seed, Role: c.Role, Name: p.Name, Log: p.Log}
}

// Connect connects the process and publishes its heartbeats until ctx ends.
func (l *Line) Connect(ctx context.Context, p *daemon.Process, instance string) (*bus.Conn, error) {
	conn, err := bus.Connect(l.Config(p))
	if err != nil {
		return nil, err
	}
	PublishHeartbeats(ctx, p, conn, instance)
	return conn, nil
}

// PublishHeartbeats publishes the process's heartbeats until ctx ends, and what it uses
// while somebody looks; the connection is closed when the process ends.
func PublishHeartbeats(ctx context.Context, p *daemon.Process, conn *bus.Conn, instance string) {
	p.Count("messages_refused", conn.Refused)
	p.Count("published", conn.Published)
	p.Count("publishing_us", conn.Publishing)
	p.Count("publishing_any_us", conn.PublishingAny)
	p.Cleanup("bus connection", func(context.Context) error { conn.Close(); return nil })
	go conn.PublishSamples(ctx, p.Name, instance, bus.Usage{CPU: p.CPU, Resident: p.Resident})
	go conn.PublishHeartbeats(ctx, p.Liveness.Stalled, func() event.Heartbeat { return p.Heartbeat(instance) })
}
