// Package wire holds what the mains of all processes on the bus do alike.
package wire

import (
	"context"

	"libra/pkg/bus"
	"libra/pkg/daemon"
	"libra/pkg/event"
)

// Line is where the bus is and how to be let in, as settings say.
type Line struct {
	Listen string // of libra-bus
	URL    string // of another bus instead; "" for libra-bus
	Seed   string
}

// Settings of a process on the bus.
func (l *Line) Settings() []daemon.Setting {
	return []daemon.Setting{
		{Name: "bus-listen", Default: "127.0.0.1:4222", Usage: "`address` where libra-bus listens", Into: daemon.Address(&l.Listen)},
		{Name: "nats-url", Usage: "`URL` of a NATS server to use instead of libra-bus", Into: daemon.URLs(&l.URL, "nats://bus.example.org:4222", "nats", "tls", "ws", "wss")},
		{Name: "nats-seed", Usage: "`file` with the nkey seed of this component", FlagOnly: true, Into: daemon.File(&l.Seed)},
	}
}

// Outside says that the bus is not libra-bus's own.
func (l *Line) Outside() bool { return l.URL != "" }

// Config is how a role connects.
func (l *Line) Config(p *daemon.Process, role string) bus.Config {
	url := l.URL
	if url == "" {
		url = "nats://" + l.Listen
	}
	return bus.Config{URL: url, Seed: l.Seed, Role: role, Name: p.Name, Log: p.Log}
}

// Connect connects a role and shows on the bus that it lives, until ctx ends.
func (l *Line) Connect(ctx context.Context, p *daemon.Process, role, instance string) (*bus.Conn, error) {
	conn, err := bus.Connect(l.Config(p, role))
	if err != nil {
		return nil, err
	}
	Beat(ctx, p, conn, instance)
	return conn, nil
}

// Beat shows on the bus that the process lives, until ctx ends; the connection
// is closed when the process ends.
func Beat(ctx context.Context, p *daemon.Process, conn *bus.Conn, instance string) {
	p.Cleanup("bus connection", func(context.Context) error { conn.Close(); return nil })
	go conn.Beat(ctx, p.Heart.Stalled, func() event.Beat { return p.Beat(instance) })
}
