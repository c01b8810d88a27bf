package statefile_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"libra/pkg/statefile"
)

// A test that needs a process of its own runs this program again, with the part
// to be run in this variable, and the folder to work in.
const (
	partVar   = "STATEFILE_TEST_PART"
	folderVar = "STATEFILE_TEST_FOLDER"
)

func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(partVar) {
	case "":
		os.Exit(m.Run())
	case "full":
		err = onFullDisk(os.Getenv(folderVar))
	case "readonly":
		err = onReadOnlyDisk(os.Getenv(folderVar))
	case "writer":
		err = writeForever(os.Getenv(folderVar))
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// again is the command that runs a part of this program in folder.
func again(t *testing.T, part, folder string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), partVar+"="+part, folderVar+"="+folder)
	return cmd
}

// names lists a folder.
func names(t *testing.T, folder string) (list []string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func write(t *testing.T, f statefile.File, text string) {
	t.Helper()
	if err := f.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, f statefile.File) string {
	t.Helper()
	data, err := f.Read()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestWriteReplacesWithTheModeGiven(t *testing.T) {
	for _, unsynced := range []bool{false, true} {
		dir := t.TempDir()
		f := statefile.File{Path: filepath.Join(dir, "a.json"), Unsynced: unsynced}
		if _, err := f.Read(); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("read before the first write: %v", err)
		}
		write(t, f, "one, which is longer")
		write(t, f, "two")
		if got := read(t, f); got != "two" {
			t.Errorf("read %q", got)
		}
		for want, mode := range map[fs.FileMode]fs.FileMode{0o600: 0, 0o664: 0o664} {
			f.Mode = mode
			write(t, f, "three")
			info, err := os.Stat(f.Path)
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode() != want {
				t.Errorf("mode %s, want %s", info.Mode(), want)
			}
		}
		if got := names(t, dir); !slices.Equal(got, []string{"a.json"}) {
			t.Errorf("the folder holds %q", got)
		}
		if err := errors.Join(f.Remove(), f.Remove()); err != nil {
			t.Errorf("remove, twice: %v", err)
		}
	}
}

func TestSizeIsBounded(t *testing.T) {
	dir := t.TempDir()
	f := statefile.File{Path: filepath.Join(dir, "a"), Max: 4}
	write(t, f, "1234")
	if err := f.Write([]byte("12345")); !errors.Is(err, statefile.ErrTooLarge) {
		t.Errorf("write: %v", err)
	}
	if got := read(t, f); got != "1234" {
		t.Errorf("after a refused write: %q", got)
	}
	f.Max = 3
	if _, err := f.Read(); !errors.Is(err, statefile.ErrTooLarge) {
		t.Errorf("read: %v", err)
	}
	decode := func([]byte) error { t.Error("decode got a part of a file"); return nil }
	if err := f.Load(decode); !errors.Is(err, statefile.ErrTooLarge) {
		t.Errorf("load: %v", err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"a.damaged"}) {
		t.Errorf("the folder holds %q", got)
	}
}

func TestDamagedFileIsSetAsideOnce(t *testing.T) {
	dir := t.TempDir()
	f := statefile.File{Path: filepath.Join(dir, "a")}
	broken := errors.New("no JSON")
	refuse := func([]byte) error { return broken }
	for _, text := range []string{"first", "second"} {
		write(t, f, text)
		err := f.Load(refuse)
		var damaged *statefile.DamagedError
		if !errors.As(err, &damaged) || !errors.Is(err, broken) || damaged.Path != f.Path || damaged.Aside != f.Path+".damaged" {
			t.Fatalf("load: %v", err)
		}
		if got := read(t, statefile.File{Path: damaged.Aside}); got != text {
			t.Errorf("set aside: %q, want %q", got, text)
		}
	}
	if got := names(t, dir); !slices.Equal(got, []string{"a.damaged"}) {
		t.Errorf("the folder holds %q", got)
	}
	if err := f.Load(refuse); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("load without a file: %v", err)
	}
	write(t, f, "good")
	var got string
	if err := f.Load(func(data []byte) error { got = string(data); return nil }); err != nil || got != "good" {
		t.Errorf("load: %q, %v", got, err)
	}
}

// Load and Read of what is no file (a folder, here) set nothing aside: only
// content can be damaged.
func TestUnreadableFileStays(t *testing.T) {
	dir := t.TempDir()
	f := statefile.File{Path: filepath.Join(dir, "a")}
	if err := os.Mkdir(f.Path, 0o700); err != nil {
		t.Fatal(err)
	}
	err := f.Load(func([]byte) error { return nil })
	if !errors.Is(err, syscall.EISDIR) || errors.As(err, new(*statefile.DamagedError)) {
		t.Errorf("load: %v", err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"a"}) {
		t.Errorf("the folder holds %q", got)
	}
}

// A disk that cannot be read (here, a file that answers EIO) is no damaged
// content either: the file may be readable again.
func TestReadErrorOfTheDiskSetsNothingAside(t *testing.T) {
	dir := t.TempDir()
	f := statefile.File{Path: filepath.Join(dir, "a")}
	if err := os.Symlink("/proc/self/mem", f.Path); err != nil {
		t.Fatal(err)
	}
	err := f.Load(func([]byte) error { t.Error("decode was called"); return nil })
	if !errors.Is(err, syscall.EIO) || errors.As(err, new(*statefile.DamagedError)) {
		t.Errorf("load: %v", err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"a"}) {
		t.Errorf("the folder holds %q", got)
	}
}

