//go:build appliance

package systemd_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"libra/systemd/harness"
)

// mostExposed bounds what systemd-analyze security says of a unit, from 0 to 10. What
// is left of 1.3: the network and Unix sockets, the host's folders (read only) and /proc.
const mostExposed = 1.3

// rootExposed is the same of libra-lab, which is root's because it stops and starts units.
const rootExposed = 1.5

// systemd finds little to tighten in each unit, and runs it so.
func TestExposure(t *testing.T) {
	box.EnsureHealthy(t)
	overall := regexp.MustCompile(`Overall exposure level for (\S+)\.service: ([0-9.]+)`)
	for _, unit := range append([]string{"libra-keys", "libra-started", "libra-retry@libra-web.service", "libra-lab"}, harness.Services...) {
		out, err := box.Exec("systemd-analyze", "--no-pager", "security", unit+".service")
		m := overall.FindStringSubmatch(out)
		if err != nil || m == nil {
			t.Fatalf("%s: %v\n%s", unit, err, out)
		}
		most := mostExposed
		if unit == "libra-lab" {
			most = rootExposed
		}
		if level, err := strconv.ParseFloat(m[2], 64); err != nil || level > most {
			t.Errorf("%s has the exposure level %s (%v), most %.1f: systemd-analyze security %s says why", unit, m[2], err, most, unit)
		}
	}
	for _, unit := range harness.Services {
		if status := statusOf(t, unit); !strings.Contains(status, "\nSeccomp:\t2\n") || !strings.Contains(status, "\nNoNewPrivs:\t1\n") {
			t.Errorf("%s runs without its filter of system calls:\n%s", unit, status)
		}
	}
}

func statusOf(t *testing.T, unit string) string {
	t.Helper()
	out, err := box.Exec("cat", "/proc/"+strconv.Itoa(box.MainPID(t, unit))+"/status")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A system call that is filtered fails, and its process goes on: every unit has the
// rules of libra-.service.d, as this one has.
func TestFilteredCallFails(t *testing.T) {
	box.EnsureHealthy(t)
	for _, call := range []string{"nice -n 5 echo went on", "chown 0 /tmp; echo went on"} {
		out, err := box.Exec("systemd-run", "--quiet", "--wait", "--pipe", "--collect", "--unit=libra-filtered", "sh", "-c", call)
		if err != nil || !strings.Contains(out, "Operation not permitted") || !strings.Contains(out, "went on") {
			t.Errorf("%s: %v\n%s", call, err, out)
		}
	}
}
