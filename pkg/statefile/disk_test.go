package statefile_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"libra/pkg/statefile"
)

// onDiskOfItsOwn runs a part on a small file system that only it sees.
func onDiskOfItsOwn(t *testing.T, part string) {
	t.Helper()
	cmd := again(t, part, t.TempDir())
	cmd.SysProcAttr = &syscall.SysProcAttr{
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

func mountSmall(folder string) (statefile.File, error) {
	f := statefile.File{Path: filepath.Join(folder, "a")}
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=64k"); err != nil {
		return f, fmt.Errorf("mount: %w", err)
	}
	return f, f.Write([]byte("old"))
}

// same is nil if the folder holds the old file and nothing else.
func same(f statefile.File) error {
	data, err := f.Read()
	if err != nil {
		return err
	}
	list, err := os.ReadDir(filepath.Dir(f.Path))
	if err != nil {
		return err
	}
	if string(data) != "old" || len(list) != 1 {
		return fmt.Errorf("the file holds %q, the folder %v", data, list)
	}
	return nil
}

func onFullDisk(folder string) error {
	f, err := mountSmall(folder)
	if err != nil {
		return err
	}
	if err := f.Write(make([]byte, 128<<10)); !errors.Is(err, syscall.ENOSPC) || err.Error() != fmt.Sprintf("write %q: no space left on device", f.Path) {
		return fmt.Errorf("write: %w", err)
	}
	return same(f)
}

func TestFullDiskKeepsTheOldFile(t *testing.T) { onDiskOfItsOwn(t, "full") }

func onReadOnlyDisk(folder string) error {
	f, err := mountSmall(folder)
	if err != nil {
		return err
	}
	if err := syscall.Mount("", folder, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("remount: %w", err)
	}
	if err := f.Write([]byte("new")); !errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("write: %w", err)
	}
	if err := f.Remove(); !errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("remove: %w", err)
	}
	broken := errors.New("no JSON")
	err = f.Load(func([]byte) error { return broken })
	var damaged *statefile.DamagedError
	if !errors.As(err, &damaged) || damaged.Aside != "" || !errors.Is(err, broken) || !errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("load of a damaged file: %w", err)
	}
	return same(f)
}

func TestReadOnlyDiskKeepsTheOldFile(t *testing.T) { onDiskOfItsOwn(t, "readonly") }
