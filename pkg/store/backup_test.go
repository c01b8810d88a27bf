package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/event"
	"libra/pkg/store"
)

func TestBackupAndRestore(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir()
	path, file := filepath.Join(dir, "libra.db"), filepath.Join(dir, "backup.db")
	w := openWriter(t, path)
	add := func(w *store.Writer, n int) {
		t.Helper()
		if _, err := w.AddReports(ctx, []event.Reported{reported(n, n)}, event.Position{Created: start, Sequence: uint64(n)}); err != nil {
			t.Fatal(err)
		}
	}
	add(w, 1)
	if err := store.Backup(ctx, path, file); err != nil {
		t.Fatal(err)
	}
	if n, err := store.Verify(ctx, file); n != 1 || err != nil {
		t.Errorf("Verify = %d, %v", n, err)
	}
	if err := store.Backup(ctx, path, file); !errors.Is(err, store.ErrExists) {
		t.Errorf("a second backup to the same file: %v", err)
	}
	add(w, 2)

	if _, err := store.Restore(ctx, file, path, false, start); !errors.Is(err, store.ErrExists) {
		t.Errorf("restore over a database: %v", err)
	}
	if _, err := store.Restore(ctx, filepath.Join(dir, "nothing"), path, true, start); err == nil {
		t.Error("restored from a missing file")
	}
	aside, err := store.Restore(ctx, file, path, true, start)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(aside, ".replaced-") {
		t.Errorf("what a restore replaces is set aside as %q, which reads as damage", aside)
	}
	if n, err := store.Verify(ctx, aside); n != 2 || err != nil {
		t.Errorf("the file set aside holds %d reports, %v", n, err)
	}
	if err := w.Intact(); !errors.Is(err, store.ErrReplaced) {
		t.Errorf("the running writer sees %v", err)
	}
	w2 := openWriter(t, path)
	if p, err := w2.Position(ctx, event.ReportStream); err != nil || p.Sequence != 1 {
		t.Errorf("the restored database has the position %v, %v", p, err)
	}
	r := store.NewReader(path)
	defer r.Close()
	if list, err := r.Latest(ctx, time.Time{}, 9); err != nil || !cmp.Equal(ids(list), []string{"r1-1"}) {
		t.Errorf("restored: %v, %v", ids(list), err)
	}

	// Without an existing database, no force is needed.
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Restore(ctx, file, filepath.Join(empty, "libra.db"), false, start); err != nil {
		t.Error(err)
	}
}

// A fault of the copy is not reported as one of the database.
func TestBackupFaultsNameTheCopy(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "libra.db")
	openWriter(t, path)
	for file, want := range map[string]error{
		filepath.Join(dir, "none", "x.db"):           fs.ErrNotExist,
		filepath.Join(path, "x.db"):                  syscall.ENOTDIR,
		"/proc/x.db":                                 fs.ErrNotExist,
		filepath.Join(dir, strings.Repeat("x", 300)): syscall.ENAMETOOLONG,
	} {
		err := store.Backup(t.Context(), path, file)
		if !errors.Is(err, store.ErrTarget) || !errors.Is(err, want) || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "database") {
			t.Errorf("%s: %v", file, err)
		}
	}
	if err := store.Backup(t.Context(), filepath.Join(dir, "none.db"), filepath.Join(dir, "x.db")); err == nil || errors.Is(err, store.ErrTarget) {
		t.Errorf("backup of a missing database: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "x.db*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
