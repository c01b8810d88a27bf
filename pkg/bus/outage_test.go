package bus_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/libra"
)

// logBuffer keeps what is logged.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer // under mu
}

func (s *logBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *logBuffer) count(text string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.text.String(), text)
}

// A bus that cannot be reached is logged repeatedly, with its URL, the cause and a
// remedy, by one of the goroutines that wait for it.
func TestUnreachableBusIsLogged(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { other.Close() })
	go func() {
		for {
			conn, err := other.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "220 mail.example.org ESMTP\r\n") // the client may be gone
			conn.Close()
		}
	}()
	for name, c := range map[string]struct {
		cfg  bus.Config
		want []string
	}{
		"nothing there": {bus.Config{URL: "nats://ann:secret@127.0.0.1:1"}, []string{"url=nats://ann:xxxxx@127.0.0.1:1", "connection refused", "systemctl start libra-bus"}},
		"no key":        {bus.Config{URL: b.URL()}, []string{"url=" + b.URL(), "Authorization Violation", "no key is configured: --nats-seed"}},
		"no NATS":       {bus.Config{URL: "nats://" + other.Addr().String()}, []string{"check that a NATS server listens"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log logBuffer
			c.cfg.Role, c.cfg.Name, c.cfg.Log, c.cfg.Remind = "web", "test", slog.New(slog.NewTextHandler(&log, nil)), 100*time.Millisecond
			conn, err := bus.Connect(c.cfg)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(conn.Close)
			for range 2 {
				go conn.Wait(t.Context())
			}
			bustest.Await(t, "two complaints with reason and remedy", func() bool {
				if log.count("bus cannot be reached, retrying") < 2 {
					return false
				}
				for _, want := range c.want {
					if log.count(want) == 0 {
						return false
					}
				}
				return true
			})
			if err := conn.Ping(t.Context()); !errors.Is(err, libra.ErrUnavailable) || name == "no key" && !strings.Contains(err.Error(), "Authorization") {
				t.Errorf("Ping: %v", err)
			}
			if log.count("secret") > 0 || log.count("buffer limit") > 0 {
				t.Error("a password, or an internal error, was logged")
			}
		})
	}
}
