// Package store keeps the history in one SQLite file: reports, alarms, notes, the
// board and watches.
//
// Contract:
//
//   - There is one Writer, in libra-recorder; other processes open a Reader,
//     which cannot write and needs no permission to.
//   - What a Writer method has stored is on disk when the method returns nil.
//     Storing the same id again changes nothing.
//   - The file is in WAL mode, so that readers and the writer do not wait for each
//     other, and stays in it when no process has the file open.
//   - A file that is not sound is never repaired: Open and Intact return
//     ErrDamaged, and SetAside renames it.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/mattn/go-sqlite3"

	"libra/pkg/libra"
)

// timeFormat sorts as text.
const timeFormat = "2006-01-02T15:04:05.000000000Z"

func stamp(t time.Time) string { return t.UTC().Format(timeFormat) }

// Writer is the one writer of a database. Its methods are called by one
// goroutine at a time.
type Writer struct {
	db   *sql.DB
	path string
	file os.FileInfo // what was opened
	// least is the smallest size of the file, in bytes, that is not damage: the
	// largest size seen; after Prune, the size that the file shrinks to.
	least     int64
	shrinking bool
}

// Open opens or creates the database at path, reads all of it once to check it,
// and migrates its schema. It returns ErrDamaged if the file is not sound and
// can be set aside, ErrSchema if it is of a later program, libra.ErrUnavailable or
// libra.ErrFull if it cannot be used.
func Open(ctx context.Context, path string) (*Writer, error) {
	return openWith(ctx, path, migrations)
}

func openWith(ctx context.Context, path string, files fs.FS) (*Writer, error) {
	if err := writable(path); err != nil {
		return nil, err
	}
	if err := emptied(path); err != nil {
		return nil, err
	}
	db, err := open(path, url.Values{
		"_busy_timeout": {"1000"}, "_journal_mode": {"WAL"}, "_synchronous": {"FULL"},
		"_foreign_keys": {"on"}, "_txlock": {"immediate"}, "_cache_size": {"-4000"},
		"_auto_vacuum": {"incremental"}, // of a file that it creates; see Prune
	})
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	w := &Writer{db: db, path: path}
	if err := w.prepare(ctx, files); err != nil {
		return nil, errors.Join(explain(path, err), db.Close())
	}
	if w.file, err = os.Stat(path); err != nil {
		return nil, errors.Join(explain(path, err), db.Close())
	}
	w.least = w.file.Size()
	return w, nil
}

// writable checks the permission before the whole file is read: SQLite opens a
// file without write permission, and fails later. A missing file is created
// later. The file is not opened, because closing it would drop the locks of this
// process.
func writable(path string) error {
	const writeOK = 2 // W_OK of unistd.h
	if err := syscall.Access(path, writeOK); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: database %q: no write permission: %w", libra.ErrUnavailable, path, err)
	}
	return nil
}

// Close closes the writer; the file stays readable without it.
func (w *Writer) Close() error { return w.db.Close() }

func open(path string, params url.Values) (*sql.DB, error) {
	db, err := sql.Open("sqlite3", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+params.Encode())
	if err != nil {
		return nil, fmt.Errorf("open database %q: %w", path, err)
	}
	return db, nil
}

func (w *Writer) prepare(ctx context.Context, files fs.FS) error {
	conn, err := w.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	// Keep -wal and -shm when the last connection closes: readers cannot create
	// them.
	err = conn.Raw(func(c any) error {
		return c.(*sqlite3.SQLiteConn).SetFileControlInt("main", sqlite3.SQLITE_FCNTL_PERSIST_WAL, 1)
	})
	if err != nil {
		return fmt.Errorf("keep the write-ahead log: %w", err)
	}
	if err := quickCheck(ctx, conn); err != nil {
		return err
	}
	return migrate(ctx, conn, files)
}

// explain adds the path and, where SQLite's own message is unspecific, what to
// look at; it maps SQLite's codes to the errors of this package and of libra.
func explain(path string, err error) error {
	var se sqlite3.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sql.ErrNoRows):
		return libra.ErrNotFound
	case errors.Is(err, ErrSchema):
		return fmt.Errorf("database %q: %w", path, err)
	case damaged(err):
		return fmt.Errorf("%w: database %q: %w", ErrDamaged, path, err)
	case !errors.As(err, &se):
		return fmt.Errorf("%w: database %q: %w", libra.ErrUnavailable, path, err)
	case se.Code == sqlite3.ErrFull:
		return fmt.Errorf("%w: database %q: %w", libra.ErrFull, path, err)
	case se.Code == sqlite3.ErrReadonly:
		return fmt.Errorf("%w: database %q: %w: %w", libra.ErrUnavailable, path, ErrReadOnly, err)
	case se.Code == sqlite3.ErrCantOpen:
		hint := "it does not exist yet"
		if _, serr := os.Stat(path); serr == nil {
			hint = "this user cannot open it, or its -wal or -shm"
		} else if !errors.Is(serr, fs.ErrNotExist) {
			hint = strings.TrimSpace(serr.Error())
		}
		return fmt.Errorf("%w: database %q: %s", libra.ErrUnavailable, path, hint)
	}
	return fmt.Errorf("%w: database %q: %w", libra.ErrUnavailable, path, err)
}
