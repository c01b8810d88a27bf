package watchdog_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"libra/pkg/libra"
)

func TestOneRaiseOneClear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		r.advance(10, true)
		r.wantStored()
		r.set(func() { r.web = errDown })
		r.advance(20, true)
		r.wantStored("11 web raised critical")
		r.set(func() { r.web = nil })
		r.advance(20, true)
		r.wantStored("11 web raised critical", "33 web cleared critical")
		up := r.stored[1].Alarm
		if up.Until.Sub(up.Since) != 22*time.Second || up.Summary != "Libra's pages and API can be used again" || up.Evidence != "3 probes in a row passed" {
			t.Errorf("cleared: %+v", up)
		}
		if r.stored[0].ID == r.stored[1].ID {
			t.Error("two transitions share an id")
		}
	})
}

// A target that is down from the start is raised once the grace is over; one that
// is up in time is not.
func TestDownFromBoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.web = errDown
		r.check = func(context.Context) error { return errDown }
		r.start()
		r.advance(3, false)
		r.set(func() { r.check = func(context.Context) error { return nil } })
		r.advance(10, false)
		r.wantStored("5 beat.recorder raised major", "5 web raised critical")
	})
}

// Everything is down from the start, the bus too: alarms are sent directly.
func TestBusDownFromBoot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.bus, r.web = errDown, errDown
		r.start()
		r.advance(10, false)
		r.want("past the bus", r.sentDirect, []string{"5 bus raised critical", "6 web raised critical"})
		r.set(func() { r.bus, r.web = nil, nil })
		r.advance(10, true)
		r.wantStored("5 bus raised critical", "6 web raised critical", "13 bus cleared critical", "13 web cleared critical")
	})
}

// While the bus is away, missing heartbeats are no failure; after that, silence
// counts from the start.
func TestSilence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		r.advance(10, true)
		r.set(func() { r.bus = errDown })
		r.advance(20, false)
		r.set(func() { r.bus = nil })
		r.advance(3, false)
		r.advance(10, true)
		r.wantStored("11 bus raised critical", "33 bus cleared critical")
		r.advance(10, false)
		r.wantStored("11 bus raised critical", "33 bus cleared critical", "45 beat.recorder raised major")
		if want := `no heartbeat for 2.5 s, limit 2 s; the last was of process 7: "recording"`; r.stored[2].Alarm.Evidence != want {
			t.Errorf("evidence %q, want %q", r.stored[2].Alarm.Evidence, want)
		}
	})
}

// A probe that hangs and ignores its context fails, is not begun again, and delays
// no other.
func TestHangingProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		begun, release := 0, make(chan struct{})
		defer close(release)
		r.start()
		r.advance(9, true)
		r.set(func() { r.check = func(context.Context) error { begun++; <-release; return nil } })
		r.advance(5, true)
		r.set(func() { r.web = errDown })
		r.advance(5, true)
		r.wantStored("11 sqlite raised major", "15 web raised critical")
		if begun != 1 {
			t.Errorf("begun %d times", begun)
		}
		release <- struct{}{}
		r.set(func() { r.web, r.check = nil, func(context.Context) error { return nil } })
		r.advance(10, true)
		if got := r.stored[len(r.stored)-1].Alarm; len(r.stored) != 4 || got.State != libra.Cleared {
			t.Errorf("%d transitions, the last %+v", len(r.stored), got)
		}
	})
}

// Killed every two seconds while a target fails: raised on time, once.
func TestKilledRepeatedly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.Component.Raise = 3
		_, kill := r.start()
		r.advance(10, true)
		r.set(func() { r.web = errDown })
		for range 8 {
			r.advance(2, false)
			kill()
			_, kill = r.start()
		}
		// Whether a heartbeat is missed just before the kill or just after the
		// start decides over a second.
		silent := "13 beat.recorder raised major"
		r.set(func() {
			if len(r.stored) == 2 && r.stored[1].At.Sub(r.began) >= 14*time.Second {
				silent = "14 beat.recorder raised major"
			}
		})
		r.wantStored("12 web raised critical", silent)
		r.set(func() { r.web = nil })
		r.advance(2, true)
		kill()
		r.start()
		r.advance(9, true)
		r.wantStored("12 web raised critical", silent, "32 web cleared critical", "33 beat.recorder cleared major")
	})
}

// After an orderly stop the counters are gone, and what is raised is known, from
// the watchdog's own file or from the bus.
func TestRestartKeepsRaisedAlarms(t *testing.T) {
	for _, lost := range []string{"nothing", "state", "both"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			stop, _ := r.start()
			r.advance(10, true)
			r.set(func() { r.web = errDown })
			r.advance(3, true)
			stop()
			if _, err := os.Stat(filepath.Join(r.cfg.Runtime, "counters.json")); !os.IsNotExist(err) {
				t.Errorf("after an orderly stop: %v", err)
			}
			if lost != "nothing" {
				r.cfg.State = t.TempDir()
			}
			if lost == "both" { // and it has mended itself meanwhile
				r.web = nil
			}
			stop, _ = r.start()
			r.advance(20, true)
			r.set(func() { r.web = nil })
			r.advance(10, true)
			stop()
			if len(r.stored) != 2 || r.stored[0].Alarm.State != libra.Raised || r.stored[1].Alarm.State != libra.Cleared ||
				!r.stored[1].Alarm.Since.Equal(r.stored[0].Alarm.Since) {
				t.Errorf("lost %s: %+v\n%s", lost, r.stored, r.log.String())
			}
		})
	}
}

// What the watchdog could not publish before it was killed is published after,
// under the same id, and not sent to the notifier twice.
func TestPendingSurvivesKill(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, kill := r.start()
		r.advance(10, true)
		r.set(func() { r.bus = errDown })
		r.advance(3, true)
		kill()
		r.start()
		r.advance(3, true)
		r.want("past the bus", r.sentDirect, []string{"11 bus raised critical"})
		r.set(func() { r.bus = nil })
		r.advance(5, true)
		r.wantStored("11 bus raised critical", "19 bus cleared critical")
		if r.sentDirect[0].ID != r.stored[0].ID {
			t.Error("the notifier cannot see that both are the same")
		}
	})
}

// A component that is no longer expected has no alarm.
func TestNoLongerExpected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.stored = []libra.Transition{
			{ID: "1", Alarm: libra.Alarm{ID: "beat.inspector.9", State: libra.Raised, Severity: libra.Major, Since: time.Now()}, At: time.Now()},
			{ID: "2", Alarm: libra.Alarm{ID: "page.x", State: libra.Raised, Severity: libra.Major, Since: time.Now()}, At: time.Now()},
		}
		r.start()
		r.advance(10, true)
		if len(r.stored) != 3 || r.stored[2].Alarm.ID != "beat.inspector.9" || r.stored[2].Alarm.State != libra.Cleared {
			t.Errorf("%+v", r.stored)
		}
	})
}
