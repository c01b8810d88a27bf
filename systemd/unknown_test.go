//go:build appliance

package systemd_test

import (
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"libra/systemd/harness"
)

// state is the state of an instance in /api/status.
func state(t *testing.T, component, instance string) string {
	t.Helper()
	var doc struct {
		Components []struct{ Component, Instance, State string }
	}
	if code, body := box.Get(t, "/api/status"); code != 200 || json.Unmarshal([]byte(body), &doc) != nil {
		t.Fatalf("GET /api/status: %d %s", code, body)
	}
	for _, c := range doc.Components {
		if c.Component == component && c.Instance == instance {
			return c.State
		}
	}
	return ""
}

// A component that is stopped, or stands still, is not called healthy for longer than
// a second.
func TestSilenceIsShownWithinASecond(t *testing.T) {
	for _, c := range []struct {
		how             string
		component, inst string
		do, undo        func()
	}{
		{
			"stands still", "libra-inspector", "2",
			func() { box.Signal(t, "libra-inspector@2", syscall.SIGSTOP) }, func() { box.Signal(t, "libra-inspector@2", syscall.SIGCONT) },
		},
		{
			"is stopped", "libra-notifier", "1",
			func() { box.Systemctl(t, "stop", "libra-notifier") }, func() { box.Systemctl(t, "start", "libra-notifier") },
		},
		{
			"stands still", "libra-watchdog", "1",
			func() { box.Signal(t, "libra-watchdog", syscall.SIGSTOP) }, func() { box.Signal(t, "libra-watchdog", syscall.SIGCONT) },
		},
	} {
		box.EnsureHealthy(t)
		c.do()
		since := time.Now()
		harness.Await(t, c.component+" to be missed", 10*time.Second, func() bool {
			is := state(t, c.component, c.inst)
			return is == "unknown" || is == "down"
		})
		took := time.Since(since)
		t.Logf("%s %s: shown after %v", c.component, c.how, took)
		if took > time.Second {
			t.Errorf("%s %s: shown after %v, within 1 s promised", c.component, c.how, took)
		}
		if _, err := runCLI(t, "status", "--server", box.URL); exitCode(err) != 1 {
			t.Errorf("%s %s: libra status: %v, exit code 1 promised", c.component, c.how, err)
		}
		c.undo()
	}
	box.EnsureHealthy(t)
}

// While the bus is stopped, nobody says that there is no alarm.
func TestAlarmsAreUnknownWithoutBus(t *testing.T) {
	box.EnsureHealthy(t)
	t.Cleanup(func() { box.EnsureHealthy(t) })
	box.Systemctl(t, "stop", "libra-bus")
	harness.Await(t, "web to see it", 10*time.Second, func() bool {
		_, up := box.Get(t, "/up")
		return strings.HasPrefix(up, "UNKNOWN since ")
	})
	for _, args := range [][]string{{"alarms"}, {"alarms", "silences"}, {"alarms", "history"}, {"pages"}, {"pages", "--watched"}, {"status"}} {
		out, err := runCLI(t, append(args, "--server", box.URL)...)
		if exitCode(err) != 1 || !strings.Contains(strings.ToLower(out), "unknown since ") || strings.Contains(out, "no alarms\n") {
			t.Errorf("libra %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	if code, body := box.Get(t, "/alarms"); code != 200 || strings.Contains(body, "No alarm is open") || !strings.Contains(body, "Unknown since ") {
		t.Errorf("/alarms: %d\n%s", code, body)
	}
	if code, body := box.Get(t, "/status"); code != 200 || strings.Contains(body, ">healthy</dd>") {
		t.Errorf("/status: %d\n%s", code, body)
	}
}

// exitCode is that of a command that has ended, 0 without an error.
func exitCode(err error) int {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}
