package watchdog_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/bus"
	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/rules"
	"libra/pkg/watchdog"
	"libra/pkg/watchdog/units"
)

// alarmsFile gives the rig an alarms.toml with no limit for the disk of the
// machine that tests. write replaces what is in it after that.
func (r *rig) alarmsFile() (write func(text string)) {
	r.cfg.AlarmsFile = filepath.Join(r.t.TempDir(), "alarms.toml")
	return func(text string) {
		r.t.Helper()
		text = "[thresholds.disk]\nminor = 0\nmajor = 0\ncritical = 0\n" + text
		if err := os.WriteFile(r.cfg.AlarmsFile, []byte(text), 0o600); err != nil {
			r.t.Fatal(err)
		}
	}
}

// Thresholds change while the streaks that they are for go on; a bad edit is
// raised, and changes nothing.
func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		write := r.alarmsFile()
		write("[thresholds.component]\nraise = 100\n")
		r.start()
		r.advance(10, true)
		r.set(func() { r.web = errDown })
		r.advance(5, true)
		good := "[thresholds.component]\nraise = 8\nclear = 1\n"
		write(good)
		if err := r.running.Reload(); err != nil {
			t.Error(err)
		}
		write(good + "[thresholds.page]\nraise = 0\n")
		if err := r.running.Reload(); err == nil || !strings.Contains(err.Error(), "alarms.toml:9: ") {
			t.Errorf("a bad edit is applied: %v", err)
		}
		r.advance(5, true)
		r.wantStored("16 alarms-file raised minor", "16 web raised critical")
		if got := r.evidence(0); !strings.Contains(got, "alarms.toml:9: ") {
			t.Errorf("evidence %q", got)
		}
		r.set(func() { r.web = nil })
		write(good)
		if err := r.running.Reload(); err != nil {
			t.Error(err)
		}
		r.advance(5, true)
		r.wantStored("16 alarms-file raised minor", "16 web raised critical", "20 web cleared critical", "21 alarms-file cleared minor")
	})
}

// Another bad edit is published as soon as it is seen: the alarm names the lines
// that are wrong now, and each edit once.
func TestAnotherBadEdit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		write := r.alarmsFile()
		write("")
		r.start()
		r.advance(6, true)
		write("[thresholds.page]\nraise = 0\n")
		r.advance(5, true)
		write("[remind]\n\n\nmajor = \"x\"\n")
		r.advance(10, true)
		r.wantStored("9 alarms-file raised minor", "13 alarms-file raised minor")
		if got := r.evidence(0); !strings.Contains(got, "alarms.toml:6: raise") {
			t.Errorf("evidence %q", got)
		}
		if got := r.evidence(1); !strings.Contains(got, "alarms.toml:8: major") || strings.Contains(got, "raise") {
			t.Errorf("evidence of the second edit %q", got)
		}
	})
}

// The notifier and the watchdog name the same fault, each when it has seen it, and
// of one the other has not seen the fault before: it is one alarm, published once.
func TestOneFaultOfTwoComponents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		write := r.alarmsFile()
		write("")
		r.start()
		r.advance(6, true)
		notifier := rules.Keeper{File: r.cfg.AlarmsFile}
		if _, fault := notifier.Load(); fault != nil {
			t.Fatal(fault)
		}
		var fault error
		follow := func(rounds int) {
			t.Helper()
			for range rounds {
				fault = notifier.Look()
				var named []event.Trouble
				if fault != nil {
					named = []event.Trouble{{
						ID: event.AlarmsFileAlarm, Target: "alarms.toml", Severity: libra.Minor, Runbook: "#alarms-file",
						Summary: rules.Summary(fault), Evidence: strings.ReplaceAll(fault.Error(), "\n", "; "),
					}}
				}
				r.send("libra-notifier", named)
				r.advance(1, true)
			}
		}
		write("[thresholds.page]\nraise = 0\n") // the notifier alone sees this one
		if notifier.Look() == nil {
			t.Fatal("a bad edit is good")
		}
		write("[thresholds.page]\nraise = 7\n")
		follow(400)
		if !errors.Is(fault, rules.ErrNotInForce) {
			t.Fatal(fault)
		}
		r.wantStored("7 alarms-file raised minor")
	})
}

