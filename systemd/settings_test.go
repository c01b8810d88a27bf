//go:build appliance

package systemd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"libra/pkg/libra"
	"libra/systemd/harness"
)

// settingsOf replaces what the test adds to libra.env, until it ends.
func settingsOf(t *testing.T) (write func(text string)) {
	t.Helper()
	file := filepath.Join(box.Home, "etc", "libra.env")
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write = func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(string(was)+"\n"+text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { write("") })
	return write
}

// A component that cannot start makes the start and the restart of libra.target
// fail; the others run, and a restart after the correction starts everything.
func TestRestartFailsIfAComponentCannotStart(t *testing.T) {
	box.EnsureHealthy(t)
	write := settingsOf(t)
	write("LIBRA_BUS_STORE=/etc/hosts\n")
	for _, verb := range []string{"restart", "start"} {
		if out, err := box.Exec("systemctl", verb, "libra.target"); err == nil || !strings.Contains(out, "libra.target failed") {
			t.Errorf("systemctl %s libra.target: %v, %q", verb, err, out)
		}
		for _, unit := range harness.Services {
			if active := box.Active(t, unit); active != (unit != "libra-bus") {
				t.Errorf("%s: %s is active: %v", verb, unit, active)
			}
		}
	}
	if log := box.Journal(t, "--unit=libra-started", "--since=-30s"); !strings.Contains(log, "libra-bus.service has not started") {
		t.Errorf("the journal of libra-started does not name the unit:\n%s", log)
	}
	write("")
	box.Systemctl(t, "restart", "libra.target")
	box.EnsureHealthy(t)
}

// An invalid setting that only inspectors require raises an alarm, because the
// watchdog runs with its default.
func TestInvalidSettingIsNotified(t *testing.T) {
	box.EnsureHealthy(t)
	set := settingsOf(t)
	write := func(text string) {
		t.Helper()
		set(text)
		box.Systemctl(t, "restart", "libra-watchdog")
	}
	write("LIBRA_PAGE_TIMEOUT=1\n")
	wantNotified(t, libra.Alarm{
		ID: "settings", Scope: libra.ScopeComponent, Target: "libra.env", Severity: libra.Major,
		Summary: "Settings are invalid: the watchdog uses their defaults, other components may not start", Runbook: "#settings",
	}, "LIBRA_PAGE_TIMEOUT", "must be a time from 1s to 1h0m0s")
	write("")
	wantCleared(t, "libra.env", "libra.env is healthy again")
}
