//go:build appliance

package systemd_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"libra/systemd/harness"
)

// script is scripts/appliance with its own appliance, which tests may break.
type script struct {
	home string
	env  []string
}

func newScript(t *testing.T) *script {
	t.Helper()
	home, err := filepath.Abs("../build/appliance/script")
	if err != nil {
		t.Fatal(err)
	}
	s := &script{home: home, env: append(os.Environ(), "APPLIANCE_NAME=script")}
	for _, name := range []string{"APPLIANCE_PORT", "APPLIANCE_BUS_PORT"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		s.env = append(s.env, fmt.Sprintf("%s=%d", name, l.Addr().(*net.TCPAddr).Port))
	}
	s.reset(t)
	t.Cleanup(func() { s.reset(t) })
	return s
}

// reset stops the appliance and removes its state.
func (s *script) reset(t *testing.T) {
	t.Helper()
	s.must(t, "down")
	if err := os.RemoveAll(s.home); err != nil {
		t.Fatal(err)
	}
}

func (s *script) command(args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd, out := exec.Command("../scripts/appliance", args...), &bytes.Buffer{}
	cmd.Env, cmd.Stdout, cmd.Stderr = s.env, out, out
	return cmd, out
}

func (s *script) run(args ...string) (string, error) {
	cmd, out := s.command(args...)
	err := cmd.Run()
	return strings.TrimSpace(out.String()), err
}

