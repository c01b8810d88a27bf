package notifier_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
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
	d.publish(transition("web", 2)) // b did not get the raise
	d.publish(transition("web", 3))
	wantTexts(t, b, text(3)) // a hangs, b does not wait for it
	if !calls(a, 1)() {
		t.Error("a was called again: the change has disturbed it")
	}
	d.apply(slackChannel("a"))
	bustest.Await(t, "the bus to forget b", func() bool {
		return !slices.Contains(d.durables(), "notifier-b") && !strings.Contains(consumers(), "notifier-b")
	})
	d.publish(transition("web", 4)) // b does not subscribe yet
	d.apply(slackChannel("a") + slackChannel("b"))
	bustest.Await(t, "b's consumer", func() bool { return slices.Contains(d.durables(), "notifier-b") })
	d.publish(transition("web", 5))
	wantTexts(t, b, text(3), text(5))
	a.CloseClientConnections()
	bustest.Await(t, "all at a", func() bool { return len(a.texts()) == 5 })
	wantTexts(t, a, text(1)+" (possible repeat)", text(2), text(3), text(4), text(5))
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

// Silences hold from the start, and what they suppressed is sent when they end.
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
	if tried, err := web.Channels(t.Context()); err != nil || !slices.Equal(tried.Channels, []string{"slack"}) || tried.Routes == nil || len(tried.Routes) != 0 {
		t.Errorf("channels: %+v, %v", tried, err)
	}
	d.apply(slackChannel("slack-webhook") + "[[route]]\nalarm = \"disk\"\nchannels = []\n")
	want := []event.Route{{Alarm: "disk", Channels: []string{}}}
	if tried, err := web.Channels(t.Context()); err != nil || !slices.Equal(tried.Channels, []string{"slack-webhook"}) || !reflect.DeepEqual(tried.Routes, want) {
		t.Errorf("channels: %+v, %v", tried, err)
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

// A channel that gets another name goes on with what waits for it, whichever
// of several it is; one that was removed leaves no file behind.
func TestRenamed(t *testing.T) {
	const two = "[[channel]]\nname = \"ops\"\ntype = \"slack\"\ncredential = \"x\"\n[[channel]]\nname = %q\ntype = \"slack\"\ncredential = \"y\"\n"
	tale(t, fmt.Sprintf(two, "mail"), func(t *testing.T, s *story) {
		s.silence("1", libra.Match{Alarm: "web"}, 0, time.Minute)
		s.pass(time.Second)
		s.say(s.alarm("web"))
		s.pass(10 * time.Second)
		f, err := rules.Parse("alarms.toml", []byte(fmt.Sprintf(two, "post")))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.n.Apply(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		s.cfg.Rules = f
		s.restart()
		s.pass(2 * time.Minute)
		slices.Sort(s.sent)
		s.want("+1m0s ops: [critical] web on box: is down", "+1m0s post: [critical] web on box: is down")
		if files, err := filepath.Glob(filepath.Join(s.cfg.Runtime, "*-mail.json")); err != nil || len(files) > 0 {
			t.Errorf("left behind: %q, %v", files, err)
		}
	})
}

// A channel that is removed forgets what came by the socket for it: a later one of
// that name does not send it.
func TestRemovedChannelForgetsItsQueue(t *testing.T) {
	t.Parallel()
	a, b := newSink(t), newSink(t, hang, hang)
	d := newFixture(t, nil)
	d.cfg.Timeout = time.Minute
	d.credential("a", a.URL+"/"+secret)
	d.credential("b", b.URL+"/"+secret)
	d.configure(slackChannel("a") + slackChannel("b"))
	d.run()
	d.awaitSocket()
	if got := d.post(transition("web", 1)); got != 202 {
		t.Fatal(got)
	}
	wantTexts(t, a, text(1))
	bustest.Await(t, "a call", func() bool { b.mu.Lock(); defer b.mu.Unlock(); return len(b.calls) == 1 })
	d.apply(slackChannel("a"))
	if _, err := os.Stat(filepath.Join(d.cfg.Runtime, "direct-b.json")); err == nil {
		t.Error("what waited for the channel is still there")
	}
}

// Channels can be tried while the rules change.
func TestTryWhileRulesChange(t *testing.T) {
	t.Parallel()
	s := newSink(t)
	d := newFixture(t, s)
	d.run()
	bustest.Await(t, "the channel", func() bool { return d.n.Try(t.Context(), "slack").OK })
	var wg sync.WaitGroup
	var tried event.Tried
	wg.Go(func() { tried = d.n.Try(t.Context(), "slack") })
	for n := range 3 {
		d.apply(fmt.Sprintf("[notify]\nlate = \"%dm\"\n", n+1))
	}
	if wg.Wait(); !tried.OK {
		t.Errorf("%+v", tried)
	}
}

// An alarm that no route led here is sent once one does.
func TestRouteChanges(t *testing.T) {
	tale(t, oneChannel+"[[route]]\nalarm = \"web\"\nchannels = []\n", func(t *testing.T, s *story) {
		s.say(s.alarm("web"))
		s.pass(10 * time.Second)
		f, err := rules.Parse("alarms.toml", []byte(oneChannel))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.n.Apply(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		s.pass(time.Minute)
		s.want("+10s ops: [critical] web on box: is down")
	})
}

// Whatever channels are called, and were called before, no two share a
// consumer: each transition would reach one of them only.
func TestNoTwoShareAConsumer(t *testing.T) {
	channels := func(names ...string) (file string) {
		for n, name := range names {
			file += fmt.Sprintf("[[channel]]\nname = %q\ntype = \"slack\"\ncredential = \"x%d\"\n", name, n)
		}
		return file
	}
	tale(t, channels("ops", "mail"), func(t *testing.T, s *story) {
		for _, file := range []string{channels("ops", "post"), channels("ops", "post", "mail"), channels("a", "post", "mail"), channels("a", "post", "mail", "ops")} {
			f, err := rules.Parse("alarms.toml", []byte(file))
			if err != nil {
				t.Fatal(err)
			}
			if err := s.n.Apply(t.Context(), f); err != nil {
				t.Fatal(err)
			}
		}
		s.say(s.alarm("web"))
		s.pass(time.Second)
		slices.Sort(s.sent)
		s.want("+0s a: [critical] web on box: is down", "+0s mail: [critical] web on box: is down",
			"+0s ops: [critical] web on box: is down", "+0s post: [critical] web on box: is down")
		data, err := os.ReadFile(filepath.Join(s.cfg.State, "consumers.json"))
		if err != nil {
			t.Fatal(err)
		}
		var kept struct{ Channels map[string]string }
		if err := json.Unmarshal(data, &kept); err != nil {
			t.Fatal(err)
		}
		if all := slices.Sorted(maps.Values(kept.Channels)); len(slices.Compact(all)) != 4 {
			t.Errorf("consumers %v", kept.Channels)
		}
	})
}