// A bad edit is named with its line, and what was good before stays in force,
// for the next process too.
func TestBadEdit(t *testing.T) {
	file, state := filepath.Join(t.TempDir(), "alarms.toml"), t.TempDir()
	start := func() rules.Thresholds {
		return watchdog.New(watchdog.Config{AlarmsFile: file, State: state}, watchdog.Deps{Log: slog.New(slog.DiscardHandler)}).Thresholds()
	}
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(rules.Defaults().Thresholds, start()); diff != "" || len(watchdog.CheckAlarms(file)) != 0 {
		t.Errorf("without a file: %s", diff)
	}
	write("[thresholds.disk]\nminor = 70\n")
	if got := start().Disk; got != (rules.Percent{Minor: 70, Major: 90, Critical: 95}) {
		t.Errorf("%+v", got)
	}
	write("[thresholds.disk]\nminor = 60\nmagor = 61\n[thresholds.page]\nraise = 0\n")
	if got := start().Disk; got.Minor != 70 || len(watchdog.CheckAlarms(file)) != 2 {
		t.Errorf("%+v, %v", got, watchdog.CheckAlarms(file))
	}
}

// Limits that are 0 or "off" raise nothing, also where all of them are.
func TestOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.Folder = "/"
		r.alarmsFile()("[thresholds]\nqueue_full_in = \"off\"\n[thresholds.queue_full]\nminor = 0\nmajor = 0\ncritical = 0\n[thresholds.queue]\nminor = \"off\"\nmajor = \"off\"\n[thresholds.certificate_days]\nminor = 0\nmajor = 0\ncritical = 0\n")
		r.start()
		r.set(func() { r.queue = bus.Queue{Open: 1000, Oldest: time.Now().Add(-100 * time.Hour), Bytes: 9, Most: 9} })
		r.report(r.watch(2, ""), func(a *event.Reported) { a.Report.CertificateUntil = time.Now() })
		r.advance(10, true)
		r.wantStored()
	})
}

// Settings for which the watchdog uses the defaults are an alarm.
func TestSettingsFaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.SettingsFaults = []error{errors.New("LIBRA_PAGE_TIMEOUT is 1"), errors.New("LIBRA_SERVER is foo")}
		write := r.alarmsFile()
		write("[thresholds.page]\nraise = 0\n")
		r.start()
		r.advance(6, true)
		r.wantStored("1 alarms-file raised minor", "5 settings raised minor")
		if got := r.evidence(1); got != "libra-watchdog: LIBRA_PAGE_TIMEOUT is 1; libra-watchdog: LIBRA_SERVER is foo" {
			t.Errorf("evidence %q", got)
		}
		write("")
		if err := r.running.Reload(); err != nil {
			t.Error(err)
		}
		r.advance(5, true)
		r.wantStored("1 alarms-file raised minor", "5 settings raised minor", "9 alarms-file cleared minor")
	})
}

// faulty is a fault that components name in their heartbeats.
func faulty(text string) []event.Trouble { return event.SettingTroubles([]error{errors.New(text)}) }

// send sends a heartbeat of another component than the recorder.
func (r *rig) send(component string, troubles []event.Trouble) { r.sendOf(component, "1", troubles) }

func (r *rig) sendOf(component, instance string, troubles []event.Trouble) {
	r.mu.Lock()
	onHeartbeat := r.onHeartbeat
	r.mu.Unlock()
	onHeartbeat(event.Heartbeat{Component: component, Instance: instance, PID: 8, Troubles: troubles})
}

// The faults of all components are one alarm, which says who has which; it clears
// when every one of them runs without a fault, and not because one is silent.
func TestSettingsOfComponents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.start()
		r.heartbeat.Troubles = faulty("unknown setting LIBRA_X")
		r.send("libra-web", append(faulty("unknown setting LIBRA_X"), faulty("invalid LIBRA_CACHE")...))
		r.advance(7, true)
		r.wantStored("5 settings raised minor")
		if got, want := r.evidence(0), "libra-web: invalid LIBRA_CACHE; libra-recorder, libra-web: unknown setting LIBRA_X"; got != want {
			t.Errorf("evidence %q, want %q", got, want)
		}
		r.set(func() { r.heartbeat.Troubles = nil })
		r.advance(10, true) // web is silent
		for range 3 {
			r.send("libra-web", faulty("invalid LIBRA_CACHE"))
			r.advance(1, true)
		}
		r.wantStored("5 settings raised minor", "8 settings raised minor", "18 settings raised minor")
		if got, want := r.evidence(1)+"\n"+r.evidence(2), "libra-web: invalid LIBRA_CACHE; libra-web: unknown setting LIBRA_X\nlibra-web: invalid LIBRA_CACHE"; got != want {
			t.Errorf("evidence of the updates %q, want %q", got, want)
		}
		for range 4 {
			r.send("libra-web", nil)
			r.advance(1, true)
		}
		r.wantStored("5 settings raised minor", "8 settings raised minor", "18 settings raised minor", "23 settings cleared minor")
		if got := r.stored[3].Alarm.Summary; got != "All settings are valid again" {
			t.Errorf("cleared with %q", got)
		}
	})
}

