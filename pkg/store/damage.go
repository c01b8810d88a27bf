package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/mattn/go-sqlite3"
)

// ErrDamaged says that the file at the path is not the database it was: gone,
// replaced, truncated or corrupt. SetAside makes room for a new one.
var ErrDamaged = errors.New("damaged")

// ErrReplaced is an ErrDamaged: somebody put another file there, which stays.
var ErrReplaced = fmt.Errorf("%w: replaced", ErrDamaged)

// ErrReadOnly says that the writer has no right to write, and has it no sooner
// than it is opened again.
var ErrReadOnly = errors.New("read-only")

// damaged tells what SQLite finds wrong with the file itself from what may
// pass: locks, full disks, permissions.
func damaged(err error) bool {
	var se sqlite3.Error
	if !errors.As(err, &se) {
		return false
	}
	return se.Code == sqlite3.ErrCorrupt || se.Code == sqlite3.ErrNotADB || se.ExtendedCode == sqlite3.ErrIoErrShortRead
}

// Intact looks at the path: nil while the file that the writer has open still
// stands there, and has not shrunk. A deleted file can be written to for ever,
// and nothing of it is kept.
func (w *Writer) Intact() error {
	info, err := os.Stat(w.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: database %q was deleted", ErrDamaged, w.path)
	case err != nil:
		return explain(w.path, err)
	case !os.SameFile(info, w.file):
		return fmt.Errorf("database %q: %w", w.path, ErrReplaced)
	case info.Size() < w.least:
		return fmt.Errorf("%w: database %q was truncated from %d to %d bytes", ErrDamaged, w.path, w.least, info.Size())
	}
	if !w.shrinking {
		w.least = info.Size()
	}
	return nil
}

// quickCheck reads the whole file once.
func quickCheck(ctx context.Context, conn *sql.Conn) error {
	var verdict string
	if err := conn.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&verdict); err != nil {
		return err
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s", ErrDamaged, verdict)
	}
	return nil
}

// SetAside moves a damaged database out of the way, with what lies beside it,
// to names that end in the time, and returns the new name. It is called with
// no writer open on the path, or one that is closed next. A file that somebody
// put in the place of the old one stays: only the old one's log goes.
func SetAside(path string, replaced bool, now time.Time) (string, error) {
	aside := path + ".damaged-" + now.UTC().Format("20060102T150405.000Z")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if suffix == "" && replaced {
			continue
		}
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("set damaged database aside: %w", err)
		}
	}
	return aside, nil
}
