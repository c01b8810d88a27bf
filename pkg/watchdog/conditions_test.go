package watchdog_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"libra/pkg/rules"
)

// The disk's alarm has the severity of the threshold that is passed, and its
// evidence is what was measured.
func TestDisk(t *testing.T) {
	for _, c := range []struct {
		limits rules.Percent
		want   []string
	}{
		{rules.Percent{Minor: 1e-9, Major: 101, Critical: 101}, []string{"0 disk raised minor"}},
		{rules.Percent{Minor: 1e-9, Major: 1e-9, Critical: 101}, []string{"0 disk raised major"}},
		{rules.Percent{Minor: 1e-9, Major: 1e-9, Critical: 1e-9}, []string{"0 disk raised critical"}},
		{rules.Percent{Minor: 101}, nil},
		{rules.Percent{}, nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			r.cfg.Disk, r.cfg.Grace = c.limits, time.Nanosecond
			r.cfg.Folder = "/"
			r.began = time.Now()
			r.start()
			r.advance(3, true)
			r.mu.Lock()
			defer r.mu.Unlock()
			for i := range r.stored { // held back until the bus had been read
				r.stored[i].At = r.began
			}
			r.want("on the bus", r.stored, c.want)
			if len(r.stored) > 0 && !strings.Contains(r.stored[0].Alarm.Evidence, "% used, limit 1e-09 %, ") {
				t.Errorf("evidence %q", r.evidence(0))
			}
		})
	}
}

// A component that restarts repeatedly is an alarm, once, also over a kill.
func TestRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, kill := r.start()
		for n := range 8 {
			r.set(func() { r.heartbeat.Started = time.Now() })
			r.advance(10, true)
			if n == 2 {
				kill()
				r.start()
			}
		}
		r.wantStored("41 restarts.recorder raised minor")
		if want := "started 5 times within 10 min, limit 5; now process 7"; r.evidence(0) != want {
			t.Errorf("evidence %q, want %q", r.evidence(0), want)
		}
		r.advance(700, true)
		r.wantStored("41 restarts.recorder raised minor", "633 restarts.recorder cleared minor")
	})
}

func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		r.set(func() { r.open, r.oldest = 12, time.Now() })
		r.advance(1000, true)
		r.set(func() { r.open = 0 })
		r.advance(10, true)
		r.wantStored("301 queue raised minor", "901 queue raised major", "1003 queue cleared major")
		if want := "12 requests waiting, the oldest for 5 min 1 s, limit 5 min"; r.evidence(0) != want {
			t.Errorf("evidence %q, want %q", r.evidence(0), want)
		}
	})
}

// A bus that has lost its store gets what is raised again, under the same ids.
func TestRaisedAlarmsAreRestoredToBus(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		r.advance(10, true)
		r.set(func() { r.web = errDown })
		r.advance(5, true)
		r.set(func() { r.bus = errDown })
		r.advance(5, true)
		r.set(func() { r.bus = nil; r.wipe() })
		r.advance(10, true)
		r.wantStored("11 web raised critical", "16 bus raised critical", "23 bus cleared critical")
		if r.sentDirect[0].Alarm.ID != "bus" || len(r.sentDirect) != 1 {
			t.Errorf("past the bus: %+v", r.sentDirect)
		}
	})
}

// A bus that has lost the stream of alarms while it runs gets what is raised again, and
// nothing that has cleared.
func TestRaisedAlarmsAreRestoredToLostStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		r.advance(10, true)
		r.set(func() { r.web = errDown })
		r.advance(5, true)
		for range 2 {
			r.set(r.wipe)
			r.advance(2, true)
			r.wantStored("11 web raised critical")
		}
		r.set(func() { r.web = nil })
		r.advance(10, true)
		r.set(r.wipe)
		r.advance(2, true)
		r.wantStored()
		if len(r.sentDirect) != 0 {
			t.Errorf("past the bus: %+v", r.sentDirect)
		}
	})
}
