package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"libra/pkg/notifier"
	"libra/pkg/rules"
)

// A bad edit is a trouble, also where no good file ever was.
func TestReloadOfABadFile(t *testing.T) {
	s := settings{file: rules.Keeper{File: filepath.Join(t.TempDir(), "alarms.toml")}, cfg: notifier.Config{State: t.TempDir(), Runtime: t.TempDir()}}
	n := notifier.New(s.cfg, notifier.Deps{Log: slog.New(slog.DiscardHandler)})
	if err := os.WriteFile(s.file.File, []byte("colour = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.reload(t.Context(), n); err == nil {
		t.Error("taken over")
	}
	got := n.Troubles()
	if len(got) != 1 || got[0].ID != "alarms-file" || !strings.Contains(got[0].Evidence, "alarms.toml:1: ") {
		t.Errorf("%+v", got)
	}
	// It is over when it is taken over, not when the file is corrected.
	if err := os.WriteFile(s.file.File, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	n.Fault(s.file.Look())
	if got := n.Troubles(); len(got) != 1 || !strings.Contains(got[0].Summary+got[0].Evidence, "has changes that are not in force"+"alarms.toml was changed, is valid, and is not in force") {
		t.Errorf("%+v", got)
	}
	cancel() // nobody runs who would apply it
	if err := s.reload(ctx, n); !errors.Is(err, context.Canceled) || len(n.Troubles()) != 0 {
		t.Errorf("%v, %+v", err, n.Troubles())
	}
}
