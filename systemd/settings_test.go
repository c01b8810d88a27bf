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

// An invalid setting of one component and an unknown one of all raise an alarm,
// which says which and what is in effect; every component runs.
func TestInvalidSettingIsNotified(t *testing.T) {
	box.EnsureHealthy(t)
	awaitNoAlarms(t)
	set := settingsOf(t)
	write := func(text string) {
		t.Helper()
		set(text)
		box.Systemctl(t, "restart", "libra.target")
	}
	write("LIBRA_WORKERS=many\nLIBRA_PAGE_TIMOUT=9s\n")
	wantNotified(t, libra.Alarm{
		ID: "settings", Scope: libra.ScopeComponent, Target: "libra.env", Severity: libra.Minor,
		Summary: "Settings are invalid and not in effect", Runbook: "#settings",
	}, `libra-inspector: invalid LIBRA_WORKERS (or --workers) "many": must be a whole number from 1 to 1000; in effect: 32`, "every component: unknown setting LIBRA_PAGE_TIMOUT")
	for _, unit := range harness.Services {
		if !box.Active(t, unit) {
			t.Errorf("%s does not run", unit)
		}
	}
	write("")
	wantCleared(t, "libra.env", "All settings are valid again")
}

// Of a folder at the database's path, every component that can goes on: web reads
// no history and says why, and the alarm names the recorder and the cause. So it is
// of an invalid address of the bus: the alarm reaches people without the bus.
func TestComponentThatCannotStartIsNotified(t *testing.T) {
	for _, c := range []struct {
		setting, down, reason string
	}{
		{"LIBRA_DATABASE=/etc", "libra-recorder", `invalid LIBRA_DATABASE (or --database) "/etc": must be a file, not a folder`},
		{"LIBRA_BUS_LISTEN=here", "libra-bus", `invalid LIBRA_BUS_LISTEN (or --bus-listen) "here": must be an address such as 127.0.0.1:8080`},
		{"LIBRA_BUS_STORE=/no/such/folder", "libra-bus", `invalid LIBRA_BUS_STORE "/no/such/folder": cannot write there (no such file or directory)`},
	} {
		t.Run(c.setting, func(t *testing.T) {
			box.EnsureHealthy(t)
			awaitNoAlarms(t)
			box.Sink.Reset()
			write := settingsOf(t)
			write(c.setting + "\n")
			if out, err := box.Exec("systemctl", "restart", "libra.target"); err == nil {
				t.Errorf("systemctl restart libra.target succeeded: %s", out)
			}
			wantAtSlack(t, libra.Alarm{
				ID: "settings", Scope: libra.ScopeComponent, Target: "libra.env", Severity: libra.Major,
				Summary: c.down + " cannot start: invalid settings", Runbook: "#settings",
			}, c.down+": cannot start: "+c.reason)
			for _, unit := range harness.Services {
				if active := box.Active(t, unit); active != (unit != c.down) {
					t.Errorf("%s is active: %v", unit, active)
				}
			}
			if code, body := box.Get(t, "/"); code != 200 {
				t.Errorf("the list of pages: %d %.100s", code, body)
			}
			if _, body := box.Get(t, "/up"); !strings.Contains(body, "degraded: ") {
				t.Errorf("/up says %q", body)
			}
			out, err := box.Exec("/opt/libra/bin/libra", "doctor")
			if err == nil || !strings.Contains(out, c.down) || !strings.Contains(out, c.reason) {
				t.Errorf("libra doctor, %v, does not name the cause:\n%s", err, out)
			}
			write("")
			box.Systemctl(t, "restart", "libra.target")
			wantCleared(t, "libra.env", "All settings are valid again")
		})
	}
}
