// Package broker is the bus itself: a NATS server with JetStream inside
// libra-bus, and the keys and permissions of its clients.
//
// Contract:
//
//   - An acknowledged message is on disk: JetStream syncs every two minutes by
//     default, here it syncs every write.
//   - A client without a key is refused; a key permits what its role needs.
//   - The server itself has no limit: it would refuse to shrink the streams of a
//     store that is larger than its limit. Broker.Space is for them to keep below, so
//     that they are full while the disk still has room: a stream whose write fails
//     stops until the server is restarted.
package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"libra/pkg/libra"
)

// Config is that of one bus.
type Config struct {
	Listen string // host:port, on loopback; port 0 chooses one
	Store  string // folder for JetStream's files
	// Keys is the file of public keys that MakeKeys writes: "role key" on each
	// line.
	Keys string
	// Space is the most that the streams may store together, in bytes, 0 for a share of
	// the partition: see libra.BusSpace. Broker.Space is what becomes of it.
	Space int64
	// SyncEvery is how often what is stored is synced to disk; 0 syncs every message
	// before it is acknowledged. Only tests, which survive no loss of power, set it.
	SyncEvery time.Duration
	// Starting is called while Start waits for the server, which reads all of a store
	// whose index is lost. May be nil.
	Starting func()
	Log      *slog.Logger
}

// maxPayload bounds one message: a report, of which libra.MaxListBytes bounds the most.
const maxPayload = 8 << 20

// Broker is a running bus.
type Broker struct {
	srv   *server.Server
	space int64
	store string
	fault string // what the server reported at the last look; belongs to Healthy's goroutine
}

// Start returns when the bus accepts connections and its streams are recovered.
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
		listen = host + ":-1" // 0 means NATS's default port
	}
	text := configuration(listen, filepath.Clean(cfg.Store), keys, cfg.SyncEvery)
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
			return nil, fmt.Errorf("start the bus at %s: %s", cfg.Listen, why)
		case <-ctx.Done():
			srv.Shutdown()
			return nil, fmt.Errorf("start the bus at %s: %w", cfg.Listen, ctx.Err())
		default:
			if cfg.Starting != nil {
				cfg.Starting()
			}
		}
	}
	if !srv.JetStreamEnabled() {
		srv.Shutdown()
		return nil, fmt.Errorf("start the bus at %s: JetStream cannot use the store %q: see the lines above", cfg.Listen, cfg.Store)
	}
	return &Broker{srv: srv, space: space, store: cfg.Store}, nil
}

// Space is the most that the streams may store together, in bytes.
func (b *Broker) Space() int64 { return b.space }

// Addr returns the address at which the bus listens.
func (b *Broker) Addr() string { return b.srv.Addr().String() }

// InProcessConn opens a connection without a socket.
func (b *Broker) InProcessConn() (net.Conn, error) { return b.srv.InProcessConn() }

// Connections returns the number of clients.
func (b *Broker) Connections() int { return b.srv.NumClients() }

// Healthy returns nil, or why the bus needs a restart. A stream whose write failed
// on a full disk stops until the server is restarted; that counts once the disk
// has room again, because before that a restart changes nothing. stopped is why a
// stream stores nothing more, in the server's words, or "" while all of them store:
// clients that use other streams do not notice it. Neither is said before the server
// reports the same twice in a row: it reports a stream that is being deleted as one that
// could not be recovered. Calls belong to one goroutine.
func (b *Broker) Healthy() (stopped string, err error) {
	if !b.srv.Running() {
		return "", errors.New("the server has stopped")
	}
	if !b.srv.JetStreamEnabled() {
		return "", errors.New("JetStream has stopped")
	}
	before := b.fault
	if b.fault = b.report(); b.fault == "" || b.fault != before {
		return "", nil
	}
	stopped = b.fault
	if free, err := freeSpace(b.store); err != nil || free < room {
		return stopped, nil
	}
	return stopped, fmt.Errorf("the server reports: %s", stopped)
}

// report is what is wrong in the server's words, or "".
func (b *Broker) report() string {
	var health response
	b.srv.HandleHealthz(&health, &http.Request{URL: &url.URL{Path: "/healthz"}})
	if health.status == 0 || health.status == http.StatusOK {
		return ""
	}
	var said struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(health.body.Bytes(), &said) == nil && said.Error != "" {
		return said.Error
	}
	return strings.TrimSpace(health.body.String())
}

// room is the free space, in bytes, from which on a restart repairs the streams
// that a full disk has stopped.
const room = 4 << 20

// response records what the server's health handler writes.
type response struct {
	status int
	body   bytes.Buffer
	header http.Header
}

func (r *response) Header() http.Header {
	if r.header == nil {
		r.header = http.Header{}
	}
	return r.header
}
func (r *response) WriteHeader(status int)      { r.status = status }
func (r *response) Write(p []byte) (int, error) { return r.body.Write(p) }

func freeSpace(dir string) (int64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("read the free space of %q: %w", dir, err)
	}
	return int64(fs.Bavail) * fs.Bsize, nil
}

// Stop stops the bus and returns when its files are closed.
func (b *Broker) Stop() {
	b.srv.Shutdown()
	b.srv.WaitForShutdown()
}

// configuration returns the server's configuration file. The accounts must be
// declared in it: with a system account set in Go and users in the global account
// only, the server gives anonymous clients every permission.
func configuration(listen, store string, keys map[string]string, syncEvery time.Duration) string {
	var b strings.Builder
	sync := "always"
	if syncEvery > 0 {
		sync = syncEvery.String()
	}
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
  sync_interval: %q
}
`, listen, maxPayload, store, 16<<20, math.MaxInt64, sync)
	writeAccounts(&b, keys)
	return b.String()
}

// spaceFor is how much of the partition of dir the streams may take.
func spaceFor(dir string, want int64) (int64, error) {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		return 0, fmt.Errorf("read the free space of %q: %w", dir, err)
	}
	return libra.BusSpace(want, int64(fs.Blocks)*fs.Bsize), nil
}

// free checks that the address is free, because the server's own error about it is
// hard to find.
func free(listen string) error {
	l, err := net.Listen("tcp", listen)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("LIBRA_BUS_LISTEN=%q is in use by another process: stop that process (ss -ltnp shows it), or choose another port there and in LIBRA_NATS_URL", listen)
	}
	if err != nil {
		return fmt.Errorf("listen for the bus: %w", err)
	}
	return l.Close()
}

// natsLog writes the server's log to a slog.Logger. Its notices, such as the
// banner, have the level debug.
type natsLog struct {
	log   *slog.Logger
	fatal chan<- string // why the server cannot start; buffers the first reason
}

func (l natsLog) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l natsLog) Debugf(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l natsLog) Tracef(format string, v ...any)  { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l natsLog) Warnf(format string, v ...any)   { l.log.Warn("nats: " + fmt.Sprintf(format, v...)) }

func (l natsLog) Errorf(format string, v ...any) { l.log.Error("nats: " + fmt.Sprintf(format, v...)) }

// Fatalf is called by the server when it cannot start.
func (l natsLog) Fatalf(format string, v ...any) {
	select {
	case l.fatal <- fmt.Sprintf(format, v...):
	default:
	}
}
