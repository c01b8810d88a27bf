// Package statefile keeps small files that must outlive a process: what a
// component remembers, and what it must not do twice.
//
// Contract:
//
//   - A file is there whole or not at all, after kill -9 and after a power cut.
//     Write makes a temporary file in the same folder, syncs it, renames it over
//     the old one and syncs the folder.
//   - When Write fails (disk full, read-only, no permission, too large), the old
//     file stays as it was and the temporary file is removed. One exception:
//     when only the sync of the folder fails, the new file is in place, and a
//     power cut may bring the old one back.
//   - A file that Load cannot use is renamed to Path + ".damaged", so that the
//     next start does not meet it again and a person can look at it. There is
//     one of them at most: a newer one replaces it.
//   - What kill -9 leaves of a Write (.new-…) is removed by the next Read or
//     Load. So one process owns a file, and Read and Load must not overlap its
//     Writes; others may read it by other means.
//   - Read and Load follow a symbolic link at Path. Write, Remove and the setting
//     aside of a damaged file replace, remove or rename the link, and leave what
//     it leads to as it is.
//
// The package keeps nothing in memory, starts no goroutines and has no timeouts:
// a call takes as long as the disk does.
package statefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// DefaultMax bounds a file where File.Max is 0: 16 MiB.
const DefaultMax = 16 << 20

// ErrTooLarge is in the error of a file, or of data, beyond File.Max.
var ErrTooLarge = errors.New("too large")

// DamagedError says that Load found a file that it cannot use.
type DamagedError struct {
	Path  string
	Aside string // where the file is now; "" if it could not be renamed
	Err   error  // what is wrong with it, and with the rename if that failed
}

// Error names the file, what is wrong with it and where it is now.
func (e *DamagedError) Error() string {
	if e.Aside == "" {
		return fmt.Sprintf("damaged file %q: %v", e.Path, e.Err)
	}
	return fmt.Sprintf("damaged file %q, set aside as %q: %v", e.Path, e.Aside, e.Err)
}

// Unwrap returns what is wrong with the file.
func (e *DamagedError) Unwrap() error { return e.Err }

// File is a place for one small state file. Its folder must exist. Writes of
// the same file must not overlap, or the older one may win.
type File struct {
	Path string
	Mode fs.FileMode // 0 means 0600; the umask does not apply
	Max  int64       // largest size in bytes; 0 means DefaultMax
	// Unsynced leaves out both syncs: Write is faster, and a power cut may lose
	// the file. For folders in memory (/run), and for what can be lost.
	Unsynced bool
}

// Write replaces the file with data. Errors wrap those of the system (ENOSPC,
// EROFS, …) or ErrTooLarge.
func (f File) Write(data []byte) error {
	if err := f.write(data); err != nil {
		return fmt.Errorf("write %q: %w", f.Path, cause(err))
	}
	return nil
}

func (f File) write(data []byte) error {
	if int64(len(data)) > f.max() {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrTooLarge, len(data), f.max())
	}
	tmp, err := os.CreateTemp(filepath.Dir(f.Path), f.temporary()+"*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // gone already, unless something failed
	mode := f.Mode
	if mode == 0 {
		mode = 0o600
	}
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Chmod(mode)
	}
	if err == nil && !f.Unsynced {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp.Name(), f.Path); err != nil || f.Unsynced {
		return err
	}
	return syncFolder(f.Path)
}

// Read returns what was written last. Errors are fs.ErrNotExist where there is
// no file, ErrTooLarge, or those of the system. Read sets nothing aside.
func (f File) Read() ([]byte, error) {
	f.tidy()
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", f.Path, cause(err))
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, f.max()+1))
	if err == nil && int64(len(data)) > f.max() {
		err = fmt.Errorf("%w: more than %d bytes", ErrTooLarge, f.max())
	}
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", f.Path, cause(err))
	}
	return data, nil
}

// Load reads the file and has decode take it. A file that is too large, or of
// which decode returns an error, is set aside: the error is a *DamagedError.
// Other errors are those of Read, and leave the file where it is.
func (f File) Load(decode func([]byte) error) error {
	data, err := f.Read()
	if err != nil && !errors.Is(err, ErrTooLarge) {
		return err
	}
	if err == nil {
		if err = decode(data); err == nil {
			return nil
		}
	}
	aside := f.Path + ".damaged"
	if failed := os.Rename(f.Path, aside); failed != nil {
		return &DamagedError{f.Path, "", errors.Join(err, failed)}
	}
	return &DamagedError{f.Path, aside, err}
}

// Remove removes the file. A file that does not exist is no error.
func (f File) Remove() error {
	if err := os.Remove(f.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove %q: %w", f.Path, cause(err))
	}
	return nil
}

// Replace renames a complete file to another name in the same folder so that a
// power cut leaves the old or the new one: for files that are too large for
// Write, or that another library writes.
func Replace(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return syncFolder(to)
}

func (f File) max() int64 {
	if f.Max > 0 {
		return f.Max
	}
	return DefaultMax
}

// temporary begins the name of each temporary file of f.
func (f File) temporary() string { return ".new-" + filepath.Base(f.Path) + "-" }

// tidy removes what interrupted Writes left. A folder that cannot be read or
// written keeps it.
func (f File) tidy() {
	list, err := os.ReadDir(filepath.Dir(f.Path))
	if err != nil {
		return
	}
	for _, e := range list {
		random, ok := strings.CutPrefix(e.Name(), f.temporary())
		if ok && strings.Trim(random, "0123456789") == "" { // else of another file, such as "a-b" beside "a"
			_ = os.Remove(filepath.Join(filepath.Dir(f.Path), e.Name()))
		}
	}
}

// syncFolder makes a rename in the folder of path survive a power cut. Some file
// systems have no such sync, and answer EINVAL.
func syncFolder(path string) error {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	err = dir.Sync()
	if errors.Is(err, syscall.EINVAL) {
		err = nil
	}
	return errors.Join(err, dir.Close())
}

// cause leaves out the path that package os names: that of a temporary file, or
// one that the caller has named.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	var le *os.LinkError
	if errors.As(err, &le) {
		return le.Err
	}
	return err
}
