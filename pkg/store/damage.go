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

// ErrDamaged says that the file at the path is not the database that was opened:
// deleted, replaced, truncated or corrupt. SetAside makes room for a new one.
var ErrDamaged = errors.New("damaged")

// ErrReplaced is an ErrDamaged: another file is at the path, and stays there.
var ErrReplaced = fmt.Errorf("%w: replaced", ErrDamaged)

// ErrReadOnly says that the writer has no write permission. Opening it again is
// the only remedy.
var ErrReadOnly = errors.New("read-only")

// damaged says whether SQLite's error is about the content of the file, and not
// about a lock, a full disk or a permission, which may pass.
func damaged(err error) bool {
	var se sqlite3.Error
	if !errors.As(err, &se) {
		return false
	}
	return se.Code == sqlite3.ErrCorrupt || se.Code == sqlite3.ErrNotADB || se.ExtendedCode == sqlite3.ErrIoErrShortRead
}

// Intact returns nil while the file that the writer has open is still at the path
// and has not shrunk, else ErrDamaged. Writes to a deleted file succeed, and
// nothing of them is kept.
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

// emptied returns ErrDamaged where a database was truncated to nothing: a new one is empty
// too, but has no log yet. SQLite would make the empty file a new database, and cannot while
// a reader has it open.
func emptied(path string) error {
	info, err := os.Stat(path)
	if err != nil || info.Size() > 0 {
		return nil // Open says what is wrong
	}
	if _, err := os.Stat(path + "-wal"); err != nil {
		return nil
	}
	return fmt.Errorf("%w: database %q was truncated to 0 bytes", ErrDamaged, path)
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

// SetAside renames a damaged database, its -wal and its -shm to names that end in
// the time, and returns the new name. No writer may be open on the path, except
// one that is closed next. If the database was replaced, the new file stays and
// only the log of the old one is renamed.
func SetAside(path string, replaced bool, now time.Time) (string, error) {
	return setAside(path, ".damaged-", replaced, now)
}

// setAside is SetAside with names that go on with kind: the alarm history is for
// those that go on with ".damaged-".
func setAside(path, kind string, replaced bool, now time.Time) (string, error) {
	aside := path + kind + now.UTC().Format("20060102T150405.000Z")
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if suffix == "" && replaced {
			continue
		}
		if err := os.Rename(path+suffix, aside+suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("set database aside: %w", err)
		}
	}
	return aside, nil
}
