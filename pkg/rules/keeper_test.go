package rules_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"libra/pkg/rules"
)

// A fault of the file is over when a valid one is in force, not when it is saved.
func TestKeeper(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		k := rules.Keeper{File: filepath.Join(dir, "alarms.toml"), LastGood: filepath.Join(dir, "good")}
		write := func(text string) {
			t.Helper()
			if err := os.WriteFile(k.File, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		look := func(when, want string, notInForce bool) {
			t.Helper()
			if err := k.Look(); !says(err, want) || errors.Is(err, rules.ErrNotInForce) != notInForce {
				t.Errorf("%s: %v, want %q", when, err, want)
			}
		}
		load := func(want string) {
			t.Helper()
			if _, fault := k.Load(); !says(fault, want) {
				t.Errorf("load: %v, want %q", fault, want)
			}
		}
		load("")
		look("no file", "", false)
		write("[notify]\nlate = \"soon\"\n")
		look("bad", "alarms.toml:2: late is \"soon\"", false)
		write("")
		look("as it was", "", false)
		write("[notify]\nlate = \"soon\"\n")
		look("bad", "alarms.toml:2: ", false)
		write("[notify]\nlate = \"2m\"\n")
		look("mended", "alarms.toml was changed, is valid, and is not in force: systemctl reload", true)
		time.Sleep(time.Hour)
		look("mended, and long ago", "is not in force", true)
		load("")
		look("applied", "", false)

		write("[notify]\nlate = \"3m\"\n")
		look("a good edit", "", false)
		time.Sleep(4 * time.Minute)
		look("a good edit, some minutes old", "", false)
		time.Sleep(2 * time.Minute)
		look("a good edit, forgotten", "alarms.toml was changed, is valid, and is not in force: systemctl reload", true)
		write("[notify]\nlate = \"2m\"\n")
		look("taken back", "", false)

		write("[notify]\nlate = \"soon\"\n")
		load("alarms.toml:2: ")
		write("[notify]\nlate = \"2m\"\n")
		look("the last good one again", "", false)
		if err := os.Remove(k.File); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(k.File, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := k.Look(); err == nil || !strings.Contains(err.Error(), "is a directory") {
			t.Errorf("a folder: %v", err)
		}
	})
}

// Without a folder for copies, the last valid file of the process stays in force;
// where no file ever was valid, the defaults do, and the fault says so.
func TestKeeperWithoutAFolder(t *testing.T) {
	k := rules.Keeper{File: filepath.Join(t.TempDir(), "alarms.toml")}
	load := func(text string, late time.Duration, want string) {
		t.Helper()
		if err := os.WriteFile(k.File, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, fault := k.Load()
		if f.Notify.Late != late || !says(fault, want) || fault != nil && !says(k.Look(), want) {
			t.Errorf("%q: late %s, %v, %v; want %s, %q", text, f.Notify.Late, fault, k.Look(), late, want)
		}
		if fault != nil && !strings.Contains(rules.Summary(fault), "in force") {
			t.Errorf("summary %q", rules.Summary(fault))
		}
	}
	load("colour = 1\n", time.Minute, "there is no earlier valid file: the defaults are in force")
	load("[notify]\nlate = \"2m\"\n", 2*time.Minute, "")
	load("colour = 1\n", 2*time.Minute, "alarms.toml:1: unknown key colour")
	if err := k.Look(); errors.Is(err, rules.ErrDefaults) {
		t.Errorf("the last valid file is in force: %v", err)
	}
}

// What a process began with, the copy of an earlier one, stays in force after a bad
// edit also where the copy is gone.
func TestKeeperRemembersTheCopyItBeganWith(t *testing.T) {
	dir := t.TempDir()
	k := rules.Keeper{File: filepath.Join(dir, "alarms.toml"), LastGood: filepath.Join(dir, "good")}
	for name, text := range map[string]string{k.File: "colour = 1\n", k.LastGood: "[notify]\nlate = \"2m\"\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if f, fault := k.Load(); f.Notify.Late != 2*time.Minute || !says(fault, "unknown key colour") || errors.Is(fault, rules.ErrDefaults) {
			t.Errorf("late %s, %v", f.Notify.Late, fault)
		}
		if err := os.RemoveAll(k.LastGood); err != nil {
			t.Fatal(err)
		}
	}
}
