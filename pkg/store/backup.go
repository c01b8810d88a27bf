package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/mattn/go-sqlite3"

	"libra/pkg/statefile"
)

// ErrExists says that a file would be overwritten.
var ErrExists = errors.New("already exists")

// ErrTarget says that the copy cannot be written; the database is not at fault.
var ErrTarget = errors.New("cannot be written")

// ErrNoFolder says that a database cannot be restored where no recorder has made a
// folder for it.
var ErrNoFolder = errors.New("does not exist")

// Backup writes a consistent copy of the database at path to file, while the
// database is in use. The file is complete or missing, also after a power cut,
// and an existing one is never overwritten (ErrExists). A fault of the file or
// of its disk is an ErrTarget.
func Backup(ctx context.Context, path, file string) error {
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("%q %w", file, ErrExists)
	}
	db, err := open(path, url.Values{"mode": {"ro"}, "_busy_timeout": {"10000"}})
	if err != nil {
		return err
	}
	defer db.Close()
	part := file + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return target(file, fmt.Errorf("remove %q of an earlier attempt: %w", part, err))
	}
	defer os.Remove(part)
	if err := touch(part); err != nil {
		return target(file, err)
	}
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", part); err != nil {
		if se := (sqlite3.Error{}); errors.As(err, &se) && (se.Code == sqlite3.ErrFull || se.ExtendedCode == sqlite3.ErrIoErrWrite) {
			return target(file, err) // the database is only read
		}
		return explain(path, err)
	}
	if err := statefile.Replace(part, file); err != nil {
		return target(file, err)
	}
	return nil
}

// touch creates the empty file that VACUUM INTO fills, because SQLite's error
// does not say why it cannot create one.
func touch(file string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	return f.Close()
}

// target returns an ErrTarget that names the file as the caller does.
func target(file string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		err = pe.Err
	}
	return fmt.Errorf("backup %q %w: %w", file, ErrTarget, err)
}

// Verify reads all of a database once and counts its reports. It returns
// ErrDamaged if the file is not sound.
func Verify(ctx context.Context, path string) (reports int, err error) {
	if _, err := os.Stat(path); err != nil {
		return 0, err
	}
	db, err := open(path, url.Values{"mode": {"ro"}, "_busy_timeout": {"10000"}})
	if err != nil {
		return 0, err
	}
	defer db.Close()
	conn, err := db.Conn(ctx)
	if err != nil {
		return 0, explain(path, err)
	}
	defer conn.Close()
	if err := quickCheck(ctx, conn); err != nil {
		return 0, explain(path, err)
	}
	if err := conn.QueryRowContext(ctx, "SELECT count(*) FROM report").Scan(&reports); err != nil {
		return 0, explain(path, err)
	}
	return reports, nil
}

// Restore replaces the database at path by a copy of file, with the owner and the
// permissions of the old one, which is set aside under the returned name, libra.db.replaced-TIME. A
// running recorder notices the new file and adds from the bus what it lacks.
// Without force, an existing database stays (ErrExists). Its folder must exist
// (ErrNoFolder), and so must file (fs.ErrNotExist).
func Restore(ctx context.Context, file, path string, force bool, now time.Time) (aside string, err error) {
	switch _, err := Verify(ctx, file); {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("backup %q: %w", file, fs.ErrNotExist)
	case err != nil:
		return "", fmt.Errorf("verify the backup: %w", err)
	}
	like, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		folder := filepath.Dir(path)
		if like, err = os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
			return "", fmt.Errorf("folder %q %w", folder, ErrNoFolder)
		}
		if err != nil {
			return "", err
		}
	} else if err != nil {
		return "", err
	} else if !force {
		return "", fmt.Errorf("database %q %w", path, ErrExists)
	}
	part := path + ".restore"
	defer os.Remove(part)
	if err := copyAs(file, part, like); err != nil {
		return "", err
	}
	if aside, err = setAside(path, ".replaced-", false, now); err != nil {
		return "", err
	}
	return aside, statefile.Replace(part, path)
}

// copyAs copies a file and gives the copy the owner of like.
func copyAs(from, to string, like os.FileInfo) error {
	src, err := os.Open(from)
	if err != nil {
		return err
	}
	defer src.Close()
	dst, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o640)
	if err != nil {
		return err
	}
	_, err = io.Copy(dst, src)
	if owner, ok := like.Sys().(*syscall.Stat_t); ok && err == nil {
		err = dst.Chown(int(owner.Uid), int(owner.Gid))
	}
	return errors.Join(err, dst.Close())
}
