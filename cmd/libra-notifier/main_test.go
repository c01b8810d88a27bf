package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"libra/pkg/notifier"
)

// A bad edit is a trouble, also where no good file ever was.
func TestReloadOfABadFile(t *testing.T) {
	s := settings{file: filepath.Join(t.TempDir(), "alarms.toml"), cfg: notifier.Config{State: t.TempDir(), Runtime: t.TempDir()}}
	n := notifier.New(s.cfg, notifier.Deps{Log: slog.New(slog.DiscardHandler)})
	if err := os.WriteFile(s.file, []byte("colour = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.reload(t.Context(), n); err == nil {
		t.Error("taken over")
	}
	got := n.Troubles()
	if len(got) != 1 || got[0].ID != "alarms-file" || !strings.Contains(got[0].Evidence, "alarms.toml:1: ") {
		t.Errorf("%+v", got)
	}
}