// A file that was cut off, at any byte, is set aside: decode sees what is there.
func TestTruncatedFileIsSetAside(t *testing.T) {
	const whole = `{"serial":7,"open":{}}`
	for n := range len(whole) {
		f := statefile.File{Path: filepath.Join(t.TempDir(), "a")}
		write(t, f, whole)
		if err := os.Truncate(f.Path, int64(n)); err != nil {
			t.Fatal(err)
		}
		var v map[string]any
		err := f.Load(func(data []byte) error { return json.Unmarshal(data, &v) })
		var damaged *statefile.DamagedError
		if !errors.As(err, &damaged) || read(t, statefile.File{Path: damaged.Aside}) != whole[:n] {
			t.Errorf("%d bytes of %d: %v", n, len(whole), err)
		}
	}
}

// A symbolic link is followed by reads, and replaced by writes: what it leads to
// stays as it is.
func TestSymbolicLink(t *testing.T) {
	dir, elsewhere := t.TempDir(), filepath.Join(t.TempDir(), "target")
	if err := os.WriteFile(elsewhere, []byte("there"), 0o600); err != nil {
		t.Fatal(err)
	}
	f := statefile.File{Path: filepath.Join(dir, "a")}
	link := func() {
		t.Helper()
		if err := os.Symlink(elsewhere, f.Path); err != nil {
			t.Fatal(err)
		}
	}
	untouched := func(after string) {
		t.Helper()
		if data, err := os.ReadFile(elsewhere); err != nil || string(data) != "there" {
			t.Errorf("after %s, the target holds %q, %v", after, data, err)
		}
	}
	link()
	if got := read(t, f); got != "there" {
		t.Errorf("read %q", got)
	}
	write(t, f, "here")
	info, err := os.Lstat(f.Path)
	if err != nil || !info.Mode().IsRegular() || read(t, f) != "here" {
		t.Errorf("after a write: %v, %v", info, err)
	}
	untouched("a write")
	if err := f.Remove(); err != nil {
		t.Fatal(err)
	}
	link()
	if err := f.Load(func([]byte) error { return errors.New("no JSON") }); !errors.As(err, new(*statefile.DamagedError)) {
		t.Errorf("load: %v", err)
	}
	if got, err := os.Readlink(f.Path + ".damaged"); err != nil || got != elsewhere {
		t.Errorf("set aside: %q, %v", got, err)
	}
	untouched("setting aside")
	link()
	if err := f.Remove(); err != nil {
		t.Fatal(err)
	}
	untouched("remove")
}

// Read removes what a killed Write of the same file left, and nothing of files
// with a longer name.
func TestReadRemovesItsOwnLeftovers(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{".new-a-123", ".new-a-b-123", ".new-a-7-123", ".new-ab-123", "a"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	read(t, statefile.File{Path: filepath.Join(dir, "a")})
	if got := names(t, dir); !slices.Equal(got, []string{".new-a-7-123", ".new-a-b-123", ".new-ab-123", "a"}) {
		t.Errorf("the folder holds %q", got)
	}
}

// writeForever writes two texts by turns, a line to stdout for each.
func writeForever(folder string) error {
	f := statefile.File{Path: filepath.Join(folder, "a")}
	for i := 0; ; i++ {
		if err := f.Write(bytes.Repeat([]byte{"ab"[i%2]}, 1<<20)); err != nil {
			return err
		}
		if _, err := fmt.Println(i); err != nil {
			return err
		}
	}
}

func TestKilledWriterLeavesAWholeFile(t *testing.T) {
	dir := t.TempDir()
	leftovers := 0
	for round := range 8 {
		cmd := again(t, "writer", dir)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range round + 1 {
			if !lines.Scan() {
				t.Fatal("the writer ended by itself")
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // killed
		leftovers += len(names(t, dir)) - 1
		data := read(t, statefile.File{Path: filepath.Join(dir, "a")})
		if len(data) != 1<<20 || strings.Trim(data, data[:1]) != "" {
			t.Fatalf("round %d: %d bytes of more than one write", round, len(data))
		}
		if got := names(t, dir); !slices.Equal(got, []string{"a"}) {
			t.Fatalf("round %d: the folder holds %q", round, got)
		}
	}
	t.Logf("interrupted writes that left a temporary file: %d of 8", leftovers)
}

func TestReplaceRenames(t *testing.T) {
	dir := t.TempDir()
	from, to := statefile.File{Path: filepath.Join(dir, "copy.part")}, statefile.File{Path: filepath.Join(dir, "copy")}
	write(t, to, "old")
	write(t, from, "new")
	if err := statefile.Replace(from.Path, to.Path); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"copy"}) || read(t, to) != "new" {
		t.Errorf("the folder holds %q, the file %q", got, read(t, to))
	}
	if err := statefile.Replace(from.Path, to.Path); !errors.Is(err, fs.ErrNotExist) || read(t, to) != "new" {
		t.Errorf("replace by a file that is not there: %v", err)
	}
}
