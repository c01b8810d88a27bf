package watchdog_test

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/watchdog"
	"libra/pkg/watchdog/units"
)

// fakeSystemd is a systemd whose units the test sets.
type fakeSystemd struct {
	mu       sync.Mutex
	units    map[string]units.Unit // under mu
	stopping bool                  // under mu; all of it
	changes  chan units.Change
}

func (h *fakeSystemd) Units(context.Context, []string) (map[string]units.Unit, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.units == nil {
		return nil, errors.New("no answer")
	}
	return maps.Clone(h.units), nil
}

func (h *fakeSystemd) Stopping(_ context.Context, name string) (bool, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.units == nil {
		return false, errors.New("no answer")
	}
	return h.stopping || h.units[name].Stopping(), nil
}

func (h *fakeSystemd) Subscribe(ctx context.Context, changed func(units.Change)) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case c := <-h.changes:
			changed(c)
		}
	}
}

// systemd is nil where the test has none.
func (r *rig) systemd() watchdog.Systemd {
	if r.units == nil {
		return nil
	}
	return r.units
}

const recorderUnit = "libra-recorder.service"

var running = units.Unit{Load: "loaded", Active: "active", Sub: "running"}

// setUnit sets the state of the recorder's unit, and signals the change.
func (r *rig) setUnit(u units.Unit) {
	r.units.mu.Lock()
	r.units.units = map[string]units.Unit{recorderUnit: u, "libra-watchdog.service": running}
	r.units.mu.Unlock()
	r.units.changes <- units.Change{Unit: recorderUnit, Result: u.Result}
}

func newRigWithUnits(t *testing.T) *rig {
	r := newRig(t)
	r.units = &fakeSystemd{units: map[string]units.Unit{recorderUnit: running}, changes: make(chan units.Change, 10)}
	return r
}

// A unit that is stopped or has failed raises at once, with systemd's result; one
// that is starting does not.
func TestUnitDown(t *testing.T) {
	for _, c := range []struct {
		unit units.Unit
		want string
	}{
		{units.Unit{Load: "loaded", Active: "inactive", Sub: "dead", Result: "success"}, "libra-recorder.service is inactive: it was stopped, and has not failed"},
		{units.Unit{Load: "loaded", Active: "failed", Sub: "failed", Result: "start-limit-hit", Restarts: 20}, "libra-recorder.service has failed (start-limit-hit); systemd has given it up after 20 restarts, too many in too short a time (start-limit-hit)"},
		{units.Unit{Load: "loaded", Active: "failed", Sub: "failed", Result: "signal", Restarts: 20}, "libra-recorder.service has failed (signal); systemd has given it up after 20 restarts, too many in too short a time (start-limit-hit)"},
		{units.Unit{Load: "loaded", Active: "failed", Sub: "failed", Result: "exit-code", ExitStatus: 1, Restarts: 20, Status: "cannot continue: port 1 is in use"}, "libra-recorder.service has failed (exit-code); systemd has given it up after 20 restarts, too many in too short a time (start-limit-hit); cannot continue: port 1 is in use"},
		{units.Unit{Load: "loaded", Active: "failed", Sub: "failed", Result: "exit-code", ExitStatus: 2}, "libra-recorder.service has failed: exit code 2; its configuration is wrong"},
		{units.Unit{Load: "loaded", Active: "failed", Sub: "failed", Result: "exit-code", ExitStatus: 1, Status: "cannot continue: port 1 is in use"}, "libra-recorder.service has failed: exit-code; cannot continue: port 1 is in use"},
		{units.Unit{Load: "loaded", Active: "inactive", Sub: "dead", TriggerFailed: "libra-recorder.socket"}, "libra-recorder.service does not run: libra-recorder.socket has failed; if its port is in use, ss -ltnp shows by which process"},
		{units.Unit{Load: "loaded", Active: "failed", Sub: "failed", Result: "oom-kill"}, "libra-recorder.service has failed: oom-kill"},
		{units.Unit{Load: "loaded", Active: "activating", Sub: "auto-restart", Result: "signal"}, ""},
		{units.Unit{Load: "loaded", Active: "inactive", Sub: "dead", Job: "start"}, ""},
		{units.Unit{Load: "loaded", Active: "inactive", Sub: "dead", Triggered: true}, ""},
		{units.Unit{Load: "not-found", Active: "inactive", Sub: "dead"}, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := newRigWithUnits(t)
			r.start()
			r.advance(10, true)
			r.setUnit(c.unit)
			time.Sleep(100 * time.Millisecond)
			synctest.Wait()
			r.mu.Lock()
			stored := r.stored
			r.mu.Unlock()
			switch {
			case c.want == "" && len(stored) > 0:
				t.Errorf("%+v raises %+v", c.unit, stored)
			case c.want != "" && len(stored) != 1:
				t.Errorf("%+v: %+v", c.unit, stored)
			case c.want != "":
				what := "has failed"
				if c.unit.Active == "inactive" && c.unit.TriggerFailed == "" {
					what = "was stopped"
				}
				if a := stored[0].Alarm; a.Summary != "libra-recorder "+what || a.Evidence != c.want || a.ID != "beat.recorder" || a.Cause != "" {
					t.Errorf("%+v", a)
				}
			}
		})
	}
}

