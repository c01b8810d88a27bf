package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/daemon"
	"libra/pkg/rules"
	"libra/pkg/watchdog"
)

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// A bad edit is named with its line, and what was good before stays in force,
// for the next process too.
func TestBadEdit(t *testing.T) {
	s := settings{alarms: rules.Keeper{File: filepath.Join(t.TempDir(), "alarms.toml")}, cfg: watchdog.Config{State: t.TempDir()}}
	if cfg, fault := s.load(); fault != nil || cfg.Disk.Minor != 80 || s.examine() != nil {
		t.Errorf("without a file: %+v, %v", cfg.Disk, fault)
	}
	write(t, s.alarms.File, "[thresholds.disk]\nminor = 70\n")
	if cfg, fault := s.load(); fault != nil || cfg.Disk.Minor != 70 || cfg.Disk.Major != 90 {
		t.Errorf("%+v, %v", cfg.Disk, fault)
	}
	write(t, s.alarms.File, "[thresholds.disk]\nminor = 60\nmagor = 61\n[thresholds.page]\nraise = 0\n")
	next := settings{alarms: rules.Keeper{File: s.alarms.File}, cfg: s.cfg}
	cfg, fault := next.load()
	if fault == nil || cfg.Disk.Minor != 70 || len(next.examine()) != 2 {
		t.Fatalf("%+v, %v", cfg.Disk, fault)
	}
	named := troubles(fault)
	if len(named) != 1 || !strings.Contains(named[0].Evidence, "alarms.toml:3: ") || !strings.Contains(named[0].Evidence, "; alarms.toml:5: ") {
		t.Errorf("%+v", named)
	}
}

// Thresholds that are all off stay off.
func TestOff(t *testing.T) {
	s := settings{alarms: rules.Keeper{File: filepath.Join(t.TempDir(), "alarms.toml")}}
	write(t, s.alarms.File, `
[thresholds]
heartbeat = "5s"
[thresholds.disk]
minor = 0
major = 0
critical = 0
[thresholds.queue]
minor = "off"
major = "off"
critical = "off"
[thresholds.certificate_days]
minor = 0
major = 0
critical = 0
[thresholds.page]
raise = 2
`)
	cfg, fault := s.load()
	if fault != nil {
		t.Fatal(fault)
	}
	want := with(watchdog.Config{}, rules.Defaults().Thresholds)
	want.Silence = 5 * time.Second
	want.Disk, want.Queue, want.Certificate = watchdog.Thresholds{Critical: -1}, watchdog.Waits{Critical: -1}, watchdog.Days{Critical: -1}
	want.PageLimits.Raise = 2
	if diff := cmp.Diff(want, cfg); diff != "" {
		t.Error(diff)
	}
}

// Settings that the watchdog can do without are told of, not died of.
func TestSettingsTroubles(t *testing.T) {
	s := settings{standing: settingsTroubles([]error{
		daemon.Bearable(errors.New("LIBRA_PAGE_TIMEOUT is 1")), daemon.Bearable(syscall.ENOSPC), daemon.Bearable(errors.New("LIBRA_SERVER is foo")),
	})}
	if got := s.troubles(nil); len(got) != 1 || got[0].ID != "settings" || got[0].Evidence != "LIBRA_PAGE_TIMEOUT is 1; LIBRA_SERVER is foo" {
		t.Errorf("%+v", got)
	}
	if got := s.troubles(errors.New("line 3")); len(got) != 2 {
		t.Errorf("%+v", got)
	}
	if got := settingsTroubles([]error{syscall.EROFS}); got != nil {
		t.Errorf("%+v", got)
	}
}
