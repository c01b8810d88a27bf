package release

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"libra/pkg/component"
)

// unfinished begins the names of folders that are being filled or removed.
const unfinished = ".new-"

// spare is how much of the disk must stay free, in bytes.
const spare = 64 << 20

// ErrNoSpace says that the disk has no room for another release.
var ErrNoSpace = errors.New("no space")

// ErrExists says that another release of that version is installed.
var ErrExists = errors.New("another release of this version is installed")

// Unpack verifies the release in an archive or a folder, and installs it beside the
// others. Installed already, it is left as it is. Errors are ErrInvalid, ErrNoSpace,
// ErrExists or those of the system; nothing has changed then.
//
// Refused are: links and devices, paths that are absolute or lead outside, files that are
// not in SHA256SUMS or differ from it, more than 1 GB or 500 files, and a release that
// lacks a component or its unit.
func (l Layout) Unpack(file string) (version string, err error) {
	from, err := open(file)
	if err != nil {
		return "", err
	}
	c, err := survey(from)
	if err != nil {
		return "", err
	}
	if err := complete(c); err != nil {
		return "", err
	}
	l.sweep()
	if installed, err := digestOf(l.Dir(c.version)); err == nil && installed == c.digest {
		return c.version, l.intact(c.version)
	}
	if err := l.replaceable(c.version); err != nil {
		return "", err
	}
	if err := l.room(c.bytes); err != nil {
		return "", err
	}
	tmp := filepath.Join(l.releases(), unfinished+c.version)
	if err := fill(tmp, from, c); err != nil {
		return "", errors.Join(err, os.RemoveAll(tmp))
	}
	if exists(l.Dir(c.version)) {
		if err := l.remove(c.version); err != nil {
			return "", errors.Join(err, os.RemoveAll(tmp))
		}
	}
	if err := os.Rename(tmp, l.Dir(c.version)); err != nil {
		return "", errors.Join(err, os.RemoveAll(tmp))
	}
	return c.version, syncFolder(l.releases())
}

// complete returns an error unless every component and its unit is there, but for those that
// are optional: earlier releases may not have them.
func complete(c contents) error {
	want := []string{"bin/libra", versionFile, "units/libra.target"}
	for _, one := range component.Required() {
		want = append(want, "bin/"+one.Name, "units/"+one.UnitFile())
	}
	for _, name := range want {
		if c.sums[name] == "" {
			return invalid("it has no %s", name)
		}
	}
	return nil
}

// sweep removes what kill -9 has left of an earlier Unpack. What cannot be removed takes
// space and does no other harm.
func (l Layout) sweep() {
	left, _ := filepath.Glob(filepath.Join(l.releases(), unfinished+"*")) // the pattern is as good as the folder
	for _, folder := range left {
		_ = os.RemoveAll(folder)
	}
}

func digestOf(dir string) (string, error) {
	f, err := os.Open(filepath.Join(dir, sumsFile))
	if err != nil {
		return "", err
	}
	defer f.Close()
	hash := sha256.New()
	if _, err := io.Copy(hash, io.LimitReader(f, mostSums)); err != nil {
		return "", err
	}
	return hex.EncodeToString(hash.Sum(nil)), nil
}

// intact verifies an installed release.
func (l Layout) intact(version string) error {
	from, err := open(l.Dir(version))
	if err != nil {
		return err
	}
	if _, err := survey(from); err != nil {
		return fmt.Errorf("the installed release %s: %w", l.Dir(version), err)
	}
	return nil
}

// replaceable returns ErrExists where the version is in use.
func (l Layout) replaceable(version string) error {
	current, _ := l.Current() // "" where nothing is
	previous, _ := l.Previous()
	if slices.Contains([]string{current, previous}, version) {
		return fmt.Errorf("%w: %s, which is the current or the previous one: build it with a version of its own", ErrExists, version)
	}
	return nil
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// room returns ErrNoSpace unless so many bytes and some more are free.
func (l Layout) room(bytes int64) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(l.releases(), &s); err != nil {
		return err
	}
	if free := int64(s.Bavail) * s.Bsize; free < bytes+spare {
		return fmt.Errorf("%w: the release takes %d MB, and %d MB are free under %s, of which %d MB must stay free", ErrNoSpace, bytes>>20, free>>20, l.releases(), spare>>20)
	}
	return nil
}

// fill writes the files of a release into a new folder, verifies each again and syncs all.
func fill(dir string, from source, c contents) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	folders := []string{"."}
	err = from(func(_, name string, size int64, content io.Reader) error {
		want := c.sums[name]
		if name == sumsFile {
			want = c.digest
		}
		folder := path.Dir(name)
		if err := root.MkdirAll(folder, 0o755); err != nil {
			return err
		}
		for ; !slices.Contains(folders, folder); folder = path.Dir(folder) {
			folders = append(folders, folder)
		}
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(name, "bin/") {
			mode = 0o755
		}
		return write(root, name, mode, io.LimitReader(content, size), want)
	})
	for _, folder := range folders {
		err = errors.Join(err, root.Chmod(folder, 0o755), syncFolder(filepath.Join(dir, folder)))
	}
	return err
}

func write(root *os.Root, name string, mode fs.FileMode, content io.Reader, want string) error {
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(f, hash), content)
	if err == nil && hex.EncodeToString(hash.Sum(nil)) != want {
		err = invalid("the file %q has changed meanwhile", name)
	}
	if err == nil {
		err = f.Chmod(mode) // whatever the umask is
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
