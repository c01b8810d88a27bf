package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Systemctl runs systemctl in the appliance; a failure ends the test.
func (h *Harness) Systemctl(t testing.TB, args ...string) string {
	t.Helper()
	out, err := h.Exec(append([]string{"systemctl", "--no-pager"}, args...)...)
	if err != nil {
		t.Fatalf("systemctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

// Property returns a property of a unit.
func (h *Harness) Property(t testing.TB, unit, property string) string {
	t.Helper()
	return h.Systemctl(t, "show", "--property="+property, "--value", unit)
}

// Active says whether the unit is active.
func (h *Harness) Active(t testing.TB, unit string) bool {
	t.Helper()
	return h.Property(t, unit, "ActiveState") == "active"
}

// MainPID returns the pid of the unit's process inside the appliance.
func (h *Harness) MainPID(t testing.TB, unit string) int {
	t.Helper()
	pid, err := strconv.Atoi(h.Property(t, unit, "MainPID"))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// Signal sends a signal to the unit's main process.
func (h *Harness) Signal(t testing.TB, unit string, s syscall.Signal) {
	t.Helper()
	h.Systemctl(t, "kill", "--kill-whom=main", "--signal="+strconv.Itoa(int(s)), unit)
}

// Journal returns the appliance's journal, one message on each line.
func (h *Harness) Journal(t testing.TB, args ...string) string {
	t.Helper()
	out, err := h.Exec(append([]string{"journalctl", "--no-pager", "--output=cat"}, args...)...)
	if err != nil {
		t.Fatalf("journalctl: %v\n%s", err, out)
	}
	return out
}

// Timestamps returns the properties of a unit that end in TimestampMonotonic, on
// the host's monotonic clock; see Monotonic.
func (h *Harness) Timestamps(t testing.TB, unit string) map[string]time.Duration {
	t.Helper()
	times := map[string]time.Duration{}
	for line := range strings.Lines(h.Systemctl(t, "show", unit)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		name, ok := strings.CutSuffix(name, "TimestampMonotonic")
		if us, err := strconv.ParseInt(value, 10, 64); ok && err == nil {
			times[name] = time.Duration(us) * time.Microsecond
		}
	}
	return times
}

// HostPID returns the host's pid of the unit's process; 0 if it has none.
func (h *Harness) HostPID(t testing.TB, unit string) int {
	t.Helper()
	inside := h.MainPID(t, unit)
	if inside == 0 {
		return 0
	}
	leader, err := h.leaderPID()
	if err != nil {
		t.Fatal(err)
	}
	space, err := os.Readlink("/proc/" + leader + "/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	processes, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range processes {
		if s, err := os.Readlink(dir + "/ns/pid"); err != nil || s != space {
			continue
		}
		if pids := strings.Fields(statusLine(dir, "NSpid:")); len(pids) > 1 && pids[len(pids)-1] == strconv.Itoa(inside) {
			pid, err := strconv.Atoi(filepath.Base(dir))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	return 0 // it has ended
}

func statusLine(dir, key string) string {
	data, err := os.ReadFile(dir + "/status")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		if rest, ok := strings.CutPrefix(line, key); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// Memory returns the proportional set size and the resident set size of a process
// in bytes.
func Memory(pid int) (pss, rss int64, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(string(data)) {
		var kib int64
		if n, _ := fmt.Sscanf(line, "Pss: %d kB", &kib); n == 1 {
			pss = kib << 10
		}
		if n, _ := fmt.Sscanf(line, "Rss: %d kB", &kib); n == 1 {
			rss = kib << 10
		}
	}
	return pss, rss, nil
}

// Descriptors counts the open files of a process; 0 if it has ended.
func Descriptors(pid int) int {
	files, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return 0
	}
	return len(files)
}
