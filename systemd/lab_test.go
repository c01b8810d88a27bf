//go:build appliance

package systemd_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"libra/pkg/labapi"
	"libra/systemd/harness"
)

// openLab turns the lab on until the test ends.
func openLab(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	site := l.Addr().String()
	l.Close()
	enableFaults(t, "LIBRA_LAB=on\nLIBRA_LAB_SITE="+site+"\n")
	box.Systemctl(t, "restart", "libra-web")
	box.Systemctl(t, "start", "libra-lab")
	t.Cleanup(func() {
		box.Systemctl(t, "stop", "libra-lab")
		box.Systemctl(t, "restart", "libra-web")
		box.EnsureHealthy(t)
	})
	harness.Await(t, "the lab", 10*time.Second, func() bool { code, _ := box.Get(t, "/api/lab"); return code == http.StatusOK })
}

// labState waits for the lab's answer: libra-web, which passes it on, is killed too.
func labState(t *testing.T) (s labapi.State) {
	t.Helper()
	harness.Await(t, "/api/lab", 10*time.Second, func() bool {
		code, body := box.Get(t, "/api/lab")
		return code == http.StatusOK && json.Unmarshal([]byte(body), &s) == nil
	})
	return s
}

func postLab(t *testing.T, path, body string, want int) {
	t.Helper()
	res, err := http.Post(box.URL+"/api/lab/"+path, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != want {
		t.Fatalf("%s %s = %d, want %d", path, body, res.StatusCode, want)
	}
}

// acted does something and waits for what comes of it.
func acted(t *testing.T, action, unit string) (a labapi.Action) {
	t.Helper()
	postLab(t, "do", fmt.Sprintf(`{"action":%q,"unit":%q}`, action, unit), http.StatusAccepted)
	harness.Await(t, action+" to end", 30*time.Second, func() bool {
		a = labState(t).Actions[0]
		return a.Name == action && a.State != labapi.Begun
	})
	if a.State != labapi.Done {
		t.Errorf("%s: %+v", action, a)
	}
	return a
}

// Unless LIBRA_LAB is on the unit ends with exit code 2 and says why, nothing restarts it, and
// libra-web passes nothing on to it.
func TestLabIsRefused(t *testing.T) {
	box.EnsureHealthy(t)
	if box.Active(t, "libra-lab") {
		t.Fatal("libra.target has started libra-lab")
	}
	if _, err := box.Exec("systemctl", "start", "libra-lab"); err == nil {
		t.Error("libra-lab starts although LIBRA_LAB is off")
	}
	t.Cleanup(func() { box.Systemctl(t, "reset-failed", "libra-lab") })
	if code, text := box.Property(t, "libra-lab", "ExecMainStatus"), box.Property(t, "libra-lab", "StatusText"); code != "2" || !strings.Contains(text, "set LIBRA_LAB=on") || box.Active(t, "libra-lab") {
		t.Errorf("exit code %s, status %q", code, text)
	}
	if code, body := box.Get(t, "/api/lab"); code != http.StatusNotFound {
		t.Errorf("/api/lab = %d %s", code, body)
	}
}

// The generator keeps to its dial, inspectors come and go, a page that computes without end
// is found, and every fault is undone by itself: no read fails meanwhile.
func TestLab(t *testing.T) {
	box.EnsureHealthy(t)
	openLab(t)
	postLab(t, "dial", `{"value":20}`, http.StatusOK)
	from, began := labState(t).Total, time.Now()
	harness.Await(t, "200 submissions", 20*time.Second, func() bool { return labState(t).Total.Submitted-from.Submitted >= 200 })
	now := labState(t).Total
	rate := float64(now.Submitted-from.Submitted) / time.Since(began).Seconds()
	t.Logf("dial at 20: %.1f a second", rate)
	if rate < 16 || rate > 24 || now.Accepted == 0 || now.Failed > 0 {
		t.Errorf("dial at 20: %.1f a second, %+v", rate, now)
	}

	postLab(t, "inspectors", `{"value":3}`, http.StatusOK)
	if !box.Active(t, "libra-inspector@3") {
		t.Error("libra-inspector@3 is not active")
	}
	harness.Await(t, "the page without end to be first", 20*time.Second, func() bool {
		if a := labState(t).Actions; len(a) == 0 {
			hottest(t) // somebody looks
			acted(t, "spin", "")
		}
		return hottest(t).Page == labState(t).Actions[0].Page && hottest(t).CPUMS > 0
	})

	pid := box.MainPID(t, "libra-recorder")
	if acted(t, "kill", "libra-recorder"); box.MainPID(t, "libra-recorder") == pid {
		t.Error("libra-recorder was not killed")
	}
	for _, unit := range []string{"libra-web", "libra-bus", "libra-inspector@2"} {
		t.Logf("kill %s: %s", unit, acted(t, "kill", unit).Text)
	}
	t.Logf("sigstop: %s", acted(t, "sigstop", "libra-watchdog").Text)
	t.Logf("locked: %s", acted(t, "sqlite-locked", "").Text)
	t.Logf("bus stopped: %s", acted(t, "bus-stopped", "").Text)
	if !box.Active(t, "libra-bus") {
		t.Error("the bus is not started again")
	}
	files, err := filepath.Glob(box.State("history", "*"))
	if err != nil || len(files) == 0 {
		t.Fatalf("history: %v", err)
	}
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.Sys().(*syscall.Stat_t).Uid == 0 {
			t.Errorf("%s is root's: the recorder cannot write it", f)
		}
	}
	total := labState(t).Total
	t.Logf("in all: %+v", total)
	if total.ReadsFailed > 0 || total.Reads == 0 {
		t.Errorf("reads: %d answered, %d failed: %s", total.Reads, total.ReadsFailed, labState(t).Fault)
	}
	postLab(t, "reset", "", http.StatusOK)
	if s := labState(t); s.Rate != 0 || s.Inspectors != 2 {
		t.Errorf("after the reset: %+v", s)
	}
	harness.Await(t, "libra-inspector@3 to stop", 20*time.Second, func() bool { return !box.Active(t, "libra-inspector@3") })
	box.Systemctl(t, "stop", "libra-lab")
	harness.Await(t, "nobody to miss them", 20*time.Second, func() bool { _, up := box.Get(t, "/up"); return strings.TrimSpace(up) == "OK" })
}

