package notifier_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/rules"
)

func slackChannel(name string) string {
	return fmt.Sprintf("[[channel]]\nname = %q\ntype = \"slack\"\ncredential = %q\n", name, name)
}

func (d *fixture) apply(file string) {
	d.t.Helper()
	f, err := rules.Parse("alarms.toml", []byte(file))
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.n.Apply(d.t.Context(), f); err != nil {
		d.t.Fatal(err)
	}
}

// New rules are applied without losing anything: a channel that stays keeps
// what it is sending and its breaker, one that is new begins with what happens
// from then on, and one that comes back too. Each has a queue of its own.
func TestApply(t *testing.T) {
	t.Parallel()
	a := newSink(t, hang)
	b := newSink(t)
	d := newFixture(t, nil)
	d.cfg.Timeout = time.Minute
	d.credential("a", a.URL+"/"+secret)
	d.credential("b", b.URL+"/"+secret)
	d.configure(slackChannel("a"))
	d.run()
	d.publish(transition("web", 1)) // hangs at a
	calls := func(s *sink, n int) func() bool {
		return func() bool { s.mu.Lock(); defer s.mu.Unlock(); return len(s.calls) == n }
	}
	bustest.Await(t, "a call", calls(a, 1))
	d.apply("[notify]\nlate = \"2m\"\n" + slackChannel("b") + slackChannel("a"))
	consumers := func() string {
		data, err := os.ReadFile(filepath.Join(d.cfg.State, "consumers.json"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if got := consumers(); got != `{"channels":{"a":"notifier","b":"notifier-b"}}` {
		t.Errorf("consumers %s", got)
	}
	bustest.Await(t, "b's consumer", func() bool { return slices.Contains(d.durables(), "notifier-b") })
	d.publish(transition("web", 2))
	wantTexts(t, b, text(2)) // a hangs, b does not wait for it
	if !calls(a, 1)() {
		t.Error("a was called again: the change has disturbed it")
	}
	d.apply(slackChannel("a"))
	bustest.Await(t, "the bus to forget b", func() bool {
		return !slices.Contains(d.durables(), "notifier-b") && !strings.Contains(consumers(), "notifier-b")
	})
	d.publish(transition("web", 3)) // b does not subscribe yet
	d.apply(slackChannel("a") + slackChannel("b"))
	bustest.Await(t, "b's consumer", func() bool { return slices.Contains(d.durables(), "notifier-b") })
	d.publish(transition("web", 4))
	wantTexts(t, b, text(2), text(4))
	a.CloseClientConnections()
	bustest.Await(t, "all at a", func() bool { return len(a.texts()) == 4 })
	wantTexts(t, a, text(1)+" (possible repeat)", text(2), text(3), text(4))
}

// durables are the consumers of alarms that the bus knows.
func (d *fixture) durables() (names []string) {
	d.t.Helper()
	key, err := nats.NkeyOptionFromSeed(d.bus.Seed("bus"))
	if err != nil {
		d.t.Fatal(err)
	}
	nc, err := nats.Connect(d.bus.URL(), key)
	if err != nil {
		d.t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		d.t.Fatal(err)
	}
	s, err := js.Stream(d.t.Context(), event.AlarmStream)
	if err != nil {
		d.t.Fatal(err)
	}
	for name := range s.ConsumerNames(d.t.Context()).Name() {
		names = append(names, name)
	}
	return names
}

// Silences made by others are heeded from the first moment after a start, and
// what they kept is sent when they end.
func TestSilencedOverARestart(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	d := newFixture(t, s)
	web := d.bus.Connect("web")
	silence := func(until time.Duration) {
		t.Helper()
		now := time.Now().UTC()
		if err := web.PublishNote(t.Context(), libra.Note{
			ID: fmt.Sprint("n", now.UnixNano()), Kind: libra.Silenced, At: now, By: "ann",
			Silence: &libra.Silence{ID: "1", Match: libra.Match{Alarm: "web"}, From: now.Add(-time.Hour), Until: now.Add(until), By: "ann", Why: "works"},
		}); err != nil {
			t.Fatal(err)
		}
	}
	silence(time.Hour)
	d.publish(transition("web", 1))
	d.publish(transition("bus", 2))
	d.run()()
	d.run()
	bustest.Await(t, "the other alarm", func() bool {
		return len(s.texts()) == 1 && strings.Contains(d.said(), "1 suppressed")
	})
	silence(-time.Second)
	bustest.Await(t, "the silenced alarm", func() bool { return len(s.texts()) == 2 })
	if got := s.texts(); !strings.Contains(got[0], "libra-bus") || got[1] != text(1) {
		t.Errorf("sent %q", got)
	}
}

// A trial asked for over the bus is answered over the bus.
func TestTryOverTheBus(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	d := newFixture(t, s)
	d.run()
	web := d.bus.Connect("web")
	bustest.Await(t, "an answer", func() bool {
		tried, err := web.TryChannel(t.Context(), "slack")
		return err == nil && tried.OK && tried.Answer == `Slack answered 200 OK: "ok"`
	})
	if tried, err := web.TryChannel(t.Context(), "pager"); err != nil || tried.OK || !slices.Equal(tried.Channels, []string{"slack"}) {
		t.Errorf("%+v, %v", tried, err)
	}
}

// After a bus has lost its store, and the consumers with it, nothing is
// sent twice, and nothing that follows is lost.
func TestBusLosesItsStore(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	d := newFixture(t, s)
	stop := d.run()
	d.publish(transition("web", 1))
	wantTexts(t, s, text(1))
	bustest.Await(t, "it to be remembered", func() bool { return strings.Contains(d.said(), "1 sent") })
	stop()
	d.bus.Down()
	d.bus.Wipe()
	d.bus.Up()
	d.bus.Streams()
	again := func(tr libra.Transition) {
		bustest.Await(t, "the bus", func() bool { return d.seen.PublishAlarm(t.Context(), tr) == nil })
	}
	again(transition("web", 1)) // the watchdog gives it back
	again(transition("web", 2))
	d.run()
	wantTexts(t, s, text(1), text(2))
}
