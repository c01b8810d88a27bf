package release_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/component"
	"libra/pkg/release"
)

// files are those of a small release, without SHA256SUMS.
func files(version string) map[string]string {
	all := map[string]string{"VERSION": version + "\n", "bin/libra": "libra " + version, "units/libra.target": "[Unit]\n"}
	for _, c := range component.All() {
		all["bin/"+c.Name] = c.Name + " " + version
		all["units/"+c.UnitFile()] = "[Service]\n"
	}
	return all
}

func sums(files map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256([]byte(files[name])), name)
	}
	return b.String()
}

// entry is one of an archive that no list of files can describe.
type entry struct {
	name, link, content string
	kind                byte
}

// archive writes a .tar.gz of the files with their sums, and of more entries.
func archive(t *testing.T, files map[string]string, more ...entry) string {
	t.Helper()
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	w := tar.NewWriter(zip)
	add := func(e entry) {
		if e.kind == 0 {
			e.kind = tar.TypeReg
		}
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Linkname: e.link, Mode: 0o4777, Size: int64(len(e.content))}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.content)); err != nil {
			t.Fatal(err)
		}
	}
	add(entry{name: "libra/", kind: tar.TypeDir})
	for name, content := range files {
		add(entry{name: "libra/" + name, content: content})
	}
	if _, given := files["SHA256SUMS"]; !given {
		add(entry{name: "libra/SHA256SUMS", content: sums(files)})
	}
	for _, e := range more {
		add(e)
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		t.Fatal(err)
	}
	return save(t, buf.Bytes())
}

func save(t *testing.T, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "release.tar.gz")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func layout(t *testing.T) release.Layout {
	t.Helper()
	l := release.Layout{Root: t.TempDir()}
	if err := os.Mkdir(filepath.Join(l.Root, "releases"), 0o755); err != nil {
		t.Fatal(err)
	}
	return l
}

func unpack(t *testing.T, l release.Layout, version string) {
	t.Helper()
	if got, err := l.Unpack(archive(t, files(version))); got != version || err != nil {
		t.Fatalf("Unpack: %q, %v", got, err)
	}
}

