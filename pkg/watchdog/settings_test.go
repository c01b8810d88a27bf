package watchdog_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/watchdog"
)

// Thresholds change while the rows they are for go on; what the surroundings
// see is raised, and overtakes no change.
func TestApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		r.cfg.Limits = watchdog.Limits{Raise: 100}
		r.start()
		r.pass(10, true)
		r.set(func() { r.web = errDown })
		r.pass(5, true)
		next := r.cfg
		next.Limits = watchdog.Limits{Raise: 8, Clear: 1}
		next.Folder = "/nowhere" // is not one of those that change
		r.running.Apply(next, nil)
		r.running.Name([]event.Trouble{{ID: "alarms-file", Target: "alarms.toml", Summary: "It is bad", Evidence: "alarms.toml:3: x", Severity: libra.Minor, Runbook: "#alarms-file"}})
		r.pass(5, true)
		r.wantStored("16 alarms-file raised minor", "16 web raised critical")
		if want := "alarms.toml:3: x"; r.evidence(0) != want {
			t.Errorf("evidence %q, want %q", r.evidence(0), want)
		}
		r.set(func() { r.web = nil })
		r.running.Name(nil)
		r.pass(5, true)
		r.wantStored("16 alarms-file raised minor", "16 web raised critical", "20 web cleared critical", "21 alarms-file cleared minor")
	})
}

// Many pages go down at once: each is told once, over a kill in the middle.
func TestManyPagesDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		_, kill := r.start()
		const many = 300
		for range 3 {
			for n := range many {
				url := fmt.Sprintf("https://shop.example/%d", n)
				w := event.Watch{Page: libra.PageID(url), URL: url, EveryS: 2, At: r.began}
				r.report(w, status(500))
				time.Sleep(time.Millisecond)
			}
			r.pass(1, true)
			kill()
			_, kill = r.start()
		}
		r.pass(5, true)
		r.mu.Lock()
		defer r.mu.Unlock()
		raised := map[string]int{}
		for _, s := range r.stored {
			raised[s.Alarm.ID]++
		}
		for id, n := range raised {
			if n != 1 {
				t.Errorf("%s was told %d times", id, n)
			}
		}
		if len(raised) != many {
			t.Errorf("%d of %d pages were told", len(raised), many)
		}
	})
}
