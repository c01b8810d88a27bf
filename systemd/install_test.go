//go:build appliance

package systemd_test

import (
	"debug/elf"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"libra/pkg/component"
	"libra/pkg/release"
)

// install makes a release of every program and unit the current one, keeps edited settings,
// and removes the files that an earlier version installed under other names; it can be
// repeated. uninstall leaves only the settings.
func TestInstallAndUninstall(t *testing.T) {
	root := t.TempDir()
	const settings = "/etc/libra/libra.env"
	renamed := []string{"/etc/systemd/system/libra-again@.service", "/etc/systemd/system/libra-.service.d/10-house.conf"}
	for _, file := range append(renamed, settings) {
		if err := os.MkdirAll(filepath.Dir(root+file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root+file, []byte("edited"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := func(script string) {
		t.Helper()
		cmd := exec.Command("../scripts/" + script)
		cmd.Env = append(os.Environ(), "DESTDIR="+root)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("scripts/%s: %v\n%s", script, err, out)
		}
	}
	exists := func(file string) bool { _, err := os.Stat(root + file); return err == nil }

	if err := os.MkdirAll(root+"/opt/libra/bin", 0o755); err != nil { // of an earlier version
		t.Fatal(err)
	}
	run("install")
	installed := release.Layout{Root: root + "/opt/libra"}
	version, err := installed.Current()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := installed.Unpack(installed.Dir(version)); got != version || err != nil {
		t.Errorf("the installed release %s: %q, %v", version, got, err)
	}
	run("install")
	for _, c := range component.All() {
		for _, file := range []string{"/opt/libra/bin/" + c.Name, "/etc/systemd/system/" + c.UnitFile()} {
			if !exists(file) {
				t.Errorf("install: no %s", file)
			}
		}
	}
	programs, err := filepath.Glob(root + "/opt/libra/bin/*")
	if err != nil || len(programs) == 0 {
		t.Fatalf("no programs: %v", err)
	}
	for _, file := range programs {
		if kind, err := typeOf(file); err != nil || kind != elf.ET_DYN {
			t.Errorf("%s is of type %s, %v: built without -buildmode=pie, it is at the same address in every process", file, kind, err)
		}
	}
	for _, file := range renamed {
		if exists(file) {
			t.Errorf("install: %s of an earlier version is still there", file)
		}
	}
	if text, err := os.ReadFile(root + settings); err != nil || string(text) != "edited" {
		t.Errorf("install: %s is %q, %v", settings, text, err)
	}

	run("uninstall")
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !strings.HasPrefix(file, root+"/etc/libra/") {
			t.Errorf("uninstall: %s is still there", strings.TrimPrefix(file, root))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func typeOf(file string) (elf.Type, error) {
	f, err := elf.Open(file)
	if err != nil {
		return elf.ET_NONE, err
	}
	defer f.Close()
	return f.Type, nil
}
