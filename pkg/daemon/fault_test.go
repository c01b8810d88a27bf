package daemon_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"libra/pkg/daemon"
)

// noFiles lets this process open no file until the test ends.
func noFiles(t *testing.T) {
	t.Helper()
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 0, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
			t.Fatal(err)
		}
	})
}

// What the machine lacks for a while stops no process for good: a folder that
// cannot be written is a warning, a file that cannot be read is exit code 1.
func TestShortOfFiles(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var folder, file string
	ran := 0
	p := daemon.Program{
		Name: "libra-test",
		Settings: []daemon.Setting{
			{Name: "state", FlagOnly: true, Into: daemon.Folder(&folder)},
			{Name: "key", FlagOnly: true, Into: daemon.File(&file)},
		},
		Run: func(context.Context, *daemon.Process) error { ran++; return nil },
	}
	noFiles(t)
	if code, text := run(t.Context(), p, "--state", dir); code != 0 || ran != 1 || folder != dir || !strings.Contains(text, "level=WARN") || !strings.Contains(text, "too many open files") {
		t.Errorf("a folder: exit code %d, folder %q, ran %d times: %s", code, folder, ran, text)
	}
	if code, text := run(t.Context(), p, "--state", dir, "--check"); code != 0 || ran != 1 || !strings.Contains(text, "too many open files") {
		t.Errorf("--check: exit code %d, ran %d times: %s", code, ran, text)
	}
	if code, text := run(t.Context(), p, "--key", key); code != 1 || ran != 1 || !strings.Contains(text, "cannot read it (too many open files)") {
		t.Errorf("a file: exit code %d, ran %d times: %s", code, ran, text)
	}
	if code, text := run(t.Context(), p, "--key", key, "--nosuch"); code != 2 {
		t.Errorf("beside a fault of the configuration: exit code %d: %s", code, text)
	}
}

// Faults of the machine: full, read-only, faulty. Faults of the configuration:
// absent, forbidden.
func TestTransientErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{syscall.ENOSPC, 1},
		{syscall.EDQUOT, 1},
		{syscall.EROFS, 1},
		{syscall.EIO, 1},
		{syscall.EMFILE, 1},
		{syscall.ENFILE, 1},
		{syscall.ENOENT, 2},
		{syscall.EACCES, 2},
		{syscall.ENOTDIR, 2},
		{errors.New("line 3"), 2},
	} {
		wrapped := fmt.Errorf("%w: %w", daemon.ErrConfig, &fs.PathError{Op: "open", Path: "/x", Err: c.err})
		code, text := run(t.Context(), daemon.Program{Name: "libra-test", Run: func(context.Context, *daemon.Process) error { return wrapped }})
		if code != c.want {
			t.Errorf("%v: exit code %d, want %d: %s", c.err, code, c.want, text)
		}
		code, text = run(t.Context(), daemon.Program{
			Name:  "libra-test",
			Check: func() []error { return []error{wrapped} },
			Run:   func(context.Context, *daemon.Process) error { return nil },
		})
		if code != c.want {
			t.Errorf("found by Check, %v: exit code %d, want %d: %s", c.err, code, c.want, text)
		}
	}
}

// A spare setting that is invalid has its default, and the start continues.
func TestSpare(t *testing.T) {
	var count int
	var tolerated []error
	p := daemon.Program{
		Name:     "libra-test",
		Settings: []daemon.Setting{{Name: "count", FlagOnly: true, Spare: true, Default: "3", Into: daemon.Count(&count, 1, 9)}},
		Run:      func(_ context.Context, p *daemon.Process) error { tolerated = p.Tolerated; return nil },
	}
	if code, text := run(t.Context(), p, "--count", "abc"); code != 0 || count != 3 || len(tolerated) != 1 || !strings.Contains(tolerated[0].Error(), `--count "abc": must be a whole number`) {
		t.Errorf("exit code %d, count %d, %v: %s", code, count, tolerated, text)
	}
	p.Check = func() []error { return []error{daemon.Tolerable(syscall.EROFS)} } // is no fault of the configuration
	if code, _ := run(t.Context(), p, "--count", "5"); code != 0 || count != 5 || len(tolerated) != 0 {
		t.Errorf("exit code %d, count %d, %v", code, count, tolerated)
	}
}
