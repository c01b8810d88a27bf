package watchdog_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/watchdog"
)

// storedFor lists the transitions of an alarm on the bus.
func (r *rig) storedFor(alarm string) (list []libra.Transition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.stored {
		if t.Alarm.ID == alarm {
			list = append(list, t)
		}
	}
	return list
}

// newRigWithInspector has an inspector send the heartbeats; a page may take 10 s.
func newRigWithInspector(t *testing.T) *rig {
	r := newRig(t)
	r.cfg.PageTimeout = 10 * time.Second
	r.cfg.Expect = []watchdog.Target{{Component: "libra-inspector", Instance: "1"}}
	r.heartbeat = event.Heartbeat{Component: "libra-inspector", Instance: "1", PID: 7}
	return r
}

// Times saved while the clock was a year ahead keep no page from being judged once
// the clock is right.
func TestClockWasAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRigWithInspector(t)
		ahead := time.Now().AddDate(1, 0, 0)
		book, err := json.Marshal(map[string]any{"at": ahead, "from": ahead, "quiet": ahead, "seen": map[string]int64{shop: ahead.UnixNano()}})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(r.cfg.State, "pages.json"), book, 0o600); err != nil {
			t.Fatal(err)
		}
		r.start()
		w := r.watch(10, "")
		for range 3 {
			r.advance(2, true)
			r.report(w, status(500))
		}
		r.advance(2, true)
		if got := r.storedFor("page.down." + shop); len(got) != 1 {
			t.Errorf("down: %+v", got)
		}
		r.advance(60, true)
		if got := r.storedFor("page.missed." + shop); len(got) != 1 {
			t.Errorf("missed: %+v", got)
		}
	})
}

// A quarantine that began while the clock was ahead ends with the next report.
func TestQuarantineWhileTheClockWasAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRigWithInspector(t)
		w := r.watch(0, "")
		r.report(w, func(a *event.Reported) {
			failed(crashed)(a)
			a.Quarantined, a.At = true, a.At.AddDate(1, 0, 0)
		})
		r.start()
		r.advance(3, true)
		r.report(w, nil)
		r.advance(3, true)
		if got := r.storedFor("quarantine." + shop); len(got) != 2 || got[1].Alarm.State != libra.Cleared {
			t.Errorf("%+v", got)
		}
	})
}

// suspendingLoop is a loop whose machine is suspended for the durations that are sent to it.
type suspendingLoop chan time.Duration

func (s suspendingLoop) Allow(time.Duration) {
	select {
	case d := <-s:
		time.Sleep(d)
	default:
	}
}

// Time in which this machine was suspended does not count as missed inspections.
func TestSuspendedMachine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRigWithInspector(t)
		asleep := make(suspendingLoop, 1)
		r.loop = asleep
		r.start()
		r.report(r.watch(10, ""), nil)
		r.advance(3, true)
		asleep <- 10 * time.Minute
		r.advance(600, true)
		r.advance(38, true)
		if got := r.storedFor("page.missed." + shop); len(got) != 0 {
			t.Errorf("too early: %+v", got)
		}
		r.advance(10, true)
		if got := r.storedFor("page.missed." + shop); len(got) != 1 {
			t.Errorf("%+v", got)
		}
	})
}

// A request that was delivered twice, and answered twice, counts once.
func TestAnsweredTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, kill := r.start()
		w := r.watch(2, "")
		answer := func(id string, attempt int) {
			r.report(w, status(500))
			r.set(func() { a := &r.reports[len(r.reports)-1]; a.Request.ID, a.Attempt = id, attempt })
			r.advance(2, true)
		}
		answer("a", 1)
		answer("a", 2)
		answer("b", 1)
		kill()
		r.start()
		answer("b", 2)
		if got := r.storedFor("page.down." + shop); len(got) != 0 {
			t.Fatalf("two inspections are not three: %+v", got)
		}
		answer("c", 1)
		if got := r.storedFor("page.down." + shop); len(got) != 1 {
			t.Errorf("%+v", got)
		}
	})
}

// State saved on a disk that was full is older than the bus: the newer transition
// on the bus holds, and the recovery is not published twice.
func TestNewerTransitionOnBusHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, kill := r.start()
		w := r.watch(2, "")
		report := func(change func(*event.Reported)) {
			r.report(w, change)
			r.advance(2, true)
		}
		for range 3 {
			report(status(500))
		}
		file := filepath.Join(r.cfg.State, "alarms.json")
		old, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(old), "page.down."+shop) {
			t.Fatalf("%s, %v", old, err)
		}
		for range 4 {
			report(nil)
		}
		kill()
		if err := os.WriteFile(file, old, 0o600); err != nil {
			t.Fatal(err)
		}
		r.start()
		for range 4 {
			report(nil)
		}
		if got := r.storedFor("page.down." + shop); len(got) != 2 {
			t.Errorf("%+v", got)
		}
	})
}