// What the lab does is undone when it stops, and by the next process after kill -9.
func TestLabUndoes(t *testing.T) {
	box.EnsureHealthy(t)
	openLab(t)
	postLab(t, "do", `{"action":"bus-stopped"}`, http.StatusAccepted)
	harness.Await(t, "the bus to stop", 10*time.Second, func() bool { return !box.Active(t, "libra-bus") })
	began := time.Now()
	box.Systemctl(t, "kill", "--kill-whom=main", "--signal=KILL", "libra-lab")
	harness.Await(t, "the bus to start", 8*time.Second, func() bool { return box.Active(t, "libra-bus") })
	t.Logf("the bus runs %s after kill -9 of the lab", time.Since(began).Round(time.Millisecond))
	harness.Await(t, "the lab", 10*time.Second, func() bool { code, _ := box.Get(t, "/api/lab"); return code == http.StatusOK })

	postLab(t, "do", `{"action":"bus-stopped"}`, http.StatusAccepted)
	harness.Await(t, "the bus to stop", 10*time.Second, func() bool { return !box.Active(t, "libra-bus") })
	box.Systemctl(t, "stop", "libra-lab")
	if !box.Active(t, "libra-bus") {
		t.Error("the bus is stopped although the lab is")
	}
}

// The lab starts nothing that is stopped together with it.
func TestLabStopsWithTheTarget(t *testing.T) {
	box.EnsureHealthy(t)
	openLab(t)
	postLab(t, "inspectors", `{"value":1}`, http.StatusOK)
	postLab(t, "do", `{"action":"bus-stopped"}`, http.StatusAccepted)
	harness.Await(t, "the bus to stop", 10*time.Second, func() bool { return !box.Active(t, "libra-bus") })
	box.Systemctl(t, "stop", "libra.target")
	harness.Await(t, "the lab to stop", 15*time.Second, func() bool { return box.Property(t, "libra-lab", "ActiveState") == "inactive" })
	for _, unit := range harness.Services {
		harness.Await(t, unit+" to stop", 15*time.Second, func() bool { return !box.Active(t, unit) })
	}
	if got := box.Property(t, "libra-bus", "ActiveState"); got != "inactive" {
		t.Errorf("the bus is %s", got)
	}
	box.EnsureHealthy(t)
}