// Without an answer of systemd, heartbeats are enough.
func TestUnitsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRigWithUnits(t)
		r.start()
		r.advance(10, true)
		r.units.mu.Lock()
		r.units.units = nil
		r.units.mu.Unlock()
		r.advance(10, true)
		r.wantStored()
		r.advance(5, false)
		if len(r.stored) != 1 || !strings.HasPrefix(r.stored[0].Alarm.Evidence, "no heartbeat for ") || r.stored[0].Alarm.Cause != "bus" {
			t.Errorf("%+v", r.stored)
		}
	})
}

// While this watchdog is being stopped, alone, with Libra or with the machine,
// nothing is raised, also once systemd itself has stopped. If the stop is
// cancelled, it is.
func TestStopping(t *testing.T) {
	stopped := map[string]units.Unit{recorderUnit: {Load: "loaded", Active: "inactive", Sub: "dead"}, "libra-watchdog.service": running}
	leaving := running
	leaving.Job = "stop"
	for name, stop := range map[string]func(*fakeSystemd){
		"Libra": func(h *fakeSystemd) {
			h.units = map[string]units.Unit{recorderUnit: running, "libra-watchdog.service": leaving}
		},
		"machine": func(h *fakeSystemd) { h.stopping = true },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRigWithUnits(t)
				r.start()
				r.advance(10, true)
				r.units.mu.Lock()
				stop(r.units)
				r.units.mu.Unlock()
				r.set(func() { r.web = errDown })
				r.advance(2, true)
				r.units.mu.Lock()
				r.units.units = nil // D-Bus has gone
				r.units.mu.Unlock()
				r.set(func() { r.bus = errDown })
				r.advance(10, false)
				r.wantStored()
				if len(r.sentDirect) != 0 {
					t.Errorf("past the bus: %+v", r.sentDirect)
				}
				r.units.mu.Lock()
				r.units.units, r.units.stopping = stopped, false
				r.units.mu.Unlock()
				r.set(func() { r.bus = nil })
				r.advance(3, false)
				r.mu.Lock()
				defer r.mu.Unlock()
				if len(r.stored) != 2 {
					t.Errorf("on the bus: %+v", r.stored)
				}
			})
		})
	}
}

// A restart by systemd is a note in the alarm's timeline, once, over a kill, and
// after the bus was away.
func TestRestartIsNoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRigWithUnits(t)
		_, kill := r.start()
		r.advance(10, true)
		r.setUnit(units.Unit{Load: "loaded", Active: "active", Sub: "running", Restarts: 1}) // of no alarm
		r.advance(1, true)
		r.advance(4, false)
		r.setUnit(units.Unit{Load: "loaded", Active: "activating", Sub: "auto-restart", Result: "watchdog", Restarts: 1})
		r.advance(1, false)
		r.set(func() { r.bus = errDown })
		r.setUnit(units.Unit{Load: "loaded", Active: "active", Sub: "running", Restarts: 2})
		r.advance(3, true)
		kill()
		r.start()
		r.set(func() { r.bus = nil })
		r.advance(10, true)
		r.mu.Lock()
		defer r.mu.Unlock()
		var got []string
		for _, n := range r.notes {
			got = append(got, string(n.Kind)+" "+n.Alarm+" "+n.By+": "+n.Text)
		}
		if diff := cmp.Diff([]string{"action beat.recorder libra-watchdog: systemd restarted libra-recorder: it hung, and was ended"}, got); diff != "" {
			t.Errorf("notes (-want +got):\n%s\n%s", diff, r.log.String())
		}
	})
}

