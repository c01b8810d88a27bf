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
			if _, fault, err := k.Load(); !says(fault, want) || err != nil {
				t.Errorf("load: %v, %v, want %q", fault, err, want)
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
		look("mended", "alarms.toml is valid again, and is not in force: systemctl reload", true)
		time.Sleep(time.Hour)
		look("mended, and long ago", "is not in force", true)
		load("")
		look("applied", "", false)

		write("[notify]\nlate = \"3m\"\n")
		look("a good edit", "", false)
		time.Sleep(4 * time.Minute)
		look("a good edit, some minutes old", "", false)
		time.Sleep(2 * time.Minute)
		look("a good edit, forgotten", "alarms.toml was changed at ", true)
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