// everything below the root, with the modes of files.
func everything(t *testing.T, l release.Layout) (list []string) {
	t.Helper()
	err := filepath.WalkDir(l.Root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		list = append(list, fmt.Sprint(info.Mode(), " ", strings.TrimPrefix(path, l.Root)))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestUnpackAndSwitch(t *testing.T) {
	l := layout(t)
	if _, err := l.Current(); !errors.Is(err, release.ErrNoCurrent) {
		t.Errorf("current of nothing: %v", err)
	}
	unpack(t, l, "0.1.0")
	unpack(t, l, "0.2.0")
	info, err := os.Stat(filepath.Join(l.Dir("0.2.0"), "bin/libra-web"))
	if err != nil || info.Mode() != 0o755 {
		t.Errorf("a program has mode %v, %v", info.Mode(), err)
	}
	for _, version := range []string{"0.1.0", "0.2.0"} {
		if err := l.SetCurrent(version); err != nil {
			t.Fatal(err)
		}
		if got, err := l.Current(); got != version || err != nil {
			t.Errorf("current: %q, %v", got, err)
		}
		if text, err := os.ReadFile(filepath.Join(l.Root, "current/bin/libra")); err != nil || string(text) != "libra "+version {
			t.Errorf("current/bin/libra: %q, %v", text, err)
		}
	}
	if err := l.SetCurrent("0.3.0"); err == nil {
		t.Error("a release that is not there is current")
	}
	// The same again, and from a folder.
	unpack(t, l, "0.2.0")
	if got, err := l.Unpack(l.Dir("0.1.0")); got != "0.1.0" || err != nil {
		t.Errorf("from a folder: %q, %v", got, err)
	}
	// Another one of a version that is in use.
	changed := files("0.2.0")
	changed["bin/libra"] = "other"
	if _, err := l.Unpack(archive(t, changed)); !errors.Is(err, release.ErrExists) {
		t.Errorf("another 0.2.0: %v", err)
	}
	// One that is not in use is replaced.
	changed = files("0.1.0")
	changed["bin/libra"] = "other"
	if _, err := l.Unpack(archive(t, changed)); err != nil {
		t.Error(err)
	}
	if text, err := os.ReadFile(filepath.Join(l.Dir("0.1.0"), "bin/libra")); err != nil || string(text) != "other" {
		t.Errorf("replaced: %q, %v", text, err)
	}
}

// What is no release changes nothing, whatever is wrong with it.
// Whatever the umask of who installs it is, the users of the units reach their programs; a
// release of a version that had no libra-lab is whole.
func TestReleaseIsForEveryUser(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0o077))
	l, of := layout(t), files("1.0.0")
	lab, ok := component.Find(component.Lab)
	if !ok {
		t.Fatal("no component libra-lab")
	}
	delete(of, "bin/"+lab.Name)
	delete(of, "units/"+lab.UnitFile())
	if _, err := l.Unpack(archive(t, of)); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{"": 0o755, "bin": 0o755, "units": 0o755, "bin/libra-web": 0o755, "units/libra-web.service": 0o644} {
		info, err := os.Stat(filepath.Join(l.Dir("1.0.0"), name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%q has mode %v, %v, want %v", name, info.Mode().Perm(), err, want)
		}
	}
}

func TestUnpackRefuses(t *testing.T) {
	l := layout(t)
	unpack(t, l, "0.1.0")
	if err := l.SetCurrent("0.1.0"); err != nil {
		t.Fatal(err)
	}
	before := everything(t, l)
	for name, c := range badReleases(t) {
		version, err := l.Unpack(c.file)
		if !errors.Is(err, release.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %q, %v; want %q", name, version, err, c.want)
		}
		if diff := cmp.Diff(before, everything(t, l)); diff != "" {
			t.Errorf("%s: (-before +after):\n%s", name, diff)
		}
	}
}

// bad is what is no release, and what its error says.
type bad struct{ file, want string }

func badReleases(t *testing.T) map[string]bad {
	t.Helper()
	with := func(change func(map[string]string)) string {
		all := files("0.2.0")
		change(all)
		return archive(t, all)
	}
	good, err := os.ReadFile(archive(t, files("0.2.0")))
	if err != nil {
		t.Fatal(err)
	}
	folders := make([]entry, 2001)
	for i := range folders {
		folders[i] = entry{name: fmt.Sprint("libra/", i, "/"), kind: tar.TypeDir}
	}
	linked := t.TempDir()
	if err := os.Symlink("/etc/passwd", filepath.Join(linked, "VERSION")); err != nil {
		t.Fatal(err)
	}
	many := files("0.2.0")
	for i := range 500 {
		many[fmt.Sprint("file", i)] = ""
	}
	return map[string]bad{
		"absolute path":      {archive(t, files("0.2.0"), entry{name: "/etc/cron.d/x", content: "x"}), "is not below"},
		"path outside":       {archive(t, files("0.2.0"), entry{name: "libra/../../x", content: "x"}), "invalid file name"},
		"folder outside":     {archive(t, files("0.2.0"), entry{name: "../x/", kind: tar.TypeDir}), "outside"},
		"symbolic link":      {archive(t, files("0.2.0"), entry{name: "libra/bin/x", link: "/etc", kind: tar.TypeSymlink}), "is a link"},
		"hard link":          {archive(t, files("0.2.0"), entry{name: "libra/bin/x", link: "libra/bin/libra", kind: tar.TypeLink}), "is a link"},
		"device":             {archive(t, files("0.2.0"), entry{name: "libra/bin/x", kind: tar.TypeChar}), "is a link or a device"},
		"two folders":        {archive(t, files("0.2.0"), entry{name: "other/x", content: "x"}), "is not below"},
		"a file twice":       {archive(t, files("0.2.0"), entry{name: "libra/VERSION", content: "0.2.0\n"}), "twice"},
		"an odd name":        {archive(t, files("0.2.0"), entry{name: "libra/bin/a\nb", content: "x"}), "invalid file name"},
		"a file too many":    {archive(t, files("0.2.0"), entry{name: "libra/x", content: "x"}), "is not in SHA256SUMS"},
		"too many files":     {archive(t, many), "too many files"},
		"too many folders":   {archive(t, files("0.2.0"), folders...), "too many entries"},
		"a program changed":  {with(func(f map[string]string) { f["SHA256SUMS"] = sums(files("0.2.0")); f["bin/libra-bus"] = "changed" }), "is damaged"},
		"a file is missing":  {with(func(f map[string]string) { f["SHA256SUMS"] = sums(f); delete(f, "bin/libra-bus") }), "is missing"},
		"a program less":     {with(func(f map[string]string) { delete(f, "bin/libra-bus") }), "it has no bin/libra-bus"},
		"a unit less":        {with(func(f map[string]string) { delete(f, "units/libra-web.service") }), "it has no units/libra-web.service"},
		"no sums":            {with(func(f map[string]string) { f["SHA256SUMS"] = "" }), "it has no SHA256SUMS"},
		"bad sums":           {with(func(f map[string]string) { f["SHA256SUMS"] = "abc  x\n" }), "invalid line"},
		"version that leads": {with(func(f map[string]string) { f["VERSION"] = "../../x" }), "invalid version"},
		"no version":         {with(func(f map[string]string) { delete(f, "VERSION") }), "invalid version"},
		"a long version":     {with(func(f map[string]string) { f["VERSION"] = strings.Repeat("1", 300) }), "invalid version"},
		"cut short":          {save(t, good[:len(good)/2]), "unexpected EOF"},
		"not compressed":     {save(t, []byte("hello")), "EOF"},
		"a link in a folder": {linked, "is a link"},
		"a device itself":    {"/dev/null", "neither a file nor a folder"},
	}
}

// More than the bound is refused before it is read.
func TestUnpackRefusesALargeRelease(t *testing.T) {
	l := layout(t)
	before := everything(t, l)
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	w := tar.NewWriter(zip)
	if err := w.WriteHeader(&tar.Header{Name: "libra/bin/libra", Typeflag: tar.TypeReg, Size: 1<<30 + 1}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Flush(), zip.Close()); err == nil { // its content is missing
		t.Fatal("the archive is whole")
	}
	file := save(t, buf.Bytes())
	if _, err := l.Unpack(file); !errors.Is(err, release.ErrInvalid) || !strings.Contains(err.Error(), "too large: more than 1024 MB") {
		t.Error(err)
	}
	if diff := cmp.Diff(before, everything(t, l)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

// A disk without room is found out before anything is written.
func TestUnpackWithoutRoom(t *testing.T) {
	if folder := os.Getenv("RELEASE_SMALL_DISK"); folder != "" {
		if err := errors.Join(syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=32m"), os.Mkdir(filepath.Join(folder, "releases"), 0o755)); err != nil {
			t.Fatal(err)
		}
		l := release.Layout{Root: folder}
		_, err := l.Unpack(archive(t, files("0.1.0")))
		if !errors.Is(err, release.ErrNoSpace) || !strings.Contains(err.Error(), "of which 64 MB must stay free") {
			t.Errorf("%v", err)
		}
		if list, err := os.ReadDir(filepath.Join(folder, "releases")); len(list) != 0 || err != nil {
			t.Errorf("left: %v, %v", list, err)
		}
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestUnpackWithoutRoom$")
	cmd.Env = append(os.Environ(), "RELEASE_SMALL_DISK="+t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{ // a file system that only it sees
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
		UidMappings: []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}},
	}
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Skipf("this machine gives no user namespace: %v", err)
	}
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// What kill -9 has left of an Unpack is removed by the next one.
func TestUnpackRemovesLeftovers(t *testing.T) {
	l := layout(t)
	left := filepath.Join(l.Root, "releases", ".new-0.1.0", "bin")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	unpack(t, l, "0.1.0")
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if list, err := l.List(); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}

// Three releases are kept, and the current and the previous one whatever their age.
func TestPrune(t *testing.T) {
	l := layout(t)
	for i := range 6 {
		version := fmt.Sprint("0.", i, ".0")
		unpack(t, l, version)
		at := time.Now().Add(time.Duration(i-10) * time.Hour)
		if err := os.Chtimes(l.Dir(version), at, at); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(l.SetCurrent("0.0.0"), l.SetPrevious("0.1.0")); err != nil {
		t.Fatal(err)
	}
	removed, err := l.Prune()
	if diff := cmp.Diff([]string{"0.4.0", "0.3.0", "0.2.0"}, removed); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	list, err := l.List()
	if err != nil || len(list) != 3 || list[0].Version != "0.5.0" || !list[1].Previous || !list[2].Current {
		t.Errorf("%+v, %v", list, err)
	}
}

func TestOneUpgradeAtATime(t *testing.T) {
	l := layout(t)
	unlock, err := l.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Lock(); !errors.Is(err, release.ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
	unlock()
	if unlock, err = l.Lock(); err != nil {
		t.Fatal(err)
	}
	unlock()
}

func TestRecord(t *testing.T) {
	l := layout(t)
	if r, err := l.LastRecord(); r != (release.Record{}) || err != nil {
		t.Errorf("without one: %+v, %v", r, err)
	}
	at := time.Date(2026, 5, 3, 22, 0, 0, 0, time.UTC)
	want := release.Record{Phase: release.Upgrading, From: "0.1.0", To: "0.2.0", Began: at, Unit: "libra-bus.service", Why: "it does not start"}
	if err := l.WriteRecord(want, at.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	want.At = at.Add(time.Minute)
	if got, err := l.LastRecord(); got != want || err != nil || !got.InProgress() {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := release.ReadRecord(release.RecordFile(l.Root)); got != want || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := release.ReadRecord(l.Root + "/none"); got != (release.Record{}) || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	if err := os.WriteFile(release.RecordFile(l.Root), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := release.ReadRecord(release.RecordFile(l.Root)); got != (release.Record{}) || err == nil {
		t.Errorf("damaged: %+v, %v", got, err)
	}
	if r, err := l.LastRecord(); r != (release.Record{}) || err != nil {
		t.Errorf("damaged: %+v, %v", r, err)
	}
}
