package notifier_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"libra/pkg/libra"
)

// large makes an alarm of 500 kB.
func large(a *libra.Alarm) { a.Evidence = strings.Repeat("x", 500_000) }

// logSize is the size of the notification log, in bytes.
func (s *story) logSize() int64 {
	s.t.Helper()
	info, err := os.Stat(filepath.Join(s.cfg.Runtime, "channel-ops.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	return info.Size()
}

// The log is bounded in bytes. Of alarms that were notified it drops the oldest:
// their clears are sent all the same.
func TestOpenAlarmsAreBounded(t *testing.T) {
	const alarms = 20 // 16 fill the log
	tale(t, oneChannel, func(t *testing.T, s *story) {
		for n := range alarms {
			s.say(s.alarm(fmt.Sprint("a.", n), large))
		}
		s.pass(time.Minute)
		if size := s.logSize(); size < 6_000_000 || size > 8_200_000 {
			t.Errorf("the log has %d bytes", size)
		}
		s.restart()
		for n := range alarms {
			s.clear(s.stream[n].Alarm)
		}
		s.pass(time.Minute)
		if _, n := s.counts(); n != 2*alarms {
			t.Errorf("%d transitions sent, want %d", n, 2*alarms)
		}
		if size := s.logSize(); size > 100_000 {
			t.Errorf("the log has %d bytes when all is over", size)
		}
	})
}

// Suppressed alarms are never dropped: when they alone fill the log, those that
// follow are sent although they are silenced, and the others when the silence
// ends.
func TestSuppressedAlarmsAreBounded(t *testing.T) {
	const alarms, fit = 20, 16
	tale(t, oneChannel+"[notify]\ndigest = 1000\n", func(t *testing.T, s *story) {
		s.silence("1", libra.Match{Alarm: "*"}, 0, 2*time.Minute)
		s.pass(time.Second)
		for n := range alarms {
			s.say(s.alarm(fmt.Sprint("a.", n), large))
		}
		s.pass(time.Minute)
		if n, _ := s.counts(); n != alarms-fit || s.logSize() < 7_000_000 || s.logSize() > 8_200_000 {
			t.Errorf("%d sent, the log has %d bytes", n, s.logSize())
		}
		s.restart()
		s.pass(2 * time.Minute)
		if _, n := s.counts(); n != alarms {
			t.Errorf("%d transitions sent, want %d", n, alarms)
		}
	})
}

// What comes by the socket is bounded in bytes: the watchdog gets an error, and
// the bus delivers the transition later.
func TestSocketQueueIsBounded(t *testing.T) {
	tale(t, oneChannel, func(t *testing.T, s *story) {
		s.refuse(1)
		s.say(s.alarm("early"))
		s.pass(time.Millisecond)
		accepted := 0
		for n := range 10 {
			err := s.n.Accept(libra.Transition{ID: fmt.Sprint("direct-", n), Alarm: s.alarm(fmt.Sprint("a.", n), large), At: time.Now(), Host: "box"})
			if err == nil {
				accepted++
			} else if !errors.Is(err, libra.ErrFull) {
				t.Fatal(err)
			}
		}
		if accepted != 7 {
			t.Errorf("%d of 10 accepted, want 7: 4 MB", accepted)
		}
		s.pass(time.Minute)
		if _, n := s.counts(); n != accepted+1 {
			t.Errorf("%d transitions sent, want %d", n, accepted+1)
		}
		s.accept(libra.Transition{ID: "later", Alarm: s.alarm("later", large), At: time.Now(), Host: "box"})
	})
}

// Marks of what came by the socket are bounded: the oldest are dropped.
func TestMarksOfTheSocketAreBounded(t *testing.T) {
	tale(t, oneChannel, func(t *testing.T, s *story) {
		for n := range 300 {
			id := fmt.Sprintf("%d-%s", n, strings.Repeat("x", 2500))
			s.accept(libra.Transition{ID: id, Alarm: s.alarm(id), At: time.Now(), Host: "box"})
			if n%50 == 49 {
				s.pass(time.Minute)
			}
		}
		s.pass(time.Minute)
		if marks := s.n.Ahead("ops"); marks < 150 || marks > 200 {
			t.Errorf("%d marks of 2.5 kB, want at most 500 kB", marks)
		}
	})
}
