//go:build appliance

package systemd_test

import (
	"os"
	"path/filepath"
	"testing"

	"libra/pkg/libra"
)

// An invalid setting that only inspectors require raises an alarm, because the
// watchdog runs with its default.
func TestInvalidSettingIsNotified(t *testing.T) {
	box.EnsureHealthy(t)
	file := filepath.Join(box.Home, "etc", "libra.env")
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(string(was)+text), 0o644); err != nil {
			t.Fatal(err)
		}
		box.Systemctl(t, "restart", "libra-watchdog")
	}
	t.Cleanup(func() { write("") })
	write("\nLIBRA_PAGE_TIMEOUT=1\n")
	wantNotified(t, libra.Alarm{
		ID: "settings", Scope: libra.ScopeComponent, Target: "libra.env", Severity: libra.Major,
		Summary: "Settings are invalid: the watchdog uses their defaults, other components may not start", Runbook: "#settings",
	}, "LIBRA_PAGE_TIMEOUT", "must be a time from 1s to 1h0m0s")
	write("")
	wantCleared(t, "libra.env", "libra.env is healthy again")
}
