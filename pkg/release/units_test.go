package release_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/release"
)

// Unit files of a release are installed where they differ. Those that only the release
// before has are removed, and what an operator has added stays.
func TestInstallUnits(t *testing.T) {
	write := func(folder string, files map[string]string) {
		t.Helper()
		for name, text := range files {
			path := filepath.Join(folder, name)
			if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
	}
	from, before, to := t.TempDir(), t.TempDir(), t.TempDir()
	write(from, map[string]string{"libra.target": "new", "libra-web.service": "same", "libra-web.socket": "same", "libra-more.service": "new", "libra-.service.d/10-common.conf": "new"})
	write(before, map[string]string{"libra.target": "old", "libra-web.service": "same", "libra-gone.service": "old"})
	there := map[string]string{
		"libra.target": "old", "libra-web.service": "same", "libra-web.socket": "same", "libra-gone.service": "old", "libra-.service.d/10-common.conf": "old",
		"libra-.service.d/50-bus.conf": "operator", "libra-web.socket.d/port.conf": "operator", "libra-mine.service": "operator", "other.service": "other",
	}
	write(to, there)
	changed, err := release.InstallUnits(from, before, to)
	slices.Sort(changed)
	if diff := cmp.Diff([]string{"libra-.service.d/10-common.conf", "libra-gone.service", "libra-more.service", "libra.target"}, changed); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	want := maps.Clone(there)
	delete(want, "libra-gone.service")
	want["libra.target"], want["libra-more.service"], want["libra-.service.d/10-common.conf"] = "new", "new", "new"
	got := map[string]string{}
	err = fs.WalkDir(os.DirFS(to), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			var data []byte
			data, err = os.ReadFile(filepath.Join(to, path))
			got[path] = string(data)
		}
		return err
	})
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	if _, err := release.InstallUnits(t.TempDir(), before, to); !errors.Is(err, release.ErrInvalid) {
		t.Errorf("from an empty folder: %v", err)
	}
}
