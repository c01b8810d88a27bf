// Package release is Libra as it is installed on a host: releases side by side, the one
// that runs, and a record of the last upgrade.
//
//	ROOT/releases/VERSION/    bin/, units/, sysusers.conf, LICENSE …, VERSION, SHA256SUMS
//	ROOT/current              a link to the release that runs
//	ROOT/previous             a link to the release before it: the way back
//	ROOT/bin                  a link to current/bin, which the units name
//	ROOT/upgrade.json         the record of the last upgrade, for libra and libra-watchdog
//	ROOT/upgrade.lock         locked while an upgrade is in progress
//
// Contract:
//
//   - A release is there whole and verified, or not at all: Unpack fills a folder of
//     another name, syncs it and renames it. What kill -9 leaves is removed by the next
//     Unpack.
//   - A link is replaced by a rename: current leads to a whole release at any moment,
//     after a power cut too.
//   - An archive or folder that is not a release of Libra changes nothing; see Unpack for
//     what is refused.
//
// The package keeps nothing in memory and starts no goroutines.
package release

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Root is where Libra is installed.
const Root = "/opt/libra"

// mostKept is how many releases Prune leaves.
const mostKept = 3

// Layout is an installation.
type Layout struct{ Root string }

// Release is an installed version.
type Release struct {
	Version   string    `json:"version"`
	Installed time.Time `json:"installed"`
	Current   bool      `json:"current"`
	Previous  bool      `json:"previous"`
}

// ErrNoCurrent says that nothing is installed at the root, or a version without releases.
var ErrNoCurrent = errors.New("no release is installed")

// ErrBusy says that another upgrade is in progress.
var ErrBusy = errors.New("another upgrade is in progress")

var versionName = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+_-]{0,63}$`)

// CheckVersion returns an error unless the text may be the name of a release.
func CheckVersion(version string) error {
	if !versionName.MatchString(version) {
		return fmt.Errorf("invalid version %q: must be 1 to 64 of A-Z a-z 0-9 . + _ - and begin with none of the last four", version)
	}
	return nil
}

// Dir is the folder of a release.
func (l Layout) Dir(version string) string { return filepath.Join(l.releases(), version) }

func (l Layout) releases() string { return filepath.Join(l.Root, "releases") }

// Current is the version that runs. It returns ErrNoCurrent without one.
func (l Layout) Current() (string, error) { return l.follow("current") }

// Previous is the version to go back to. It returns ErrNoCurrent without one.
func (l Layout) Previous() (string, error) { return l.follow("previous") }

func (l Layout) follow(link string) (string, error) {
	path := filepath.Join(l.Root, link)
	to, err := os.Readlink(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.EINVAL) { // EINVAL: it is no link
		return "", fmt.Errorf("%w: no link %s", ErrNoCurrent, path)
	}
	if err != nil {
		return "", err
	}
	version, ok := strings.CutPrefix(to, "releases/")
	if !ok || CheckVersion(version) != nil {
		return "", fmt.Errorf("%w: %s leads to %q, not to releases/VERSION", ErrNoCurrent, path, to)
	}
	if info, err := os.Stat(l.Dir(version)); err != nil || !info.IsDir() {
		return "", fmt.Errorf("%w: %s leads to %q, which does not exist", ErrNoCurrent, path, to)
	}
	return version, nil
}

// SetCurrent makes the release the current one.
func (l Layout) SetCurrent(version string) error { return l.link("current", version) }

// SetPrevious makes the release the one to go back to.
func (l Layout) SetPrevious(version string) error { return l.link("previous", version) }

func (l Layout) link(link, version string) error {
	if _, err := os.Stat(l.Dir(version)); err != nil {
		return fmt.Errorf("link %s: %w", link, err)
	}
	path := filepath.Join(l.Root, link)
	tmp := path + ".new"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) { // left by kill -9
		return fmt.Errorf("link %s: %w", link, err)
	}
	if err := os.Symlink("releases/"+version, tmp); err != nil {
		return fmt.Errorf("link %s: %w", link, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("link %s: %w", link, err)
	}
	return syncFolder(l.Root)
}

// List returns the installed releases, the newest first.
func (l Layout) List() (list []Release, err error) {
	entries, err := os.ReadDir(l.releases())
	if err != nil {
		return nil, err
	}
	current, _ := l.Current() // "" is the name of none
	previous, _ := l.Previous()
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.IsDir() || CheckVersion(e.Name()) != nil {
			continue // being filled, or removed meanwhile
		}
		list = append(list, Release{e.Name(), info.ModTime(), e.Name() == current, e.Name() == previous})
	}
	slices.SortFunc(list, func(a, b Release) int { return b.Installed.Compare(a.Installed) })
	return list, nil
}

// Prune removes the oldest releases until three are left, and none that is current or
// previous. It returns the versions that were removed.
func (l Layout) Prune() (removed []string, err error) {
	list, err := l.List()
	if err != nil {
		return nil, err
	}
	kept := 0
	for _, r := range list {
		if r.Current || r.Previous {
			kept++
		}
	}
	for _, r := range list {
		if r.Current || r.Previous {
			continue
		}
		if kept++; kept <= mostKept {
			continue
		}
		if rerr := l.remove(r.Version); rerr != nil {
			err = errors.Join(err, rerr)
			continue
		}
		removed = append(removed, r.Version)
	}
	return removed, err
}

// remove removes a release: half of it is never seen under its name.
func (l Layout) remove(version string) error {
	aside := filepath.Join(l.releases(), unfinished+"removed-"+version)
	if err := os.RemoveAll(aside); err != nil {
		return err
	}
	if err := os.Rename(l.Dir(version), aside); err != nil {
		return err
	}
	return os.RemoveAll(aside)
}

// Lock keeps other upgrades out until unlock, or the end of the process. It returns
// ErrBusy while another one is in progress.
func (l Layout) Lock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(l.Root, "upgrade.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock upgrades: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, ErrBusy
		}
		return nil, fmt.Errorf("lock upgrades: %w", err)
	}
	return func() { f.Close() }, nil
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
