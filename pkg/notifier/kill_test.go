package notifier_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"libra/pkg/libra"
	"libra/pkg/notifier"
	"libra/pkg/rules"
)

// killed is a story in which the process is killed at the nth time that it
// reaches a step, and started again at once.
type killed struct {
	name string
	file string // after the channel
	at   step   // "" for after do
	nth  int    // 0 for the first
	do   func(s *story)
	// after happens a second after the restart; may be nil.
	after func(s *story)
	pass  time.Duration // then
	want  []string
}

const (
	webDown     = "ops: [critical] web on box: is down"
	webUp       = "ops: [cleared] web on box: is up, down for "
	busDown     = "ops: [critical] bus on box: is down"
	maybeRepeat = " (possible repeat)"
)

func clearFirst(s *story) { s.clear(s.stream[0].Alarm) }

func sayWeb(s *story) { s.say(s.alarm("web")) }

// sayCaused publishes the alarm "bus", and "web", which it explains.
func sayCaused(s *story) {
	s.say(s.alarm("bus"))
	s.pass(time.Second)
	s.say(s.alarm("web", func(a *libra.Alarm) { a.Cause = "bus" }))
}

// saySilenced publishes the alarm "web" during a silence of a minute.
func saySilenced(s *story) {
	s.silence("1", libra.Match{Alarm: "web"}, 0, time.Minute)
	s.pass(time.Second)
	sayWeb(s)
}

// sayGroup publishes two alarms of a group.
func sayGroup(s *story) {
	grouped := func(a *libra.Alarm) { a.Group = "host:x" }
	s.say(s.alarm("bus", grouped))
	s.pass(time.Second)
	s.say(s.alarm("web", grouped))
}

// Killed by kill -9 at any stage, the notifier loses nothing, and sends nothing
// twice but a message of which it cannot know whether it arrived: it marks that.
func TestKilledAtEachStage(t *testing.T) {
	const nowhere = "[[route]]\nalarm = \"web\"\nchannels = []\n"
	for _, k := range []killed{
		{name: "receive", at: delivering, do: sayWeb, want: []string{webDown}},
		{name: "route", file: nowhere, at: acking, do: sayWeb, after: func(s *story) { s.apply(oneChannel) }, want: []string{webDown}},
		{name: "inhibit", at: acking, nth: 1, do: sayCaused, after: clearFirst, want: []string{busDown, "ops: [cleared] bus on box: is up, down for 3 s", webDown}},
		{name: "silence", at: acking, do: saySilenced, pass: time.Minute, want: []string{webDown}},
		{name: "silence, cleared before it ends", at: acking, do: saySilenced, after: clearFirst, pass: time.Minute},
		{name: "group", at: acking, nth: 1, do: sayGroup, want: []string{busDown, webDown}},
		{name: "deduplicate", at: acking, do: sayWeb, want: []string{webDown}},
		{name: "acknowledged, route", file: nowhere, at: acked, do: sayWeb, after: func(s *story) { s.apply(oneChannel) }, want: []string{webDown}},
		{name: "acknowledged, inhibit", at: acked, nth: 1, do: sayCaused, after: clearFirst, want: []string{busDown, "ops: [cleared] bus on box: is up, down for 3 s", webDown}},
		{name: "acknowledged, silence", at: acked, do: saySilenced, pass: time.Minute, want: []string{webDown}},
		{name: "acknowledged, silence, cleared before it ends", at: acked, do: saySilenced, after: clearFirst, pass: time.Minute},
		{name: "acknowledged, group", at: acked, nth: 1, do: sayGroup, want: []string{busDown, webDown}},
		{name: "acknowledged, deduplicate", at: acked, do: sayWeb, want: []string{webDown}},
		{name: "send", at: calling, do: sayWeb, want: []string{webDown + maybeRepeat}},
		{name: "send, refused before", at: calling, nth: 1, do: func(s *story) {
			s.answer(notifier.Refused("503", false))
			sayWeb(s)
			s.pass(5 * time.Second)
		}, want: []string{webDown + maybeRepeat}},
		{name: "send, a clear waits", at: calling, do: func(s *story) { sayWeb(s); clearFirst(s) }, want: []string{webDown + maybeRepeat, webUp + "0 ms"}},
		{name: "send, what was suppressed", at: calling, do: func(s *story) { saySilenced(s); s.pass(time.Minute) }, want: []string{webDown + maybeRepeat}},
		{name: "send, a reminder", file: "[remind]\ncritical = \"10m\"\n", at: calling, nth: 1, do: func(s *story) { sayWeb(s); s.pass(10 * time.Minute) }, want: []string{
			webDown, "ops: [critical] web on box: is down, still open after 10 min 1 s" + maybeRepeat,
		}},
		{name: "notification log", at: answering, do: sayWeb, want: []string{webDown, webDown + maybeRepeat}},
		{name: "notification log, what was suppressed", at: answering, do: func(s *story) { saySilenced(s); s.pass(time.Minute) }, want: []string{webDown, webDown + maybeRepeat}},
		{name: "socket", at: calling, do: func(s *story) {
			s.accept(libra.Transition{ID: "direct", Alarm: s.alarm("web"), At: time.Now(), Host: "box"})
		}, want: []string{webDown + maybeRepeat}},
		{name: "socket, queued", do: func(s *story) {
			s.answer(notifier.Refused("503", false))
			sayWeb(s)
			for _, id := range []string{"bus", "disk"} {
				s.pass(10 * time.Millisecond)
				s.accept(libra.Transition{ID: "direct-" + id, Alarm: s.alarm(id), At: time.Now(), Host: "box"})
			}
		}, want: []string{webDown, busDown, "ops: [critical] disk on box: is down"}},
	} {
		t.Run(k.name, func(t *testing.T) { tale(t, oneChannel+k.file, k.run) })
	}
}

