package bus_test

import (
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// line is a connection to a bus whose answers can be held back, and which can be cut.
type line struct {
	net.Listener
	held atomic.Bool
	cuts chan struct{} // closed to cut it
}

// newLine listens for one connection to a bus.
func newLine(t *testing.T, b *bustest.Bus) *line {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	wire := &line{Listener: l, cuts: make(chan struct{})}
	go func() {
		client, err := l.Accept()
		if err != nil {
			return
		}
		l.Close() // it cannot connect again
		server, err := net.Dial("tcp", strings.TrimPrefix(b.URL(), "nats://"))
		if err != nil {
			client.Close()
			return
		}
		go io.Copy(server, client)
		go func() { <-wire.cuts; client.Close(); server.Close() }()
		buf := make([]byte, 64<<10)
		for {
			n, err := server.Read(buf)
			if err != nil {
				return
			}
			if !wire.held.Load() {
				client.Write(buf[:n])
			}
		}
	}()
	return wire
}

// A message whose answer is lost with the connection is not waited for: what publishes it
// can send it again at once.
func TestLostConnectionEndsWhatIsInFlight(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	wire := newLine(t, b)
	web, err := bus.Connect(bus.Config{URL: "nats://" + wire.Addr().String(), Seed: b.Seed("web"), Role: "web", Name: "web", Log: b.Log()})
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	if err := web.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := web.Losses(); n != 0 {
		t.Errorf("%d losses at the start", n)
	}
	wire.held.Store(true)
	failed := make(chan error, 1)
	go func() {
		failed <- web.PublishNote(t.Context(), libra.Note{ID: "n1", Kind: libra.Acknowledged, Alarm: "bus"})
	}()
	bustest.Await(t, "the bus to have stored it", func() bool { return b.Stored(event.NoteStream) == 1 })
	close(wire.cuts)
	cut := time.Now()
	err = <-failed
	if !errors.Is(err, libra.ErrUnavailable) || !strings.Contains(err.Error(), "connection lost") {
		t.Errorf("%s after the cut: %v", time.Since(cut), err)
	}
	if n := web.Losses(); n != 1 {
		t.Errorf("%d losses", n)
	}
}
