package notifier_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/libra"
	"libra/pkg/notifier"
)

// Reminders come at their intervals, also over restarts, until somebody has
// acknowledged this raise; the clear is sent all the same.
func TestReminders(t *testing.T) {
	tale(t, oneChannel+"[remind]\ncritical = \"10m\"\n", func(t *testing.T, s *story) {
		bus := s.alarm("bus")
		s.note(libra.Note{Kind: libra.Acknowledged, Alarm: "bus", By: "ann"}) // of an earlier raise
		s.pass(time.Second)
		bus.Since = time.Now()
		s.say(bus)
		s.pass(15 * time.Minute)
		s.restart()
		s.pass(10 * time.Minute)
		s.note(libra.Note{Kind: libra.Acknowledged, Alarm: "bus", By: "ann"})
		s.pass(50 * time.Minute)
		s.clear(bus)
		s.pass(time.Second)
		s.want("+1s ops: [critical] bus on box: is down",
			"+10m1s ops: [critical] bus on box: is down, still open after 10 min",
			"+20m1s ops: [critical] bus on box: is down, still open after 20 min",
			"+1h15m1s ops: [cleared] bus on box: is up, down for 1 h 15 min")
		s.wantTimeline("+1s bus: notified ops: raised", "+10m1s bus: notified ops: still open", "+20m1s bus: notified ops: still open", "+1h15m1s bus: notified ops: cleared")
	})
}

// What is silenced is not sent; what is still raised when the silence ends is
// sent then, also after a restart, and what was over by then never is.
func TestSilence(t *testing.T) {
	tale(t, oneChannel, func(t *testing.T, s *story) {
		s.silence("1", libra.Match{Alarm: "beat.*"}, time.Minute, 10*time.Minute)
		before := s.alarm("beat.early")
		s.say(before)
		s.pass(2 * time.Minute)
		stays, over := s.alarm("beat.stays"), s.alarm("beat.over")
		s.say(stays)
		s.say(over)
		s.pass(time.Minute)
		s.clear(over)
		s.clear(before) // its raise was sent
		s.pass(time.Minute)
		s.restart()
		s.pass(10 * time.Minute)
		s.clear(stays)
		s.pass(time.Minute)
		s.want("+0s ops: [critical] beat.early on box: is down",
			"+3m0s ops: [cleared] beat.early on box: is up, raised for 3 min",
			"+10m0s ops: [critical] beat.stays on box: is down",
			"+14m0s ops: [cleared] beat.stays on box: is up, raised for 12 min")
	})
}

// A silence that is ended early sends at once what it held back.
func TestSilenceEndedEarly(t *testing.T) {
	tale(t, oneChannel, func(t *testing.T, s *story) {
		s.silence("1", libra.Match{Severity: libra.Major}, 0, time.Hour)
		s.pass(time.Second)
		web := s.alarm("web", func(a *libra.Alarm) { a.Severity = libra.Major })
		s.say(web)
		s.pass(time.Minute)
		s.silence("1", libra.Match{Severity: libra.Major}, 0, 0)
		s.pass(time.Minute)
		s.silence("2", libra.Match{Severity: libra.Major}, 0, time.Hour)
		s.pass(time.Second)
		web.Severity = libra.Critical // worse than what is silenced
		s.say(web)
		s.pass(time.Minute)
		s.want("+1m1s ops: [major] web on box: is down", "+2m2s ops: [critical] web on box: is down")
	})
}

// What the bus explains is suppressed while it is down, and sent when it is
// still raised five seconds after; the bus's own messages count it.
func TestCause(t *testing.T) {
	tale(t, oneChannel, func(t *testing.T, s *story) {
		explained := func(a *libra.Alarm) { a.Cause = "bus" }
		earlier := s.alarm("earlier", explained)
		s.say(earlier) // the bus is healthy: nothing explains it
		s.pass(time.Minute)
		bus := s.alarm("bus")
		s.say(bus)
		s.pass(time.Second)
		stays, over := s.alarm("stays", explained), s.alarm("over", explained)
		s.say(stays)
		s.say(over)
		s.pass(10 * time.Second)
		s.clear(bus)
		s.pass(time.Second)
		s.clear(over)
		s.restart()
		s.pass(10 * time.Second)
		s.clear(stays)
		s.pass(time.Second)
		s.want("+0s ops: [critical] earlier on box: is down",
			"+1m0s ops: [critical] bus on box: is down",
			"+1m11s ops: [cleared] bus on box: is up, down for 11 s",
			"+1m16s ops: [critical] stays on box: is down",
			"+1m22s ops: [cleared] stays on box: is up, raised for 21 s")
	})
}

