package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// scripts/words fails on a use that is not listed, on one without a reason, and on a
// line whose use is gone; --update lists and removes.
func TestWordsAreListedWithAReason(t *testing.T) {
	root := t.TempDir()
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(root, file), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(root, "scripts"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"scripts/words", "scripts/words.txt"} {
		write(file, readText(t, "../"+file))
	}
	write("scripts/words.allow", "")
	if out, err := exec.Command("git", "-C", root, "init", "--quiet").CombinedOutput(); err != nil {
		t.Fatalf("git init: %v\n%s", err, out)
	}
	words := func(args ...string) (string, error) {
		out, err := exec.Command(filepath.Join(root, "scripts/words"), args...).CombinedOutput()
		return string(out), err
	}
	update := func() string {
		t.Helper()
		if out, err := words("--update"); err != nil {
			t.Fatalf("--update: %v\n%s", err, out)
		}
		return readText(t, filepath.Join(root, "scripts/words.allow"))
	}
	passes := func() {
		t.Helper()
		if out, err := words(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
	fails := func(want string) {
		t.Helper()
		if out, err := words(); err == nil || !strings.Contains(out, want) {
			t.Errorf("%v, want a failure with %q:\n%s", err, want, out)
		}
	}

	write("a.go", "package a // stolen, towards, smaller\n")
	passes()
	listed := "to" + "ld" // split, as this file is checked, too
	write("a.go", "package a\n\nvar is"+strings.ToUpper(listed[:1])+listed[1:]+" bool\n")
	fails("a.go:3: " + listed + ": use: notified")
	if list := update(); list != "1\ta.go\t"+listed+"\t\n" {
		t.Errorf("--update: %q", list)
	}
	fails("a.go: " + listed + ": add a reason")
	write("scripts/words.allow", "1\ta.go\t"+listed+"\ta test\n")
	passes()
	if list := update(); !strings.Contains(list, "\ta test\n") {
		t.Errorf("--update lost the reason: %q", list)
	}
	write("a.go", "package a\n")
	fails("1 uses are listed, 0 are there")
	update()
	passes()
}
