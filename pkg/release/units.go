package release

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"libra/pkg/statefile"
)

// ours are the unit files of Libra; what an operator adds (libra-.service.d/50-bus.conf) is
// not among them.
var ours = []string{"libra.target", "libra-*.service", "libra-*.socket", "libra-.service.d/10-*.conf"}

// InstallUnits copies the unit files of the folder from into the folder to where they
// differ, and removes those that only the folder before has. It returns the names of those
// that it has written or removed.
func InstallUnits(from, before, to string) (changed []string, err error) {
	names, err := unitFiles(from)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(names, "libra.target") {
		return nil, invalid("no units in %s", from)
	}
	obsolete, err := unitFiles(before)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return changed, err
		}
		if old, err := os.ReadFile(filepath.Join(to, name)); err == nil && bytes.Equal(old, data) {
			continue
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o755); err != nil {
			return changed, err
		}
		if err := (statefile.File{Path: filepath.Join(to, name), Mode: 0o644}).Write(data); err != nil {
			return changed, err
		}
		changed = append(changed, name)
	}
	for _, name := range obsolete {
		if slices.Contains(names, name) {
			continue
		}
		if err := os.Remove(filepath.Join(to, name)); errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return changed, err
		}
		changed = append(changed, name)
	}
	return changed, nil
}

// unitFiles lists those of Libra, by their paths in the folder.
func unitFiles(folder string) (names []string, err error) {
	for _, pattern := range ours {
		files, err := filepath.Glob(filepath.Join(folder, pattern))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if info, err := os.Stat(file); err != nil || !info.Mode().IsRegular() {
				continue // a folder of drop-ins: libra-web.socket.d
			}
			name, err := filepath.Rel(folder, file)
			if err != nil {
				return nil, err
			}
			names = append(names, name)
		}
	}
	return names, nil
}