// The first of a group is sent at once, the others ten seconds later as one.
func TestGroup(t *testing.T) {
	tale(t, oneChannel, func(t *testing.T, s *story) {
		group := func(a *libra.Alarm) { a.Group, a.Scope = "host:example.org", libra.ScopePage }
		var pages []libra.Alarm
		for n := range 4 {
			pages = append(pages, s.alarm(fmt.Sprint("page.", n), group))
			s.say(pages[n])
			s.pass(time.Second)
		}
		s.clear(pages[3]) // cleared before it was sent: its group is no reason to drop it
		s.pass(20 * time.Second)
		s.say(s.alarm("page.9", group))
		s.pass(2 * time.Second)
		s.want("+0s ops: [critical] page.0 on box: is down",
			"+4s ops: [cleared] page.3 on box: is up, raised for 1 s, 2 notifications in one",
			"+10s ops: [critical] page.1: is down; page.2: is down on box",
			"+24s ops: [critical] page.9 on box: is down")
	})
}

// The clear of an alarm goes to the channels that its raise went to, whatever
// happens between them: other routes, another severity, a new channel, a channel
// that no route leads to any more.
func TestRaiseAndClearGoToTheSameChannels(t *testing.T) {
	channel := func(name string) string {
		return "[[channel]]\nname = \"" + name + "\"\ntype = \"slack\"\ncredential = \"" + name + "\"\n"
	}
	two := channel("ops") + channel("phone")
	route := func(severity, channels string) string {
		return "[[route]]\nseverity = \"" + severity + "\"\nchannels = [" + channels + "]\n"
	}
	for _, c := range []struct {
		name, before, after string
		severity            libra.Severity // meanwhile
		want                []string       // of channels, each with raise and clear
	}{
		{"other routes", two + route("minor", `"ops"`), two + route("minor", `"phone"`), "", []string{"ops", "phone"}},
		{"no route", two + route("minor", `"ops"`), two + route("minor", ""), "", []string{"ops"}},
		{"worse", two + route("critical", `"phone"`) + route("minor", `"ops"`), "", libra.Critical, []string{"ops", "phone"}},
		{"less severe", two + route("major", `"phone"`) + route("minor", `"ops"`), "", libra.Minor, []string{"ops", "phone"}},
		{"no route for what is less severe", two + route("major", `"phone"`) + route("minor", ""), "", libra.Minor, []string{"phone"}},
		{"a new channel", channel("ops"), two, "", []string{"ops"}},
		{"a new channel, and worse", channel("ops"), two, libra.Critical, []string{"ops", "phone"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			tale(t, c.before, func(t *testing.T, s *story) {
				s.pass(time.Second)
				a := s.alarm("disk", func(a *libra.Alarm) { a.Severity = libra.Major })
				s.say(a)
				s.pass(10 * time.Second)
				if c.after != "" {
					s.apply(c.after)
					s.pass(10 * time.Second)
				}
				if c.severity != "" {
					a.Severity = c.severity
					s.say(a)
					s.pass(10 * time.Second)
				}
				s.restart()
				s.clear(a)
				s.pass(10 * time.Second)
				raised, cleared := map[string]bool{}, map[string]int{}
				for _, line := range s.sent {
					_, rest, _ := strings.Cut(line, " ")
					name, text, _ := strings.Cut(rest, ": ")
					if strings.HasPrefix(text, "[cleared]") {
						cleared[name]++
					} else {
						raised[name] = true
					}
				}
				if got := slices.Sorted(maps.Keys(raised)); !slices.Equal(got, c.want) || len(cleared) != len(c.want) {
					t.Errorf("raised at %q, cleared at %v, want both at %q:\n%s", got, cleared, c.want, strings.Join(s.sent, "\n"))
				}
				for _, name := range c.want {
					if cleared[name] != 1 {
						t.Errorf("cleared %d times at %s:\n%s", cleared[name], name, strings.Join(s.sent, "\n"))
					}
				}
			})
		})
	}
}

// Two inspectors that are stopped at once are one message, which says what to do
// about both; a third, stopped seconds later, is not held up for long.
func TestStoppedAtOnceIsOneMessage(t *testing.T) {
	tale(t, oneChannel, func(t *testing.T, s *story) {
		stopped := func(n int) libra.Alarm {
			return s.alarm(fmt.Sprint("beat.inspector.", n), func(a *libra.Alarm) {
				a.Target = fmt.Sprint("libra-inspector@", n)
				a.Summary, a.Runbook, a.Group = a.Target+" was stopped", "#beat-inspector", libra.UnitsGroup+"libra-inspector"
			})
		}
		s.say(stopped(1))
		s.pass(600 * time.Millisecond)
		s.say(stopped(2))
		s.pass(30 * time.Second)
		s.say(stopped(3))
		s.pass(2 * time.Second)
		s.want("+1s ops: [critical] libra-inspector@1 was stopped; libra-inspector@2 was stopped on box",
			"+32s ops: [critical] libra-inspector@3 on box: libra-inspector@3 was stopped")
		if want := "\nFirst: systemctl status libra-inspector@1 libra-inspector@2; if it was stopped: systemctl start libra-inspector@1 libra-inspector@2\n"; !strings.Contains(s.texts[0], want) {
			t.Errorf("%s\nlacks %q", s.texts[0], want)
		}
	})
}

