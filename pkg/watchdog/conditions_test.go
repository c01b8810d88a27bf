package watchdog_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"libra/pkg/bus"
	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/rules"
	"libra/pkg/watchdog"
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
		r.set(func() { r.queue = bus.Queue{Open: 12, Oldest: time.Now()} })
		r.advance(1000, true)
		r.set(func() { r.queue = bus.Queue{} })
		r.advance(10, true)
		r.wantStored("301 queue raised minor", "901 queue raised major", "1003 queue cleared major")
		if want := "12 requests waiting, the oldest for 5 min 1 s, limit 5 min"; r.evidence(0) != want {
			t.Errorf("evidence %q, want %q", r.evidence(0), want)
		}
	})
}

// However few requests are open: watches that are due and wait because their client has
// as many as it may are an alarm, with the cause and what to do.
func TestQueueOfDueWatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.Expect = []watchdog.Target{{Component: component.Bus}}
		waiting := func(n, since int64) {
			r.set(func() {
				r.heartbeat = event.Heartbeat{Component: component.Bus, Instance: "1", PID: 7, Counters: map[string]int64{event.WaitingCounter: n, event.WaitingSinceCounter: since}}
			})
		}
		waiting(0, 0)
		r.start()
		r.advance(10, true)
		waiting(4872, time.Now().Unix())
		r.set(func() { r.queue = bus.Queue{Open: 128, Oldest: time.Now().Add(time.Hour)} }) // each is inspected in time
		r.advance(400, true)
		r.set(func() { r.queue = bus.Queue{} })
		r.advance(600, true)
		waiting(0, 0)
		r.advance(10, true)
		r.wantStored("310 queue raised minor", "910 queue raised major", "1013 queue cleared major")
		const want = "4872 watches due and waiting, the longest for 5 min, limit 5 min: their client has as many open requests as it may. " +
			"Set longer intervals, end some, or add inspectors"
		if r.evidence(0) != want || r.stored[0].Alarm.Summary != "Watches of one client come due faster than they are inspected" {
			t.Errorf("%q, evidence %q, want %q", r.stored[0].Alarm.Summary, r.evidence(0), want)
		}
	})
}

// The space for requests is an alarm before it is full: while it fills up, and by how much
// of it is in use. Requests that came at once are no trend.
func TestQueueFills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.Queue = rules.Waits{}
		r.start()
		var bytes int64
		advance := func(seconds int, perSecond int64) {
			for range seconds {
				bytes += perSecond
				r.set(func() { r.queue = bus.Queue{Open: 1200, Oldest: time.Now(), Bytes: bytes, Most: 100e6} })
				r.advance(1, true)
			}
		}
		advance(10, 0)
		advance(1, 20e6)
		advance(400, 0)
		r.wantStored()
		advance(170, 100e3) // 80 MB are left, for 800 s
		r.wantStored("540 queue raised minor")
		if want := "1200 requests waiting, 32.9 % of the space for them used; full in 14 min 55 s at this rate, limit 15 min"; r.evidence(0) != want {
			t.Errorf("evidence %q, want %q", r.evidence(0), want)
		}
		advance(60, 0)
		advance(1, 30e6)
		advance(10, 0)
		advance(1, 13e6)
		advance(10, 0)
		advance(1, 15e6)
		advance(10, 0)
		bytes = 0
		advance(10, 0)
		r.wantStored("540 queue raised minor", "602 queue cleared minor", "642 queue raised minor", "653 queue raised major", "664 queue raised critical", "677 queue cleared critical")
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
