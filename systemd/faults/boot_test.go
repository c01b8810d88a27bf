//go:build appliance

package faults_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"libra/systemd/harness"
)

func bootRows() []row {
	return []row{
		{"started with database and bus down", false, startAlone},
		{"wrong configuration", false, invalidSettings},
		{"host rebooted", false, reboots},
		{"every process killed at once, PID 1 too", false, powerCut},
	}
}

// startAlone starts everything but bus and recorder, without a database.
func startAlone(s *trial) {
	s.wantNothingLost(20 * time.Second)
	harness.Await(s, "the alarm of an earlier row to clear", 20*time.Second, func() bool {
		_, raised := box.Get(s, "/api/alarms?state=raised")
		return !strings.Contains(raised, `"id":"bus"`)
	})
	box.Systemctl(s, "stop", "libra.target", "libra-web.socket")
	box.Systemctl(s, append([]string{"reset-failed", "libra-web.socket"}, harness.Services...)...)
	box.Sink.Reset()
	restore := hideDatabase(s)
	var rest []string
	for _, unit := range harness.Services {
		if unit != "libra-bus" && unit != "libra-recorder" {
			rest = append(rest, unit)
		}
	}
	box.Systemctl(s, append([]string{"start"}, rest...)...)
	code, body := box.Get(s, "/up")
	s.check(code == 500 && strings.HasPrefix(body, "LOADING"), "/up is %d %.80s, 500 LOADING promised", code, body)
	s.wantAlarm(20*time.Second, "bus", "Libra accepts no requests")
	for _, unit := range rest {
		restarts := box.Property(s, unit, "NRestarts")
		s.check(box.Active(s, unit) && restarts == "0", "%s is %s after %s restarts", unit, box.Property(s, unit, "ActiveState"), restarts)
	}
	restore()
	box.Systemctl(s, "start", "libra.target")
	s.wantHealthy(10 * time.Second)
	s.mark()
	<-time.After(2 * time.Second)
	s.checkLoad("once all run", 1)
}

// hideDatabase moves the database away; restore moves it back.
func hideDatabase(s *trial) (restore func()) {
	hidden := filepath.Join(box.Home, "hidden.db")
	suffixes := []string{"", "-wal", "-shm"}
	for _, suffix := range suffixes {
		move(s, box.Database()+suffix, hidden+suffix)
	}
	return func() {
		for _, suffix := range suffixes {
			move(s, hidden+suffix, box.Database()+suffix)
		}
	}
}

// move renames a file across file systems, if it exists.
func move(s *trial, from, to string) {
	if out, err := exec.Command("mv", "-f", from, to).CombinedOutput(); err != nil && !strings.Contains(string(out), "No such file") {
		s.Fatalf("move %s: %v: %s", from, err, out)
	}
}

// invalidSettings: what can go on does, with the fault logged once; what cannot
// fails once, for a reason that the alarm has; the other units work.
func invalidSettings(s *trial) {
	file := filepath.Join(box.Home, "etc", "libra.env")
	good, err := os.ReadFile(file)
	if err != nil {
		s.Fatal(err)
	}
	restore := func() {
		if err := os.WriteFile(file, good, 0o644); err != nil {
			s.Fatal(err)
		}
	}
	defer restore()
	if err := os.WriteFile(file, append(good, "\nLIBRA_WORKERS=many\nLIBRA_PAGE_TIMOUT=3s\nLIBRA_DATABASE=/etc\n"...), 0o644); err != nil {
		s.Fatal(err)
	}
	box.Systemctl(s, "restart", "libra-inspector@1")
	if out, err := box.Exec("systemctl", "restart", "libra-recorder"); err == nil {
		s.check(false, "it started: %s", out)
	}
	s.wantAlarm(5*time.Second, "settings", "libra-recorder cannot start: invalid settings")
	<-time.After(2 * time.Second)
	s.check(box.Active(s, "libra-inspector@1"), "libra-inspector@1 does not run")
	state, code := box.Property(s, "libra-recorder", "ActiveState"), box.Property(s, "libra-recorder", "ExecMainStatus")
	s.check(state == "failed" && code == "2", "the unit is %s with exit code %s, failed with 2 promised", state, code)
	log := box.Journal(s, "--unit=libra-inspector@1", "--unit=libra-recorder", "--since=-10s")
	for _, want := range []string{"invalid LIBRA_WORKERS (or --workers)", "must be a file, not a folder"} {
		s.check(strings.Count(log, want) == 1, "the journal has %q %d times", want, strings.Count(log, want))
	}
	s.wantAccepted(s.checkLoad("one component cannot start", 0.999))
	restore()
	box.Systemctl(s, "restart", "libra-inspector@1", "libra-recorder")
	s.wantNothingLost(20 * time.Second)
	s.wantHealthy(10 * time.Second)
}

// powerCut kills every process of the appliance at once. The host's page cache
// stays: this row does not test the syncs of bus and SQLite.
func powerCut(s *trial) {
	box.PowerCut(s)
	wantRecovered(s)
}

// reboots reboots the appliance by its systemd.
func reboots(s *trial) {
	box.Reboot(s)
	wantRecovered(s)
}

// wantRecovered wants the appliance healthy without an operator, and nothing lost.
func wantRecovered(s *trial) {
	took, _ := s.awaitAccepting(10 * time.Second)
	<-time.After(2 * time.Second)
	s.wantAccepted(s.checkLoad(fmt.Sprintf("accepting %s after the boot", ms(took)), 1))
	s.wantNothingLost(30 * time.Second)
	s.wantHealthy(10 * time.Second)
}
