package asyncfile_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"libra/pkg/bus/bustest"
	"libra/pkg/statefile"
	"libra/pkg/watchdog/asyncfile"
)

func newFile(path string) (f *asyncfile.File, log *strings.Builder) {
	log = &strings.Builder{}
	return &asyncfile.File{Path: path, Log: slog.New(slog.NewTextHandler(log, nil))}, log
}

// What is saved last is loaded by the next process, until it is removed.
func TestSaveAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	f, log := newFile(path)
	for n := range 3 {
		f.Save(n)
	}
	next, _ := newFile(path)
	if n := -1; !next.Load(&n) || n != 2 {
		t.Errorf("loaded %d, want 2", n)
	}
	next.Remove()
	if n := -1; next.Load(&n) || n != -1 {
		t.Errorf("after Remove: loaded %d", n)
	}
	if log.Len() > 0 {
		t.Errorf("logged: %s", log)
	}
}

// The state of many pages, beyond the default bound of package statefile, is saved.
func TestLargeState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	f, _ := newFile(path)
	large := strings.Repeat("x", statefile.DefaultMax+1)
	f.Save(large)
	bustest.Await(t, "the state to be saved", func() bool { _, err := os.Stat(path); return err == nil })
	next, _ := newFile(path)
	if got := ""; !next.Load(&got) || got != large {
		t.Errorf("loaded %d bytes, want %d", len(got), len(large))
	}
}

// A file that cannot be read is set aside and logged; one that cannot be
// written is logged once.
func TestFaultsAreLogged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.json")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, log := newFile(path)
	var v map[string]int
	if f.Load(&v) || !strings.Contains(log.String(), "cannot use saved state") {
		t.Errorf("a damaged file is loaded as %v; logged: %s", v, log)
	}
	f, log = newFile(filepath.Join(t.TempDir(), "none", "state.json"))
	f.Save(1)
	f.Save(2)
	if n := strings.Count(log.String(), "cannot save state"); n != 1 {
		t.Errorf("logged %d times: %s", n, log)
	}
}

// Without a path nothing is saved, loaded or logged.
func TestOff(t *testing.T) {
	f, log := newFile("")
	f.Save(1)
	var n int
	if f.Load(&n) || n != 0 || log.Len() > 0 {
		t.Errorf("loaded %d, logged %q", n, log)
	}
	f.Remove()
}
