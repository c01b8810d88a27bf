// Package bustest gives a test a bus of its own: the real broker with real
// keys and permissions on a free port of the loopback, its files in the test's
// temporary folder. It starts in about 10 ms, so there is no imitation of it.
package bustest

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/broker"
	"libra/pkg/bus"
	"libra/pkg/event"
)

// Bus is a bus that can be stopped and started again.
type Bus struct {
	t      testing.TB
	dir    string
	listen string
	broker *broker.Broker
}

// Start starts a bus as libra-bus does; it ends with the test.
func Start(t testing.TB) *Bus {
	t.Helper()
	b := StartBare(t)
	conn := b.Connect("bus")
	ctx, cancel := context.WithCancel(context.Background())
	var loops sync.WaitGroup
	loops.Go(func() { _ = conn.ServeQueue(ctx, nil) }) // both end with ctx
	loops.Go(func() { _ = conn.RelayDue(ctx, nil) })
	t.Cleanup(func() { cancel(); loops.Wait() })
	return b
}

// StartBare starts a bus with its streams made, whose queue nobody serves and whose due
// watches nobody relays.
func StartBare(t testing.TB) *Bus {
	t.Helper()
	// An address of its own, so that no other test is given its port while it is down.
	own := fmt.Sprintf("127.%d.%d.%d:0", 1+rand.N(254), rand.N(256), 1+rand.N(254))
	b := &Bus{t: t, dir: t.TempDir(), listen: own}
	if err := broker.MakeKeys(filepath.Join(b.dir, "keys")); err != nil {
		t.Fatal(err)
	}
	b.Up()
	b.listen = b.broker.Addr() // the same port after a restart
	t.Cleanup(func() {
		if b.broker != nil {
			b.broker.Stop()
		}
	})
	b.Streams()
	if err := b.Connect("bus").ServeConsumers(broker.Roles()); err != nil {
		t.Fatal(err)
	}
	return b
}

// Streams makes the streams, as libra-bus does after a start.
func (b *Bus) Streams() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := b.Connect("bus").EnsureStreams(ctx, bus.Space{Bytes: b.broker.Space()}); err != nil {
		b.t.Fatal(err)
	}
}

// Lose deletes a stream, as somebody with the bus's own key can.
func (b *Bus) Lose(stream string) {
	b.t.Helper()
	if err := b.jetStream().DeleteStream(context.Background(), stream); err != nil {
		b.t.Fatal(err)
	}
}

// Cramped makes a stream that is lost, but without room for any message: Streams gives
// it room.
func (b *Bus) Cramped(stream string) {
	b.t.Helper()
	subjects := map[string][]string{
		event.RequestStream: {event.AllRequests}, event.ReportStream: {event.AllReports}, event.AlarmStream: {event.AllAlarms},
		event.NoteStream: {event.AllNotes}, event.BoardStream: {event.AllBoard}, event.WatchStream: {event.AllWatches, event.AllDue},
	}
	cfg := jetstream.StreamConfig{Name: stream, Subjects: subjects[stream], MaxMsgSize: 1, AllowMsgSchedules: stream == event.WatchStream, AllowRollup: stream == event.WatchStream}
	if _, err := b.jetStream().CreateStream(context.Background(), cfg); err != nil {
		b.t.Fatal(err)
	}
}

// Discard removes the messages before a sequence, as a stream that is full does.
func (b *Bus) Discard(stream string, before uint64) {
	b.t.Helper()
	s, err := b.jetStream().Stream(context.Background(), stream)
	if err == nil {
		err = s.Purge(context.Background(), jetstream.WithPurgeSequence(before))
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// Resize changes how many bytes a stream may take.
func (b *Bus) Resize(stream string, space int64) {
	b.t.Helper()
	js := b.jetStream()
	s, err := js.Stream(context.Background(), stream)
	if err == nil {
		cfg := s.CachedInfo().Config
		cfg.MaxBytes = space
		_, err = js.UpdateStream(context.Background(), cfg)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// Stored counts the messages of a stream; -1 for a stream that is lost.
func (b *Bus) Stored(stream string) int {
	b.t.Helper()
	s, err := b.jetStream().Stream(context.Background(), stream)
	if err != nil {
		return -1
	}
	return int(s.CachedInfo().State.Msgs)
}

// Header is a header of the last message of a stream; "" without it.
func (b *Bus) Header(stream, name string) string {
	b.t.Helper()
	s, err := b.jetStream().Stream(context.Background(), stream)
	if err != nil {
		b.t.Fatal(err)
	}
	msg, err := s.GetMsg(context.Background(), s.CachedInfo().State.LastSeq)
	if err != nil {
		b.t.Fatal(err)
	}
	return msg.Header.Get(name)
}

// jetStream is a client with the bus's own key, which permits everything.
func (b *Bus) jetStream() jetstream.JetStream {
	b.t.Helper()
	key, err := nats.NkeyOptionFromSeed(b.Seed("bus"))
	if err != nil {
		b.t.Fatal(err)
	}
	nc, err := nats.Connect(b.URL(), key)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		b.t.Fatal(err)
	}
	return js
}

// Up starts the bus where Down has stopped it.
func (b *Bus) Up() {
	b.t.Helper()
	store := b.Store()
	if err := os.MkdirAll(store, 0o755); err != nil {
		b.t.Fatal(err)
	}
	var err error
	b.broker, err = broker.Start(context.Background(), broker.Config{
		Listen: b.listen, Store: store, Keys: filepath.Join(b.dir, "keys", "public"), Space: 64 << 20, SyncEvery: time.Minute, Log: b.Log(),
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

// Down stops the bus and keeps its files.
func (b *Bus) Down() { b.broker.Stop(); b.broker = nil }

// Wipe removes the files of a bus that is down.
func (b *Bus) Wipe() {
	b.t.Helper()
	if err := os.RemoveAll(b.Store()); err != nil {
		b.t.Fatal(err)
	}
}

// Store is the folder of its files.
func (b *Bus) Store() string { return filepath.Join(b.dir, "store") }

// URL is where the bus listens.
func (b *Bus) URL() string { return "nats://" + b.listen }

// Seed is the key file of a role.
func (b *Bus) Seed(role string) string { return filepath.Join(b.dir, "keys", role+".nk") }

// Connect connects as a role; the connection ends with the test.
func (b *Bus) Connect(role string) *bus.Conn {
	b.t.Helper()
	c, err := bus.Connect(bus.Config{URL: "nats://" + b.broker.Addr(), Seed: b.Seed(role), Role: role, Name: "test-" + role, Log: b.Log()})
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(c.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := c.Wait(ctx); err != nil {
		b.t.Fatal(err)
	}
	return c
}

// Slots is a constant number of jobs in progress.
func Slots(n int) func() int { return func() int { return n } }

// Log writes to the test's output.
func (b *Bus) Log() *slog.Logger {
	return slog.New(slog.NewTextHandler(b.t.Output(), nil))
}

// patience is what a loaded machine may need for what takes milliseconds.
const patience = 30 * time.Second

// Await waits for a condition, at most half a minute.
func Await(t testing.TB, what string, cond func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		select {
		case <-deadline:
			t.Fatalf("waited %v for %s", patience, what)
		case <-tick.C:
		}
	}
}