func (s *script) must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := s.run(args...)
	if err != nil {
		t.Fatalf("scripts/appliance %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// leader returns the host's pid of its PID 1.
func (s *script) leader(t *testing.T) int {
	t.Helper()
	pid, err := strconv.Atoi(s.must(t, "leader"))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// status lists the units and no count of others; a mistyped command is named.
func TestStatusListsUnits(t *testing.T) {
	s := newScript(t)
	s.must(t, "up")
	if out := s.must(t, "status"); !strings.Contains(out, "libra-web.socket") || strings.Contains(out, "listed") || strings.Contains(out, "libra-retry@") {
		t.Errorf("status prints\n%s", out)
	}
	if out, err := s.run("stattus"); err == nil || !strings.Contains(out, "appliance: unknown command 'stattus'\n") {
		t.Errorf("%v\n%s", err, out)
	}
}

// down ends every process, also if systemd-nspawn was killed and PID 1 hangs.
func TestDownEndsEveryProcess(t *testing.T) {
	s := newScript(t)
	s.must(t, "up")
	leader := s.leader(t)
	noted, err := os.ReadFile(filepath.Join(s.home, "nspawn"))
	if err != nil {
		t.Fatal(err)
	}
	nspawn, err := strconv.Atoi(strings.Fields(string(noted))[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(nspawn, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.must(t, "up")
	if now := s.leader(t); now != leader {
		t.Errorf("up booted a second container: leader %d, before %d", now, leader)
	}
	if err := syscall.Kill(leader, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	s.must(t, "down")
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", leader)); err == nil && !bytes.Contains(status, []byte("State:\tZ")) {
		t.Errorf("PID 1 of the container, pid %d on the host, runs after down:\n%s", leader, status)
	}
	s.must(t, "up") // its ports are free again
}

// Two concurrent runs of up succeed: one waits for the other.
func TestConcurrentUpsWait(t *testing.T) {
	s := newScript(t)
	first, out1 := s.command("up")
	second, out2 := s.command("up")
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	if err := first.Wait(); err != nil {
		t.Errorf("first: %v\n%s", err, out1)
	}
	if err := second.Wait(); err != nil {
		t.Errorf("second: %v\n%s", err, out2)
	}
}

// Ctrl-C during the boot stops the container, with a message.
func TestInterruptedUpStopsTheContainer(t *testing.T) {
	s := newScript(t)
	up, out := s.command("up")
	up.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	harness.Await(t, "the container to be started", 20*time.Second, func() bool {
		noted, err := os.ReadFile(filepath.Join(s.home, "nspawn"))
		return err == nil && len(noted) > 0
	})
	if err := syscall.Kill(-up.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err := up.Wait()
	if up.ProcessState.ExitCode() != 130 || !strings.Contains(out.String(), "interrupted, stopping script") {
		t.Errorf("%v\n%s", err, out)
	}
	if pid, err := s.run("leader"); err == nil {
		t.Errorf("its PID 1 still runs: %s", pid)
	}
}

// Settings given to up reach the units unchanged and are in force until down;
// libra.env takes precedence.
func TestSettingsGivenToUp(t *testing.T) {
	s := newScript(t)
	awkward := "LIBRA_RUNBOOK_URL=http://x/a|b?c=1&d=2#'\"$HOME`\\"
	s.must(t, "up", "LIBRA_WORKERS=3")
	leader := s.leader(t)
	if out := s.must(t, "up", awkward); !strings.Contains(out, "restarting libra.target") {
		t.Errorf("new settings of a running appliance: %s", out)
	}
	if s.leader(t) != leader {
		t.Error("new settings rebooted it")
	}
	out := s.must(t, "shell", "sh", "-c", `tr '\0' '\n' <"/proc/$(systemctl show --property=MainPID --value libra-notifier)/environ"`)
	for _, want := range []string{awkward, "LIBRA_WORKERS=3"} {
		if !strings.Contains(out+"\n", want+"\n") {
			t.Errorf("the notifier's environment lacks %s:\n%s", want, out)
		}
	}
	shipped, err := os.ReadFile("../configs/libra.env")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(s.home, "etc", "libra.env")
	if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, shipped) {
		t.Errorf("libra.env was changed: %v", err)
	}
	if err := os.WriteFile(file, append(shipped, "\nLIBRA_WORKERS=4\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"LIBRA_WORKERS=5"}, {"LIBRA_WORKER=4"}, {"PATH=/"}, {"LIBRA_WORKERS"}} {
		if out, err := s.run(append([]string{"up"}, args...)...); err == nil || !strings.Contains(out, "libra.env") {
			t.Errorf("up %s: %v %s", args, err, out)
		}
	}
	s.must(t, "up", "LIBRA_WORKERS=4")
}

// None of the host's services runs in the container, except those of systemd.
func TestNoOtherServiceRuns(t *testing.T) {
	box.EnsureHealthy(t)
	units := box.Systemctl(t, "list-units", "--all", "--plain", "--no-legend", "--type=service,timer,socket", "--state=active,activating,failed")
	for line := range strings.Lines(units) {
		unit, _, _ := strings.Cut(line, " ")
		switch {
		case strings.HasPrefix(unit, "libra-"), strings.HasPrefix(unit, "systemd-"), strings.HasPrefix(unit, "dbus."):
		default:
			t.Errorf("also runs: %s", strings.TrimSpace(line))
		}
	}
}

// libra-keys stops and starts without an effect on the components; a component
// without its key logs which file is missing.
func TestLibraKeysRestartsAlone(t *testing.T) {
	box.EnsureHealthy(t)
	t.Cleanup(func() { box.EnsureHealthy(t) })
	was := map[string]int{}
	for _, unit := range harness.Services {
		was[unit] = box.MainPID(t, unit)
	}
	box.Systemctl(t, "restart", "libra-keys")
	box.Systemctl(t, "stop", "libra-keys")
	box.Systemctl(t, "start", "libra-keys")
	for unit, pid := range was {
		if now := box.MainPID(t, unit); now != pid {
			t.Errorf("the pid of %s changed from %d to %d", unit, pid, now)
		}
	}
	key, hidden := box.State("keys", "recorder.nk"), box.State("keys", "recorder.nk.hidden")
	if err := os.Rename(key, hidden); err != nil {
		t.Fatal(err)
	}
	out, err := box.Exec("systemctl", "restart", "libra-recorder")
	if err := os.Rename(hidden, key); err != nil {
		t.Fatal(err)
	}
	if err == nil {
		t.Errorf("the recorder started without a key: %s", out)
	}
	if log := box.Journal(t, "--unit=libra-recorder", "--since=-20s"); !strings.Contains(log, "libra-recorder.service/nkey") || !strings.Contains(log, "restart libra-keys") {
		t.Errorf("the journal does not name the missing key:\n%s", log)
	}
}

// up says "ready" only where every unit runs and the page responds: not while systemd
// restarts one repeatedly, nor at ports that are not those of the running
// container. It names a setting that is not in effect.
func TestUpIsReadyOnlyWhereLibraResponds(t *testing.T) {
	s := newScript(t)
	if out := s.must(t, "up", "LIBRA_BUS_SPACE=huge"); !strings.Contains(out, "invalid settings: LIBRA_BUS_SPACE") || !strings.Contains(out, "doctor") {
		t.Errorf("up with an invalid LIBRA_BUS_SPACE:\n%s", out)
	}
	for _, name := range []string{"APPLIANCE_PORT", "APPLIANCE_BUS_PORT"} {
		other := &script{home: s.home, env: append(slices.Clone(s.env), name+"=9")}
		if out, err := other.run("up"); err == nil || strings.Contains(out, "Libra is ready") || !strings.Contains(out, "scripts/appliance down") {
			t.Errorf("up with another %s: %v\n%s", name, err, out)
		}
	}
	unit := filepath.Join(s.home, "units", "libra-recorder.service")
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(unit, bytes.ReplaceAll(text, []byte("\nExecStart="), []byte("\nExecStart=/bin/false ")), 0o644); err != nil {
		t.Fatal(err)
	}
	s.must(t, "systemctl", "daemon-reload")
	s.must(t, "systemctl", "stop", "libra-recorder")
	if out, err := s.run("up"); err == nil || strings.Contains(out, "Libra is ready") || !strings.Contains(out, "not running: libra-recorder.service; see scripts/appliance journalctl") {
		t.Errorf("up with a recorder that does not start: %v\n%s", err, out)
	}
}