// A component that ends before its first heartbeat counts as restarting, too.
func TestRestartsBySystemd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRigWithUnits(t)
		_, kill := r.start()
		r.advance(10, true)
		for n := range 5 {
			r.setUnit(units.Unit{Load: "loaded", Active: "active", Sub: "running", Restarts: n + 1})
			r.advance(1, true)
			if n == 2 {
				kill()
				r.start()
			}
		}
		r.wantStored("15 restarts.recorder raised minor")
		if want := "systemd restarted it 5 times within 10 min, limit 5"; r.evidence(0) != want {
			t.Errorf("evidence %q, want %q", r.evidence(0), want)
		}
		if cause := r.stored[0].Alarm.Cause; cause != "beat.recorder" {
			t.Errorf("explained by %q: it is not healthy after each restart while that is raised", cause)
		}
	})
}

// A component that never starts says why in the alarm that it restarts repeatedly.
func TestRestartsSayWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRigWithUnits(t)
		r.start()
		r.advance(10, true)
		for n := range 5 {
			r.setUnit(units.Unit{Load: "loaded", Active: "activating", Sub: "auto-restart", Result: "exit-code", Restarts: n + 1, Status: "cannot continue: port 1 is in use"})
			r.advance(1, true)
		}
		if want := "systemd restarted it 5 times within 10 min, limit 5; cannot continue: port 1 is in use"; r.evidence(0) != want {
			t.Errorf("evidence %q, want %q", r.evidence(0), want)
		}
	})
}

// A component that never starts says why in the alarm that it does not respond, too.
func TestNoHeartbeatSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRigWithUnits(t)
		r.start()
		r.advance(10, true)
		r.setUnit(units.Unit{Load: "loaded", Active: "activating", Sub: "auto-restart", Result: "exit-code", Restarts: 1, Status: "cannot continue: port 1 is in use"})
		r.advance(8, false)
		r.send("libra-bus", nil)
		r.advance(2, false)
		a := r.stored[0].Alarm
		if a.ID != "beat.recorder" || !strings.HasPrefix(a.Evidence, "no heartbeat for ") || !strings.HasSuffix(a.Evidence, "; libra-recorder.service cannot continue: port 1 is in use") {
			t.Errorf("%+v", a)
		}
	})
}

// Where something else answers in place of libra-web, the alarm says that too.
func TestWebWasStoppedAndAnotherAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRigWithUnits(t)
		r.start()
		r.advance(10, true)
		r.set(func() { r.webStatus = http.StatusNotFound })
		r.units.mu.Lock()
		r.units.units = map[string]units.Unit{recorderUnit: running, "libra-web.service": {Load: "loaded", Active: "failed", Sub: "failed", Result: "exit-code", ExitStatus: 1, Status: "cannot continue: port 1 is in use"}}
		r.units.mu.Unlock()
		r.units.changes <- units.Change{Unit: recorderUnit}
		r.advance(5, true)
		a := r.stored[0].Alarm
		if a.ID != "web" || a.Summary != "Libra's pages and API cannot be used: libra-web does not serve them" ||
			!strings.HasSuffix(a.Evidence, " answered Not Found, 200 wanted; libra-web.service has failed: exit-code; cannot continue: port 1 is in use") {
			t.Errorf("%+v", a)
		}
	})
}

// A trouble that a component names is an alarm while the component names it;
// missing heartbeats change nothing, and no component names another's alarms.
func TestTroubles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, kill := r.start()
		r.advance(10, true)
		trouble := event.Trouble{ID: "channel.ops", Target: "channel ops", Summary: "Alarms do not reach people by ops", Evidence: "Slack answered 404", Severity: libra.Major, Runbook: "#channel"}
		r.set(func() {
			r.heartbeat.Troubles = []event.Trouble{trouble, {ID: "bus", Evidence: "?"}, {ID: "page.down.x", Evidence: "?"}, {ID: "a b", Evidence: "?"}}
		})
		r.advance(5, true)
		kill()
		stop, _ := r.start()
		r.advance(5, true)
		want := []string{"11 channel.ops raised major"}
		r.wantStored(want...)
		a := r.stored[0].Alarm
		if a.Target != trouble.Target || a.Summary != trouble.Summary || a.Runbook != trouble.Runbook || a.Evidence != "Slack answered 404" {
			t.Errorf("%+v", a)
		}
		stop()
		r.start()
		r.set(func() { r.bus = errDown }) // silence
		r.advance(20, true)
		for _, s := range r.stored {
			if s.Alarm.ID == "channel.ops" && s.Alarm.State == libra.Cleared {
				t.Errorf("cleared by silence: %+v", s)
			}
		}
		r.set(func() { r.bus, r.heartbeat.Troubles = nil, nil })
		r.advance(10, true)
		last := r.stored[len(r.stored)-1].Alarm
		if last.ID != "channel.ops" || last.State != libra.Cleared || last.Summary != "channel ops is healthy again" {
			t.Errorf("%+v", last)
		}
	})
}
