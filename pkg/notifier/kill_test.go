package notifier_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"libra/pkg/libra"
	"libra/pkg/notifier"
)

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
		is("refused", "channel.ops: failing since 1 Jan 00:00:00 UTC: Slack answered 403")
		s.pass(time.Minute)
		is("sent", "")
		for range 20 {
			s.answer(notifier.Refused("Slack answered 500", false))
		}
		s.say(s.alarm("bus"))
		s.pass(time.Minute)
		is("failing", "")
		s.pass(61 * time.Second)
		is("failing for long", "channel.ops: failing since 1 Jan 00:01:00 UTC: Slack answered 500")
		s.pass(10 * time.Minute)
		is("sent again", "")
		s.n.Fault(errors.New("alarms.toml:3: colour is no key"))
		is("a bad file", "alarms-file: alarms.toml:3: colour is no key")
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