// The faults of an inspector that was stopped for good end with it, also when the bus
// is away after that. Those of one that is expected stay: it may only be silent.
func TestSettingsOfAnInstanceThatIsGone(t *testing.T) {
	for name, expected := range map[string]bool{"a third inspector": false, "an expected one": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				if expected {
					r.cfg.Expect = append(r.cfg.Expect, watchdog.Target{Component: "libra-inspector", Instance: "3"})
				}
				r.start()
				settings := func() (list []string) {
					r.mu.Lock()
					defer r.mu.Unlock()
					for _, s := range r.stored {
						if s.Alarm.ID == "settings" {
							list = append(list, string(s.Alarm.State))
						}
					}
					return list
				}
				for range 12 {
					r.sendOf("libra-inspector", "3", faulty("invalid LIBRA_CACHE"))
					r.sendOf("libra-inspector", "1", nil)
					r.advance(1, true)
				}
				for range 9 * 60 {
					r.sendOf("libra-inspector", "1", nil)
					r.advance(1, true)
				}
				if got := settings(); !slices.Equal(got, []string{"raised"}) {
					t.Errorf("before it is gone: %q", got)
				}
				for range 2 * 60 {
					r.sendOf("libra-inspector", "1", nil)
					r.advance(1, true)
				}
				r.set(func() { r.bus = errDown })
				r.advance(20, false)
				r.set(func() { r.bus = nil })
				for range 60 {
					r.sendOf("libra-inspector", "1", nil)
					r.advance(1, true)
				}
				want := []string{"raised", "cleared"}
				if expected {
					want = want[:1]
				}
				if got := settings(); !slices.Equal(got, want) {
					t.Errorf("%q, want %q", got, want)
				}
			})
		})
	}
}

// A component that ended with exit code 2 makes the alarm worse: its reason is
// what it left with systemd. It eases when the component runs.
func TestSettingsOfAComponentThatCannotStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRigWithUnits(t)
		r.start()
		r.send("libra-web", faulty("invalid LIBRA_CACHE"))
		r.advance(8, true)
		r.setUnit(units.Unit{Load: "loaded", Active: "failed", Sub: "failed", Result: "exit-code", ExitStatus: 2, Status: "cannot start: invalid LIBRA_DATABASE"})
		r.advance(3, false)
		stored := func() (list []libra.Transition) {
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, t := range r.stored {
				if t.Alarm.ID == "settings" {
					list = append(list, t)
				}
			}
			return list
		}
		r.want("of settings", stored(), []string{"5 settings raised minor", "9 settings raised major"})
		a := stored()[1].Alarm
		if a.Summary != "libra-recorder cannot start: invalid settings" || a.Evidence != "libra-recorder: cannot start: invalid LIBRA_DATABASE; libra-web: invalid LIBRA_CACHE" {
			t.Errorf("%+v", a)
		}
		r.setUnit(running)
		r.advance(4, true)
		r.want("of settings", stored(), []string{"5 settings raised minor", "9 settings raised major", "14 settings raised minor"})
	})
}

// Many pages go down at once: each is raised once, over a kill in the middle.
func TestManyPagesDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		_, kill := r.start()
		const many = 300
		for range 3 {
			for n := range many {
				url := fmt.Sprintf("https://shop.example/%d", n)
				w := event.Watch{Page: libra.PageID(url), URL: url, EveryS: 2, At: r.began}
				r.report(w, status(500))
				time.Sleep(time.Millisecond)
			}
			r.advance(1, true)
			kill()
			_, kill = r.start()
		}
		r.advance(5, true)
		r.mu.Lock()
		defer r.mu.Unlock()
		raised := map[string]int{}
		for _, s := range r.stored {
			raised[s.Alarm.ID]++
		}
		for id, n := range raised {
			if n != 1 {
				t.Errorf("%s was published %d times", id, n)
			}
		}
		if len(raised) != many {
			t.Errorf("%d of %d pages were published", len(raised), many)
		}
	})
}
