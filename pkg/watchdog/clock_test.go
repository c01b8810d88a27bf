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

// stored counts what is on the bus of an alarm.
func (r *room) storedOf(alarm string) (list []libra.Transition) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range r.stored {
		if t.Alarm.ID == alarm {
			list = append(list, t)
		}
	}
	return list
}

// inspected has an inspector be the heart, and time for a page 10 s.
func inspected(t *testing.T) *room {
	r := newRoom(t)
	r.cfg.PageTimeout = 10 * time.Second
	r.cfg.Expect = []watchdog.Target{{Component: "libra-inspector", Instance: "1"}}
	r.beat = event.Heartbeat{Component: "libra-inspector", Instance: "1", PID: 7}
	return r
}

// What was written down while the clock was a year ahead keeps no page from
// being judged once the clock is right.
func TestClockWasAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inspected(t)
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
			r.pass(2, true)
			r.report(w, status(500))
		}
		r.pass(2, true)
		if got := r.storedOf("page.down." + shop); len(got) != 1 {
			t.Errorf("down: %+v", got)
		}
		r.pass(60, true)
		if got := r.storedOf("page.missed." + shop); len(got) != 1 {
			t.Errorf("missed: %+v", got)
		}
	})
}

// A quarantine that began while the clock was ahead ends with the next answer.
func TestQuarantineWhileTheClockWasAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inspected(t)
		w := r.watch(0, "")
		r.report(w, func(a *event.Reported) {
			failed(crashed)(a)
			a.Quarantined, a.At = true, a.At.AddDate(1, 0, 0)
		})
		r.start()
		r.pass(3, true)
		r.report(w, nil)
		r.pass(3, true)
		if got := r.storedOf("quarantine." + shop); len(got) != 2 || got[1].Alarm.State != libra.Cleared {
			t.Errorf("%+v", got)
		}
	})
}

// sleepy is a loop whose machine sleeps for the durations that are sent to it.
type sleepy chan time.Duration

func (s sleepy) Allow(time.Duration) {
	select {
	case d := <-s:
		time.Sleep(d)
	default:
	}
}

// Time in which this machine slept is no silence of a page.
func TestMachineSlept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := inspected(t)
		asleep := make(sleepy, 1)
		r.loop = asleep
		r.start()
		r.report(r.watch(10, ""), nil)
		r.pass(3, true)
		asleep <- 10 * time.Minute
		r.pass(600, true)
		r.pass(38, true)
		if got := r.storedOf("page.missed." + shop); len(got) != 0 {
			t.Errorf("too early: %+v", got)
		}
		r.pass(10, true)
		if got := r.storedOf("page.missed." + shop); len(got) != 1 {
			t.Errorf("%+v", got)
		}
	})
}

// A request that was delivered twice, and answered twice, counts once.
func TestAnsweredTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		_, kill := r.start()
		w := r.watch(2, "")
		answer := func(id string, attempt int) {
			r.report(w, status(500))
			r.set(func() { a := &r.answers[len(r.answers)-1]; a.Request.ID, a.Attempt = id, attempt })
			r.pass(2, true)
		}
		answer("a", 1)
		answer("a", 2)
		answer("b", 1)
		kill()
		r.start()
		answer("b", 2)
		if got := r.storedOf("page.down." + shop); len(got) != 0 {
			t.Fatalf("two inspections are not three: %+v", got)
		}
		answer("c", 1)
		if got := r.storedOf("page.down." + shop); len(got) != 1 {
			t.Errorf("%+v", got)
		}
	})
}

// A disk that was full while a page recovered has kept that it is down: the
// bus knows better, and nobody is told twice that it is up.
func TestBusKnowsBetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		_, kill := r.start()
		w := r.watch(2, "")
		report := func(change func(*event.Reported)) {
			r.report(w, change)
			r.pass(2, true)
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
		if got := r.storedOf("page.down." + shop); len(got) != 2 {
			t.Errorf("%+v", got)
		}
	})
}
