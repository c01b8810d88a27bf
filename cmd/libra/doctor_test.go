package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The doctor compares what lies in the stores with the users of the units, and
// looks whether the disks have room for files and can be written.
func TestDoctorLooksAtTheStores(t *testing.T) {
	if err := exec.Command("unshare", "-rm", "true").Run(); err != nil {
		t.Skipf("no mounts of one's own here: %v", err)
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		// The other users are those who run this test.
		"passwd":                            "root:x:0:0::/:/bin/sh\nlibra-bus:x:0:0::/:/bin/sh\nlibra-watchdog:x:0:0::/:/bin/sh\nlibra-notifier:x:0:0::/:/bin/sh\nlibra-recorder:x:12345:0::/:/bin/sh\n",
		"group":                             "root:x:0:\nlibra-history:x:0:\n",
		"etc/libra.env":                     "",
		"etc/appliance.env":                 "LIBRA_BUS_STORE=" + dir + "/state/elsewhere\nLIBRA_DATABASE=" + dir + "/state/history/libra.db\n",
		"etc/credentials/slack-webhook":     "x",
		"etc/credentials/safe":              "x",
		"state/keys/web.nk":                 "x",
		"state/elsewhere/jetstream/1.blk":   strings.Repeat("x", 5000),
		"state/history/libra.db":            "x",
		"state/watchdog/state":              "x",
		"state/notifier/notes.json":         "x",
		"state/watchdog/pages.json.damaged": "x",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for file, mode := range map[string]os.FileMode{"state/watchdog": 0o777, "etc/credentials/slack-webhook": 0o666, "passwd": 0o644, "group": 0o644} {
		if err := os.Chmod(filepath.Join(dir, file), mode); err != nil {
			t.Fatal(err)
		}
	}
	doctor := func(mounts string) string {
		t.Helper()
		cmd := exec.Command("unshare", "-rm", "sh", "-c", "mount --bind passwd /etc/passwd && mount --bind group /etc/group && "+mounts+
			" exec libra doctor --settings etc/libra.env --state state --programs etc --server http://127.0.0.1:2")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GORACE="+promptExit)
		out, _ := cmd.CombinedOutput() // it finds faults
		return string(out)
	}
	reports := func(out string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("not reported: %s", want)
			}
		}
		if t.Failed() {
			t.Log(out)
		}
	}
	reports(doctor(""),
		"WRONG  owners    "+dir+"/state/history does not belong to libra-recorder, which writes there\n",
		"chown -R libra-recorder:libra-history "+dir+"/state/history\n",
		"WRONG  owners    state/watchdog has mode -rwxrwxrwx",
		"WRONG  state     state/watchdog/pages.json.damaged could not be read and was set aside; libra-watchdog started without it\n",
		"rm state/watchdog/pages.json.damaged\n",
		"ok     keys      state/keys is root's alone\n",
		"WRONG  secrets   etc/credentials/slack-webhook can be read by others than its owner\n",
		"ok     bus       "+dir+"/state/elsewhere holds ",
		" of at most ",
	)
	if out := doctor(""); strings.Contains(out, "credentials/safe") || strings.Contains(out, "state/notifier") || strings.Contains(out, "web.nk") {
		t.Errorf("what is well is called wrong:\n%s", out)
	}
	reports(doctor("mount -t tmpfs -o nr_inodes=11 libra state/elsewhere && (cd state/elsewhere && touch 1 2 3 4 5 6 7 8 9 10) &&"),
		"WRONG  space     ", "state/elsewhere, and 0 of 11 inodes\n", "df -i")
	reports(doctor("mount -t tmpfs -o ro libra state/elsewhere &&"), "state/elsewhere, and ", ", which is read-only\n", "remount")
}
