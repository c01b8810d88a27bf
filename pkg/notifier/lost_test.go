package notifier_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/rules"
)

// What only its group suppressed is sent although it is cleared by then.
func TestGroupIsNoReasonNotToTell(t *testing.T) {
	tale(t, oneChannel, func(t *testing.T, s *story) {
		group := func(a *libra.Alarm) { a.Group = "host:example.org" }
		s.say(s.alarm("page.1", group))
		s.pass(time.Second)
		short, silenced := s.alarm("page.2", group), s.alarm("page.3", group)
		s.silence("1", libra.Match{Alarm: "page.3"}, 0, 3*time.Second)
		s.pass(100 * time.Millisecond)
		s.say(short)
		s.say(silenced)
		s.pass(time.Second)
		s.clear(short)
		s.clear(silenced)
		s.pass(time.Minute)
		s.want("+0s ops: [critical] page.1 on box: is down",
			"+2s ops: 2 notifications in one: 0 open, 1 cleared on box, 1 Jan 00:00:01 UTC to 1 Jan 00:00:02 UTC")
	})
}

// While one message follows another, what is due has its turn.
func TestDueHasItsTurn(t *testing.T) {
	tale(t, oneChannel+"[notify]\ndigest = 1000\n", func(t *testing.T, s *story) {
		s.silence("1", libra.Match{Alarm: "web"}, 0, 10*time.Second)
		s.pass(time.Second)
		s.say(s.alarm("web"))
		for n := range 60 {
			s.say(s.alarm(fmt.Sprint("other.", n)))
		}
		s.pass(20 * time.Second)
		if !slices.ContainsFunc(s.sent, func(line string) bool { return strings.Contains(line, "web on box") }) {
			t.Errorf("the silence has been over for 11 s:\n%s", strings.Join(s.sent, "\n"))
		}
	})
}

// Nothing is sent after a start before it is known who has
// silenced or acknowledged it meanwhile.
func TestHeededFromTheStart(t *testing.T) {
	tale(t, oneChannel+"[remind]\ncritical = \"10m\"\n", func(t *testing.T, s *story) {
		s.silence("1", libra.Match{Alarm: "web"}, 0, time.Minute)
		s.pass(time.Second)
		s.say(s.alarm("web"))
		s.say(s.alarm("bus"))
		s.pass(10 * time.Second)
		s.end()
		s.silence("1", libra.Match{Alarm: "web"}, 0, time.Hour)
		s.note(libra.Note{Kind: libra.Acknowledged, Alarm: "bus", By: "ann"})
		s.pass(20 * time.Minute)
		s.notesTake = 1500 * time.Millisecond
		s.run()
		s.pass(time.Minute)
		s.want("+1s ops: [critical] bus on box: is down")
	})
}

// A channel that gets another name goes on with what waits for it, whichever
// of several it is; one that was taken out leaves nothing behind.
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

// What came by the socket for a channel that is taken out is not sent by one
// that has its name later.
func TestTakenOut(t *testing.T) {
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

// A channel whose queue is full keeps nothing from the others.
func TestOneQueueIsFull(t *testing.T) {
	t.Parallel()
	a, b := newSink(t, hang), newSink(t)
	d := newFixture(t, nil)
	d.cfg.Timeout = time.Minute
	d.credential("a", a.URL+"/"+secret)
	d.credential("b", b.URL+"/"+secret)
	d.configure(slackChannel("a") + slackChannel("b"))
	var waiting []string
	for n := range 1000 {
		waiting = append(waiting, fmt.Sprintf(`{"transition":{"id":"old-%d","alarm":{"id":"old"}}}`, n))
	}
	queue := `{"waiting":[` + strings.Join(waiting, ",") + `]}`
	if err := os.WriteFile(filepath.Join(d.cfg.Runtime, "direct-a.json"), []byte(queue), 0o600); err != nil {
		t.Fatal(err)
	}
	d.run()
	d.awaitSocket()
	if got := d.post(transition("web", 1)); got != 202 {
		t.Errorf("answered %d", got)
	}
	wantTexts(t, b, text(1))
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

// An answer that is cut in the middle of a secret does not show a part of it.
func TestAnswerIsCutAfterItsSecrets(t *testing.T) {
	t.Parallel()
	s := slackSays(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, strings.Repeat("x", 190)+r.URL.Path)
	})
	d := newFixtureWithout(t)
	d.credential("slack-webhook", s+"/"+secret+secret+secret)
	n := d.alone(t)
	bustest.Await(t, "the channel", func() bool { return len(n.Try(t.Context(), "").Channels) == 1 })
	tried := n.Try(t.Context(), "slack")
	if tried.OK || strings.Contains(tried.Answer, secret[:6]) || !strings.Contains(tried.Answer, "xxx") {
		t.Errorf("%+v", tried)
	}
}

// The journal is not in timelines: nobody was notified.
func TestLogIsNobody(t *testing.T) {
	tale(t, "", func(t *testing.T, s *story) {
		s.say(s.alarm("web"))
		s.pass(time.Minute)
		if len(s.sent) != 1 || len(s.timeline) != 0 {
			t.Errorf("sent %q, in the timeline %+v", s.sent, s.timeline)
		}
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
