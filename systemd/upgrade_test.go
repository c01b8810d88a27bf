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

	"libra/pkg/component"
	"libra/pkg/libra"
	"libra/pkg/release"
	"libra/systemd/harness"
)

// newest is a version that only these tests have.
const newest = "9.1.0"

// An upgrade to a recorder that crashes at start goes back by itself, and is notified until
// an upgrade succeeds.
func TestUpgradeAlarmIsNotified(t *testing.T) {
	awaitNoAlarms(t)
	t.Cleanup(func() { box.EnsureHealthy(t) })
	path := box.Release(t, newest, func(bin string) {
		harness.Replace(t, bin, component.Recorder, "echo 'panic: a nil pointer' >&2; exit 1")
	})
	was, err := release.Layout{Root: filepath.Join(box.Home, "opt")}.Current()
	if err != nil {
		t.Fatal(err)
	}
	out, err := box.Libra("upgrade", path)
	for _, want := range []string{
		"failed: libra-recorder.service: it does not start (exit-code): panic: a nil pointer\n",
		"libra-recorder: ready after ",
		fmt.Sprintf("libra: cannot upgrade: %s failed, %s runs again: libra-recorder.service: it does not start", newest, was),
	} {
		if err == nil || !strings.Contains(out, want) {
			t.Errorf("libra upgrade: %v, no %q in\n%s", err, want, out)
		}
	}
	wantNotified(t, libra.Alarm{
		ID: "upgrade", Scope: libra.ScopeComponent, Target: "libra upgrade", Severity: libra.Major, Runbook: "#upgrade",
		Summary: fmt.Sprintf("The upgrade to Libra %s failed and was rolled back: %s runs again", newest, was),
	}, "libra-recorder.service: it does not start (exit-code): panic: a nil pointer", "until an upgrade succeeds")
	if out, err := box.Libra("doctor", "--server", box.URL); !strings.Contains(out, "warn   upgrade   from "+was+" to "+newest) {
		t.Errorf("libra doctor: %v\n%s", err, out)
	}
	deploy(t)
	wantCleared(t, "libra upgrade", "The last upgrade of Libra works, or its failure is a day old")
	if out, err := box.Libra("rollback"); err != nil {
		t.Errorf("libra rollback: %v\n%s", err, out)
	}
}

// deploy has scripts/deploy upgrade the appliance, with scp and ssh that copy and run there:
// everything but the network is real.
func deploy(t *testing.T) {
	t.Helper()
	bin, home := t.TempDir(), box.Home
	box.Release(t, newest, nil)
	archive := filepath.Join(t.TempDir(), "release.tar.gz")
	pack := exec.Command("tar", "-czf", archive, "-C", filepath.Join(home, "opt", "incoming"), newest)
	if out, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("tar: %v: %s", err, out)
	}
	leader, err := box.RunScript("leader")
	if err != nil {
		t.Fatal(leader, err)
	}
	inside := "nsenter --target " + strings.TrimSpace(leader) + " --mount --pid --uts --ipc --wdns=/ --"
	for name, script := range map[string]string{
		// A login shell gets all arguments as one text.
		"ssh": `[ "$1 $2" = "-- box" ] || { echo "ssh $*" >&2; exit 255; }; shift 2; exec ` + inside + ` sh -c "$*"`,
		"scp": `[ "$1 $2" = "-q --" ] || { echo "scp $*" >&2; exit 1; }; exec ` + inside + ` sh -c 'cat >"$1"' sh "${4#box:}" <"$3"`,
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (string, error) {
		cmd := exec.Command("../scripts/deploy", args...)
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := run("box", archive); err != nil || !strings.Contains(out, newest+" runs, after ") {
		t.Fatalf("scripts/deploy: %v\n%s", err, out)
	}
	harness.Await(t, "libra-web of the new version", 10*time.Second, func() bool {
		_, body := box.Get(t, "/api/status")
		return strings.Contains(body, `"version":"`+newest+`"`)
	})
	// Its exit code is that of libra upgrade: that version runs already.
	if out, err := run("box", archive); err == nil || !strings.Contains(err.Error(), "exit status 2") || !strings.Contains(out, "it runs already") {
		t.Errorf("scripts/deploy, again: %v\n%s", err, out)
	}
	for _, args := range [][]string{{}, {"-oProxyCommand=x"}, {"box", archive + ".none"}} {
		if out, err := run(args...); err == nil || !strings.Contains(err.Error(), "exit status 2") {
			t.Errorf("scripts/deploy %q: %v\n%s", args, err, out)
		}
	}
	if files, err := box.Exec("find", "/tmp", "-maxdepth", "1", "-name", "tmp.*"); strings.TrimSpace(files) != "" || err != nil {
		t.Errorf("left in the appliance: %s (%v)", files, err)
	}
}
