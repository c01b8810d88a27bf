// Package broker is the bus itself: a NATS server with JetStream inside
// libra-bus. What it must hold:
//
//   - an acknowledged message is on disk: JetStream's default is to sync every
//     two minutes, here it syncs every write;
//   - nobody without a key gets in, and a key opens what its role needs;
//   - it stays below the space it was given, so that it says "full" while the
//     disk can still be written. A stream that meets a full disk is dead until
//     the server starts again.
package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"libra/pkg/component"
)

// Config is one bus.
type Config struct {
	Listen string // host:port, on loopback; port 0 chooses one
	Store  string // folder for JetStream's files
	// Keys is the file of public keys, a "role key" pair to the line, that
	// MakeKeys wrote.
	Keys string
	// Space is the most that JetStream may store, in bytes. At most half of
	// the partition is taken, whatever it says.
	Space int64
	Log   *slog.Logger
}

// maxPayload bounds one message: a report with some 20,000 assets.
const maxPayload = 8 << 20

// Broker is a running bus.
type Broker struct {
	srv   *server.Server
	space int64
	store string
}

// Start returns when the bus takes connections and its streams are recovered.
func Start(ctx context.Context, cfg Config) (*Broker, error) {
	keys, err := readKeys(cfg.Keys)
	if err != nil {
		return nil, err
	}
	space, err := spaceFor(cfg.Store, cfg.Space)
	if err != nil {
		return nil, err
	}
	if err := free(cfg.Listen); err != nil {
		return nil, err
	}
	listen := cfg.Listen
	if host, ok := strings.CutSuffix(listen, ":0"); ok {
		listen = host + ":-1" // NATS takes 0 for its default port
	}
	text := configuration(listen, filepath.Clean(cfg.Store), space, keys)
	opts := &server.Options{}
	if err := opts.ProcessConfigString(text); err != nil {
		return nil, fmt.Errorf("configure the bus: %w", err)
	}
	opts.NoSigs = true
	srv, err := server.NewServer(opts)
	if err != nil {
		return nil, fmt.Errorf("start the bus: %w", err)
	}
	fatal := make(chan string, 1)
	srv.SetLogger(natsLog{cfg.Log, fatal}, false, false)
	go srv.Start()
	for !srv.ReadyForConnections(100 * time.Millisecond) {
		select {
		case why := <-fatal:
			srv.Shutdown()
			return nil, fmt.Errorf("bus at %s did not come up: %s", cfg.Listen, why)
		case <-ctx.Done():
			srv.Shutdown()
			return nil, fmt.Errorf("bus at %s did not come up: %w", cfg.Listen, ctx.Err())
		default:
		}
	}
	if !srv.JetStreamEnabled() {
		srv.Shutdown()
		return nil, fmt.Errorf("bus at %s runs without its store %q: see the lines above", cfg.Listen, cfg.Store)
	}
	return &Broker{srv: srv, space: space, store: cfg.Store}, nil
}

// Space is what JetStream may store, in bytes.
func (b *Broker) Space() int64 { return b.space }

// Addr is where the bus listens.
func (b *Broker) Addr() string { return b.srv.Addr().String() }

// InProcessConn opens a connection without a socket.
func (b *Broker) InProcessConn() (net.Conn, error) { return b.srv.InProcessConn() }

// Connections counts the clients.
func (b *Broker) Connections() int { return b.srv.NumClients() }

// Healthy says why the bus cannot do its part; nil when it can. A stream that
// met a full disk is dead until the server starts again: it counts as ill once
// there is room, when a restart mends it.
func (b *Broker) Healthy() error {
	if !b.srv.Running() {
		return errors.New("the server has stopped")
	}
	if !b.srv.JetStreamEnabled() {
		return errors.New("JetStream has stopped")
	}
	var answer answer
	b.srv.HandleHealthz(&answer, &http.Request{URL: &url.URL{Path: "/healthz"}})
	if answer.status == 0 || answer.status == http.StatusOK {
		return nil
	}
	if free, err := freeSpace(b.store); err != nil || free < room {
		return nil
	}
	return fmt.Errorf("the server says that it is ill: %s", strings.TrimSpace(answer.body.String()))
}

// room is the free space, in bytes, at which a bus that is ill of a full disk
// starts again.
const room = 4 << 20

// answer keeps what the server's health handler says.
type answer struct {
	status int
	body   bytes.Buffer
	header http.Header
}

func (a *answer) Header() http.Header {
	if a.header == nil {
		a.header = http.Header{}
	}
	return a.header
}
func (a *answer) WriteHeader(status int)      { a.status = status }
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }

func freeSpace(dir string) (int64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("look at the partition of %q: %w", dir, err)
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}

// Stop ends the bus and returns when its files are closed.
func (b *Broker) Stop() {
	b.srv.Shutdown()
	b.srv.WaitForShutdown()
}

// configuration is the server's own format. Accounts must be declared here: a
// system account set in Go, with users in the global account only, lets
// anonymous clients in with every right.
func configuration(listen, store string, space int64, keys map[string]string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `
server_name: libra
listen: %q
max_payload: %d
ping_interval: "2s"
ping_max: 2
write_deadline: "5s"
jetstream {
  store_dir: %q
  max_memory_store: %d
  max_file_store: %d
  sync_interval: always
}
`, listen, maxPayload, store, 16<<20, space)
	fmt.Fprintf(&b, "accounts {\n  SYS {}\n  LIBRA {\n    jetstream: enabled\n    users: [\n")
	for _, c := range component.All() {
		r, heartbeat, inbox := roles[c.Role], "libra.beat."+c.Name+".*", "_INBOX_"+c.Role+".>"
		fmt.Fprintf(&b, "      { nkey: %s, permissions: { publish: [%s], subscribe: [%s], allow_responses: %v } }\n",
			keys[c.Role], quoted(append([]string{heartbeat}, r.publish...)), quoted(append([]string{inbox}, r.subscribe...)), r.responds)
	}
	b.WriteString("    ]\n  }\n}\nsystem_account: SYS\n")
	return b.String()
}

func quoted(subjects []string) string {
	var q []string
	for _, s := range subjects {
		q = append(q, fmt.Sprintf("%q", s))
	}
	return strings.Join(q, ", ")
}

// spaceFor keeps the wanted space within half of the partition.
func spaceFor(dir string, want int64) (int64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("look at the partition of %q: %w", dir, err)
	}
	return min(want, int64(fs.Blocks)*fs.Bsize/2), nil
}

// free says plainly what the server would bury: the port is taken.
func free(listen string) error {
	l, err := net.Listen("tcp", listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("LIBRA_BUS_LISTEN=%q is in use by another process: end that (ss -ltnp), or choose another port there and in LIBRA_NATS_URL", listen)
	}
	if err != nil {
		return fmt.Errorf("listen for the bus: %w", err)
	}
	return l.Close()
}

// natsLog brings the server's log into ours. Its notices are about itself and
// go to debug; nobody at night wants the banner.
type natsLog struct {
	log   *slog.Logger
	fatal chan<- string // why the server has given up; room for the first
}

func (l natsLog) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l natsLog) Debugf(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l natsLog) Tracef(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l natsLog) Warnf(format string, v ...any)   { l.log.Warn("nats: " + fmt.Sprintf(format, v...)) }

func (l natsLog) Errorf(format string, v ...any) { l.log.Error("nats: " + fmt.Sprintf(format, v...)) }

// Fatalf is called by parts of the server that have given up, during the start.
func (l natsLog) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default:
	}
}