func (k killed) run(t *testing.T, s *story) {
	k.killHere(t, s)
	if k.after != nil {
		k.after(s)
	}
	s.pass(k.pass + 30*time.Second)
	s.withoutTimes()
	s.want(k.want...)
}

// killHere does what leads to the step, kills the process there and starts it again.
func (k killed) killHere(t *testing.T, s *story) {
	n := 0
	s.mu.Lock()
	s.killAt = func(at step) bool {
		if at == k.at {
			n++
		}
		return at == k.at && n > k.nth
	}
	s.mu.Unlock()
	k.do(s)
	if k.at == "" {
		s.mu.Lock()
		s.kill()
		s.mu.Unlock()
	}
	s.pass(time.Second)
	s.mu.Lock()
	killed := s.process == 1
	s.mu.Unlock()
	if !killed {
		t.Fatalf("not killed %q", k.at)
	}
	s.restart()
	s.pass(time.Second)
}

// apply changes alarms.toml.
func (s *story) apply(file string) {
	s.t.Helper()
	f, err := rules.Parse("alarms.toml", []byte(file))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.n.Apply(s.t.Context(), f); err != nil {
		s.t.Fatal(err)
	}
	s.cfg.Rules = f // for the next process
}

// accept queues what the watchdog posts to the socket.
func (s *story) accept(t libra.Transition) {
	s.t.Helper()
	if err := s.n.Accept(t); err != nil {
		s.t.Fatal(err)
	}
}

// Killed repeatedly in the middle of a call: sent again, marked, and
// nothing after it is lost.
func TestKilledAgainAndAgain(t *testing.T) {
	tale(t, oneChannel, func(t *testing.T, s *story) {
		lost := errors.New("no answer")
		s.say(s.alarm("web"))
		s.say(s.alarm("bus"))
		for range 3 {
			s.answer(lost)
			s.pass(300 * time.Millisecond)
			s.restart()
		}
		s.pass(time.Minute)
		got := strings.Join(s.sent, "\n")
		if strings.Count(got, "web on box: is down (possible repeat)") != 1 || strings.Count(got, "bus on box") != 1 || len(s.sent) != 2 {
			t.Errorf("sent:\n%s", got)
		}
	})
}