// Of several channels that fail, a digest has the command that tests each of them.
func TestDigestTestsEachChannel(t *testing.T) {
	tale(t, oneChannel+"[notify]\ndigest = 2\n", func(t *testing.T, s *story) {
		for _, name := range []string{"slack", "email"} {
			s.say(s.alarm("channel."+name, func(a *libra.Alarm) {
				a.Target, a.Summary, a.Runbook = "channel "+name, "channel "+name+" does not work", "#channel"
			}))
		}
		s.pass(2 * time.Second)
		digest := s.texts[len(s.texts)-1]
		if want := "\nFirst: libra alarms test email; libra alarms test slack prints the answer of its provider\n"; !strings.Contains(digest, want) {
			t.Errorf("%s\nlacks %q", digest, want)
		}
	})
}

// Routes: a channel that got the raise gets what follows, others do not.
func TestRoutes(t *testing.T) {
	const file = oneChannel + "[[channel]]\nname = \"phone\"\ntype = \"slack\"\ncredential = \"x\"\n" +
		"[[route]]\nseverity = \"critical\"\nchannels = [\"phone\"]\n[[route]]\nscope = \"page\"\nchannels = []\n"
	tale(t, file, func(t *testing.T, s *story) {
		a := s.alarm("disk", func(a *libra.Alarm) { a.Severity = libra.Major })
		s.say(a) // both: no route fits
		s.pass(10 * time.Second)
		a.Severity = libra.Critical
		s.say(a)
		s.pass(10 * time.Second)
		b := s.alarm("bus")
		s.say(b) // phone
		page := s.alarm("page.1", func(a *libra.Alarm) { a.Scope, a.Severity = libra.ScopePage, libra.Minor })
		s.say(page) // no channel
		s.pass(10 * time.Second)
		for _, x := range []libra.Alarm{a, b, page} {
			s.clear(x)
			s.pass(10 * time.Second)
		}
		byChannel := map[string][]string{}
		for _, line := range s.sent {
			_, rest, _ := strings.Cut(line, " ")
			name, text, _ := strings.Cut(rest, ": ")
			byChannel[name] = append(byChannel[name], text)
		}
		want := map[string][]string{
			"ops":   {"[major] disk on box: is down", "[critical] disk on box: is down", "[cleared] disk on box: is up, short of space for 30 s"},
			"phone": {"[major] disk on box: is down", "[critical] disk on box: is down", "[critical] bus on box: is down", "[cleared] disk on box: is up, short of space for 30 s", "[cleared] bus on box: is up, down for 20 s"},
		}
		if diff := cmp.Diff(want, byChannel); diff != "" {
			t.Errorf("sent (-want +got):\n%s", diff)
		}
	})
}

// An alarm that comes and goes in one digest while a silence keeps its last
// raise: nothing is lost when the silence ends.
func TestRaisedAgainWithinADigest(t *testing.T) {
	tale(t, oneChannel+"[notify]\ndigest = 2\n", func(t *testing.T, s *story) {
		a := s.alarm("web", func(a *libra.Alarm) { a.Severity = libra.Major })
		s.say(a)
		s.pass(time.Second)
		s.answer(notifier.Refused("503", false))
		other := s.alarm("other")
		s.say(other) // refused once: the next wait
		s.silence("1", libra.Match{Alarm: "web"}, 0, 10*time.Minute)
		s.pass(100 * time.Millisecond)
		s.clear(a)
		s.say(a)
		s.pass(time.Minute)
		s.restart()
		s.pass(10 * time.Minute)
		for i, line := range s.sent {
			_, s.sent[i], _ = strings.Cut(line, ": ") // when depends on the backoff
		}
		s.want("[major] web on box: is down",
			"[critical] other on box: is down",
			"[cleared] web on box: is up, down for 1.1 s",
			"[major] web on box: is down")
	})
}

// An alarm that only waited for its group is sent although it is cleared by then.
// One that a silence suppressed meanwhile is not.
func TestAlarmOfAGroupIsSentAlthoughItIsCleared(t *testing.T) {
	tale(t, oneChannel, func(t *testing.T, s *story) {
		group := func(a *libra.Alarm) { a.Group, a.Scope = "host:example.org", libra.ScopePage }
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
			"+2s ops: [cleared] page.2 on box: is up, raised for 1.1 s, 2 notifications in one")
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

// After a start, the notifier waits for the silences and acknowledgements that
// were made meanwhile before it sends anything.
func TestSilencesHoldFromTheStart(t *testing.T) {
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

// A transition that only the journal has is not in the timeline of its alarm.
func TestTimelineLeavesOutTheJournal(t *testing.T) {
	tale(t, "", func(t *testing.T, s *story) {
		s.say(s.alarm("web"))
		s.pass(time.Minute)
		if len(s.sent) != 1 || len(s.timeline) != 0 {
			t.Errorf("sent %q, in the timeline %+v", s.sent, s.timeline)
		}
	})
}
