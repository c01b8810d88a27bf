package store_test

import (
	"context"
	"path/filepath"
	"testing"

	"libra/pkg/event"
	"libra/pkg/store"
)

// While the database is held, its writer cannot write and readers read; afterwards it can.
func TestHeldDatabaseIsReadOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "libra.db")
	w := openWriter(t, path)
	r := store.NewReader(path)
	defer r.Close()
	add := func(n int) error {
		_, err := w.AddReports(t.Context(), []event.Reported{reported(1, n)}, event.Position{})
		return err
	}
	if err := add(1); err != nil {
		t.Fatal(err)
	}
	ctx, release := context.WithCancel(t.Context())
	held, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- store.HoldLocked(ctx, path, func() { close(held) }) }()
	select {
	case <-held:
	case err := <-ended:
		t.Fatal(err)
	}
	if err := add(2); err == nil {
		t.Error("written although the database is held")
	}
	if got, err := r.Report(t.Context(), reported(1, 1).Request.Page); err != nil || got.Request.ID != reported(1, 1).Request.ID {
		t.Errorf("read while the database is held: %v, %v", got.Request.ID, err)
	}
	release()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := add(3); err != nil {
		t.Errorf("write after the release: %v", err)
	}
	if err := store.HoldLocked(t.Context(), filepath.Join(t.TempDir(), "none.db"), func() { t.Error("held what is not there") }); err == nil {
		t.Error("no error of a database that is not there")
	}
}
