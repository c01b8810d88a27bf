package store_test

import (
	"errors"
	"os"
	"path/filepath"
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
		t.Error("restored from a file that is not there")
	}
	aside, err := store.Restore(ctx, file, path, true, start)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := store.Verify(ctx, aside); n != 2 || err != nil {
		t.Errorf("what was set aside holds %d reports, %v", n, err)
	}
	if err := w.Intact(); !errors.Is(err, store.ErrReplaced) {
		t.Errorf("the running writer sees %v", err)
	}
	w2 := openWriter(t, path)
	if p, err := w2.Position(ctx, event.ReportStream); err != nil || p.Sequence != 1 {
		t.Errorf("the restored database stands at %v, %v", p, err)
	}
	r := store.NewReader(path)
	defer r.Close()
	if list, err := r.Latest(ctx, time.Time{}, 9); err != nil || !cmp.Equal(ids(list), []string{"r1-1"}) {
		t.Errorf("restored: %v, %v", ids(list), err)
	}

	// Where nothing stands, nothing need be forced.
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o750); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Restore(ctx, file, filepath.Join(empty, "libra.db"), false, start); err != nil {
		t.Error(err)
	}
}
