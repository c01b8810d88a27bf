package broker_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats.go"

	"libra/pkg/broker"
	"libra/pkg/bus"
	"libra/pkg/component"
	"libra/pkg/event"
)

func TestMakeKeysKeepsExistingKeys(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	read := func() string {
		t.Helper()
		all := ""
		for _, f := range append([]string{"public"}, broker.Roles()...) {
			if f != "public" {
				f += ".nk"
			}
			info, err := os.Stat(filepath.Join(dir, f))
			if err != nil || info.Mode().Perm() != 0o600 {
				t.Fatalf("%s: mode %v, %v", f, info.Mode(), err)
			}
			data, err := os.ReadFile(filepath.Join(dir, f))
			if err != nil {
				t.Fatal(err)
			}
			all += string(data) + "\n"
		}
		return all
	}
	if err := broker.MakeKeys(dir); err != nil {
		t.Fatal(err)
	}
	first := read()
	if err := broker.MakeKeys(dir); err != nil || read() != first {
		t.Errorf("a second MakeKeys changed the keys: %v", err)
	}
	// Interrupted before the last file: the missing keys are added, the others stay.
	for _, f := range []string{"public", "web.nk"} {
		if err := os.Remove(filepath.Join(dir, f)); err != nil {
			t.Fatal(err)
		}
	}
	if err := broker.MakeKeys(dir); err != nil || !strings.Contains(read(), first[strings.Index(first, "\nSU")+1:][:58]) {
		t.Errorf("after an interruption: %v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "web.nk"), []byte("garbage"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := broker.MakeKeys(dir); err == nil || !strings.Contains(err.Error(), "delete the file") {
		t.Errorf("a damaged key: %v", err)
	}
}

func start(t *testing.T, change func(*broker.Config)) (*broker.Broker, error) {
	t.Helper()
	dir := t.TempDir()
	if err := broker.MakeKeys(filepath.Join(dir, "keys")); err != nil {
		t.Fatal(err)
	}
	cfg := broker.Config{Listen: "127.0.0.1:0", Store: dir, Keys: filepath.Join(dir, "keys", "public"), Space: 32 << 20, Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	change(&cfg)
	b, err := broker.Start(context.Background(), cfg)
	if err == nil {
		t.Cleanup(b.Stop)
	}
	return b, err
}

// A smaller space than before is put in effect; one that is not known changes no
// stream, but the store is that of before.
func TestSpaceShrinks(t *testing.T) {
	dir := t.TempDir()
	// sizes starts the bus with space, and returns how large its streams are.
	sizes := func(space int64, keep bool) (sum int64) {
		t.Helper()
		var keys string
		b, err := start(t, func(c *broker.Config) { keys, c.Store, c.Space = filepath.Dir(c.Keys), dir, space })
		if err != nil {
			t.Fatal(err)
		}
		defer b.Stop()
		if b.Space() != space {
			t.Errorf("the space is %d, want %d", b.Space(), space)
		}
		conn, err := bus.Connect(bus.Config{URL: "nats://" + b.Addr(), Seed: filepath.Join(keys, "bus.nk"), Role: "bus", Name: "test", Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := conn.EnsureStreams(ctx, bus.Space{Bytes: b.Space(), Keep: keep}); err != nil {
			t.Fatalf("with a space of %d: %v", space, err)
		}
		key, err := nats.NkeyOptionFromSeed(filepath.Join(keys, "bus.nk"))
		if err != nil {
			t.Fatal(err)
		}
		nc, err := nats.Connect("nats://"+b.Addr(), key, nats.CustomInboxPrefix("_INBOX_bus"))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		js, err := nc.JetStream()
		if err != nil {
			t.Fatal(err)
		}
		for s := range js.Streams() {
			sum += s.Config.MaxBytes
		}
		return sum
	}
	if got := sizes(256<<20, false); got != 256<<20 {
		t.Errorf("a new store: its streams have %d bytes, want 256 MiB", got)
	}
	if got := sizes(64<<20, true); got != 256<<20 {
		t.Errorf("sizes to keep: the streams have %d bytes, want 256 MiB", got)
	}
	if got := sizes(64<<20, false); got != 64<<20 {
		t.Errorf("a smaller space: the streams have %d bytes, want 64 MiB", got)
	}
}

func TestAnonymousClientsAreRefused(t *testing.T) {
	b, err := start(t, func(*broker.Config) {})
	if err != nil {
		t.Fatal(err)
	}
	if stopped, err := b.Healthy(); err != nil || stopped != "" {
		t.Error(err, stopped)
	}
	if nc, err := nats.Connect("nats://" + b.Addr()); !errors.Is(err, nats.ErrAuthorization) {
		if err == nil {
			nc.Close()
		}
		t.Errorf("an anonymous client got %v", err)
	}
	b.Stop()
	if _, err := b.Healthy(); err == nil {
		t.Error("a stopped bus is healthy")
	}
}

// A stream in the middle of its deletion, whose folder is still there, is no reason to
// restart; one that cannot be recovered is.
func TestStreamThatIsBeingDeleted(t *testing.T) {
	store := ""
	b, err := start(t, func(cfg *broker.Config) { store = cfg.Store })
	if err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(store, "jetstream", "LIBRA", "streams", "DELETED")
	for round := range 3 {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if stopped, err := b.Healthy(); err != nil || stopped != "" {
			t.Errorf("round %d, first look: %q, %v", round, stopped, err)
		}
		if round == 2 {
			break
		}
		if err := os.Remove(folder); err != nil {
			t.Fatal(err)
		}
		if stopped, err := b.Healthy(); err != nil || stopped != "" {
			t.Errorf("round %d, second look: %q, %v", round, stopped, err)
		}
	}
	if stopped, err := b.Healthy(); err == nil || !strings.Contains(stopped, "DELETED") {
		t.Errorf("the folder stays: %q, %v", stopped, err)
	}
}

func TestStartNamesTheFault(t *testing.T) {
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	bad := filepath.Join(t.TempDir(), "public")
	if err := os.WriteFile(bad, []byte("web nokey\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, change := range map[string]func(*broker.Config){
		"in use by another process":  func(c *broker.Config) { c.Listen = busy.Addr().String() },
		"systemctl start libra-keys": func(c *broker.Config) { c.Keys = "/no/such/file" },
		"no key in line":             func(c *broker.Config) { c.Keys = bad },
		"read the free space of":     func(c *broker.Config) { c.Store = "/no/such/folder" },
	} {
		if _, err := start(t, change); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

// A component's key permits its own heartbeat and no other's.
func TestKeyPermitsOnlyItsOwnHeartbeat(t *testing.T) {
	var keys string
	b, err := start(t, func(c *broker.Config) { keys = filepath.Dir(c.Keys) })
	if err != nil {
		t.Fatal(err)
	}
	connect := func(c component.Component) *nats.Conn {
		t.Helper()
		key, err := nats.NkeyOptionFromSeed(filepath.Join(keys, c.Role+".nk"))
		if err != nil {
			t.Fatal(err)
		}
		nc, err := nats.Connect("nats://"+b.Addr(), key, nats.CustomInboxPrefix("_INBOX_"+c.Role), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
		if err != nil {
			t.Fatalf("%s: %v", c.Name, err)
		}
		t.Cleanup(nc.Close)
		return nc
	}
	all := component.All()
	owner := connect(all[0])
	heartbeats, err := owner.SubscribeSync(event.AllHeartbeats)
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Flush(); err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for _, c := range all[1:] { // the bus itself may publish everything
		nc := connect(c)
		for _, of := range all {
			if err := nc.Publish(event.HeartbeatSubject(of.Name, "1"), []byte(c.Name)); err != nil {
				t.Fatal(err)
			}
		}
		if err := nc.Flush(); err != nil {
			t.Fatal(err)
		}
		want = append(want, event.HeartbeatSubject(c.Name, "1")+" by "+c.Name)
	}
	if err := owner.Flush(); err != nil {
		t.Fatal(err)
	}
	pending, _, err := heartbeats.Pending()
	if err != nil {
		t.Fatal(err)
	}
	for range pending {
		m, err := heartbeats.NextMsg(time.Second)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, m.Subject+" by "+string(m.Data))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("heartbeats that came through (-want +got):\n%s", diff)
	}
}
