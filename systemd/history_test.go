//go:build appliance

package systemd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"libra/pkg/libra"
	"libra/pkg/store"
	"libra/systemd/harness"
)

// runCLI runs libra on the host.
func runCLI(t *testing.T, args ...string) (string, error) {
	t.Helper()
	out, err := exec.Command("../build/bin/libra", args...).CombinedOutput()
	return string(out), err
}

// A backup is made and restored while everything runs; later reports are restored
// from the bus.
func TestBackupAndRestoreWhileRunning(t *testing.T) {
	box.EnsureHealthy(t)
	database := box.State("history", "libra.db")
	// The tests after this one want no history that is still behind.
	began := time.Now()
	defer harness.Await(t, "the recorder to write every stream again", 20*time.Second, func() bool {
		log := box.Journal(t, "-u", "libra-recorder", "--since", fmt.Sprintf("@%d", began.Unix()))
		return strings.Count(log, "database can be written again") == strings.Count(log, "database cannot be written") && box.Healthy(t)
	})
	history := store.NewReader(database)
	defer history.Close()
	recorded := func(id string) func() bool {
		return func() bool { _, err := history.Report(t.Context(), id); return err == nil }
	}
	before := box.Submit(t, site(t).URL+"/")
	harness.Await(t, "the first report in SQLite", 20*time.Second, recorded(before))

	file := filepath.Join(t.TempDir(), "backup.db")
	if out, err := runCLI(t, "backup", "--database", database, file); err != nil || !strings.Contains(out, " in "+file) {
		t.Fatalf("backup: %v\n%s", err, out)
	}
	after := box.Submit(t, site(t).URL+"/")
	harness.Await(t, "the second report in SQLite", 20*time.Second, recorded(after))

	if out, err := runCLI(t, "restore", "--database", database, file); err == nil || !strings.Contains(out, "--force") {
		t.Errorf("restore without --force: %v\n%s", err, out)
	}
	if out, err := runCLI(t, "restore", "--force", "--database", database, file); err != nil {
		t.Fatalf("restore: %v\n%s", err, out)
	}
	harness.Await(t, "the reports that the backup lacks", 20*time.Second, func() bool { return recorded(before)() && recorded(after)() })
	if box.Page(t, after).State != libra.Reported {
		t.Error("the page submitted after the backup is not reported")
	}
	// What the backup has replaced is beside it, and is no damage, which is an alarm.
	replaced, err := filepath.Glob(database + ".replaced-*Z")
	if damaged := box.DamagedDatabases(t); err != nil || len(replaced) != 1 || len(damaged) != 0 {
		t.Errorf("set aside: %q as replaced, %q as damaged, %v", replaced, damaged, err)
	}
	for _, file := range replaced {
		if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	}
}

// libra doctor finds no fault in a healthy appliance, and names a stopped unit and
// the remedy.
func TestDoctorFindsAStoppedUnit(t *testing.T) {
	box.EnsureHealthy(t)
	doctor := []string{"/opt/libra/bin/libra", "doctor", "--server", box.URL}
	if out, err := box.Exec(doctor...); err != nil {
		t.Errorf("healthy: %v\n%s", err, out)
	}
	box.Systemctl(t, "stop", "libra-recorder")
	defer box.EnsureHealthy(t)
	out, err := box.Exec(doctor...)
	if err == nil || !strings.Contains(out, "libra-recorder.service does not run") || !strings.Contains(out, "systemctl start libra-recorder") {
		t.Errorf("with a stopped recorder: %v\n%s", err, out)
	}
}
