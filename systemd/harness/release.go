package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Release builds a release of another version from this tree, and returns its path in the
// appliance. change, if not nil, changes the programs in their folder first.
func (h *Harness) Release(t testing.TB, version string, change func(bin string)) string {
	t.Helper()
	return h.ReleaseOf(t, h.Root, version, change)
}

// ReleaseOf is Release from another tree.
func (h *Harness) ReleaseOf(t testing.TB, tree, version string, change func(bin string)) string {
	t.Helper()
	work := filepath.Join(h.Home, "releases", version)
	bin := filepath.Join(work, "bin")
	for _, old := range []string{work, filepath.Join(h.Home, "opt", "incoming", version)} {
		if err := os.RemoveAll(old); err != nil {
			t.Fatal(err)
		}
	}
	h.run(t, tree, nil, "make", "--silent", "build", "VERSION="+version, "BIN="+bin)
	if change != nil {
		change(bin)
	}
	into := filepath.Join(h.Home, "opt", "incoming", version)
	if err := os.MkdirAll(filepath.Dir(into), 0o755); err != nil {
		t.Fatal(err)
	}
	h.run(t, tree, []string{"BIN=" + bin}, "scripts/release", into)
	return "/opt/libra/incoming/" + version
}

// Replace replaces a program of a release that is being built by a script, which finds the
// program as $0.real. What asks for the version or checks the settings gets the program.
func Replace(t testing.TB, bin, program, script string) {
	t.Helper()
	path := filepath.Join(bin, program)
	if err := os.Rename(path, path+".real"); err != nil {
		t.Fatal(err)
	}
	text := "#!/bin/sh\ncase \"$*\" in *--check*|*--version*) exec \"$0.real\" \"$@\";; esac\n" + script + "\n"
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// run runs a command that must succeed.
func (h *Harness) run(t testing.TB, dir string, env []string, command ...string) {
	t.Helper()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s in %s: %v\n%s", strings.Join(command, " "), dir, err, out)
	}
}

// Libra runs the command line in the appliance.
func (h *Harness) Libra(args ...string) (string, error) {
	out, err := h.Exec(append([]string{"/opt/libra/bin/libra"}, args...)...)
	if err != nil {
		err = fmt.Errorf("libra %s: %w", strings.Join(args, " "), err)
	}
	return out, err
}
