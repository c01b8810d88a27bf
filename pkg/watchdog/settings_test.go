package watchdog_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/rules"
	"libra/pkg/watchdog"
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
		r.alarmsFile()("[thresholds.queue]\nminor = \"off\"\nmajor = \"off\"\n[thresholds.certificate_days]\nminor = 0\nmajor = 0\ncritical = 0\n")
		r.start()
		r.set(func() { r.open, r.oldest = 1000, time.Now().Add(-100*time.Hour) })
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
		r.advance(3, true)
		r.wantStored("1 alarms-file raised minor", "1 settings raised major")
		if got := r.evidence(1); got != "LIBRA_PAGE_TIMEOUT is 1; LIBRA_SERVER is foo" {
			t.Errorf("evidence %q", got)
		}
		write("")
		if err := r.running.Reload(); err != nil {
			t.Error(err)
		}
		r.advance(5, true)
		r.wantStored("1 alarms-file raised minor", "1 settings raised major", "6 alarms-file cleared minor")
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
