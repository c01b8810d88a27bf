package notifier_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"libra/pkg/libra"
	"libra/pkg/notifier"
)

// refuse has the provider refuse the next n calls.
func (s *story) refuse(n int) {
	for range n {
		s.answer(notifier.Refused("503", false))
	}
}

// withoutTimes is what was sent, where the backoff decides when.
func (s *story) withoutTimes() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, line := range s.sent {
		_, s.sent[i], _ = strings.Cut(line, " ")
	}
}

// A silence that begins while a notification waits for its provider does not
// suppress it: it has passed that stage. It suppresses what waits behind it.
func TestSilenceBeginsWhileANotificationWaits(t *testing.T) {
	tale(t, oneChannel, func(t *testing.T, s *story) {
		s.refuse(6)
		sayWeb(s)
		s.pass(time.Second)
		s.say(s.alarm("bus"))
		s.silence("1", libra.Match{Alarm: "*"}, 0, 10*time.Minute)
		s.pass(2 * time.Minute)
		if n, _ := s.counts(); n != 1 {
			t.Errorf("%d messages sent during the silence, want the one that was waiting", n)
		}
		s.pass(10 * time.Minute)
		s.withoutTimes()
		s.want(webDown, busDown)
	})
}

// An alarm that clears while its raise waits for the provider: both are sent, in
// order, although a silence begins between them.
func TestClearedWhileTheRaiseWaits(t *testing.T) {
	tale(t, oneChannel, func(t *testing.T, s *story) {
		s.refuse(6)
		sayWeb(s)
		s.pass(time.Second)
		s.silence("1", libra.Match{Alarm: "*"}, 0, time.Hour)
		s.clear(s.stream[0].Alarm)
		s.pass(2 * time.Minute)
		s.withoutTimes()
		s.want(webDown, webUp+"1 s")
	})
}

// An alarm is inhibited until the clear of its cause is sent, however long the
// provider refuses it: people read first that the cause is over.
func TestInhibitionEndsWhileTheProviderRefuses(t *testing.T) {
	tale(t, oneChannel, func(t *testing.T, s *story) {
		sayCaused(s)
		s.pass(time.Second)
		s.refuse(6)
		s.clear(s.stream[0].Alarm)
		s.pass(2 * time.Minute)
		s.withoutTimes()
		s.want(busDown, "ops: [cleared] bus on box: is up, down for 2 s", webDown)
	})
}

// A channel that is removed forgets what waits for it, at its provider and
// suppressed; when it comes back, it begins with what happens from then on. The
// other channel is not disturbed.
func TestChannelRemovedWhileNotificationsWait(t *testing.T) {
	const two = oneChannel + "[[channel]]\nname = \"mail\"\ntype = \"slack\"\ncredential = \"y\"\n"
	tale(t, two, func(t *testing.T, s *story) {
		s.silence("1", libra.Match{Alarm: "bus"}, 0, time.Minute)
		s.pass(time.Second)
		s.say(s.alarm("bus"))
		s.pass(time.Second)
		s.refuse(2) // ops and mail
		sayWeb(s)
		s.accept(libra.Transition{ID: "direct", Alarm: s.alarm("disk"), At: time.Now(), Host: "box"})
		s.pass(10 * time.Millisecond)
		s.apply(oneChannel)
		s.pass(2 * time.Second) // within a second, the bus forgets the consumer
		s.apply(two)
		s.pass(2 * time.Minute)
		s.say(s.alarm("new"))
		s.pass(time.Minute)
		s.withoutTimes()
		slices.Sort(s.sent)
		s.want("mail: [critical] new on box: is down", busDown, "ops: [critical] disk on box: is down", "ops: [critical] new on box: is down", webDown)
	})
}

// Ten thousand alarms that a silence suppresses are in one message when it
// ends, once, although the notifier is killed while it sends that.
func TestStormAfterASilence(t *testing.T) {
	const alarms = 10_000
	tale(t, oneChannel, func(t *testing.T, s *story) {
		s.silence("1", libra.Match{Alarm: "*"}, 0, 30*time.Second)
		s.pass(time.Second)
		for n := range alarms {
			s.say(s.alarm(fmt.Sprint("page.", n)))
		}
		s.pass(25 * time.Second)
		s.mu.Lock()
		s.killAt = func(at step) bool { return at == calling }
		s.mu.Unlock()
		s.pass(10 * time.Second)
		s.restart()
		s.pass(20 * time.Second)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.transitions != alarms || len(s.sent) != 1 || !strings.HasSuffix(s.sent[0], maybeRepeat) {
			t.Errorf("%d transitions in %d messages: %.500q", s.transitions, len(s.sent), s.sent)
		}
	})
}

// Ten thousand transitions at once are few messages, and all of them are sent,
// also when the notifier is killed in between.
func TestStorm(t *testing.T) {
	const transitions = 10_000
	tale(t, oneChannel, func(t *testing.T, s *story) {
		open := map[string]libra.Alarm{}
		for n := range transitions {
			id := fmt.Sprint("page.", n%100)
			if a, ok := open[id]; ok {
				s.clear(a)
				delete(open, id)
			} else {
				open[id] = s.alarm(id)
				s.say(open[id])
			}
		}
		s.pass(50 * time.Second)
		s.restart()
		s.pass(10 * time.Minute)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.transitions != transitions {
			t.Errorf("%d transitions sent, want %d", s.transitions, transitions)
		}
		if len(s.sent) > 15 || len(s.sent) < 10 { // a thousand in one, at most
			t.Errorf("%d messages:\n%s", len(s.sent), strings.Join(s.sent, "\n"))
		}
	})
}

// A channel that is refused for good is a trouble at once, one that fails
// otherwise after two minutes; both end with the first message that arrives.
func TestTroubles(t *testing.T) {
	tale(t, oneChannel, func(t *testing.T, s *story) {
		is := func(when, want string) {
			t.Helper()
			got := ""
			for _, tr := range s.n.Troubles() {
				got += tr.ID + ": " + tr.Evidence
			}
			if got != want {
				t.Errorf("%s: troubles %q, want %q", when, got, want)
			}
		}
		s.answer(notifier.Refused("Slack answered 403", true))
		s.say(s.alarm("web"))
		s.pass(100 * time.Millisecond)
		is("refused", "channel.ops: failing since 1 Jan 2000, 00:00:00 UTC: Slack answered 403")
		s.pass(time.Minute)
		is("sent", "")
		for range 20 {
			s.answer(notifier.Refused("Slack answered 500", false))
		}
		s.say(s.alarm("bus"))
		s.pass(time.Minute)
		is("failing", "")
		s.pass(61 * time.Second)
		is("failing for long", "channel.ops: failing since 1 Jan 2000, 00:01:00 UTC: Slack answered 500")
		s.pass(10 * time.Minute)
		is("sent again", "")
		s.n.Fault(errors.New("alarms.toml:3: colour is no key"))
		is("a bad file", "alarms-file: alarms.toml:3: colour is no key")
	})
}
