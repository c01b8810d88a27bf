package notifier_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"libra/pkg/libra"
)

// fullVar names which folders are full, in a test that runs itself again with
// file systems of its own.
const fullVar = "NOTIFIER_TEST_FULL"

// smallDisk mounts a small file system on a folder. fill leaves no room on it.
func smallDisk(t *testing.T, folder string) (fill, empty func()) {
	t.Helper()
	if err := syscall.Mount("tmpfs", folder, "tmpfs", 0, "size=64k"); err != nil {
		t.Fatalf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(folder, 0); err != nil {
			t.Error(err)
		}
	})
	file := filepath.Join(folder, "full")
	fill = func() {
		if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("fill the disk: %v", err)
		}
	}
	return fill, func() {
		if err := os.Remove(file); err != nil {
			t.Error(err)
		}
	}
}

// While the folder in memory is full, the disk holds the state: nothing is lost
// over a restart, and nothing is sent twice. While the disk is full, too,
// everything is sent once, and what is suppressed is saved as soon as there is
// room.
func TestFullDisks(t *testing.T) {
	full := os.Getenv(fullVar)
	if full == "" {
		for _, full := range []string{"memory", "both"} {
			t.Run(full, func(t *testing.T) { runWithOwnDisks(t, full) })
		}
		return
	}
	tale(t, oneChannel, func(t *testing.T, s *story) {
		s.end()
		fillMemory, emptyMemory := smallDisk(t, s.cfg.Runtime)
		fillState, emptyState := smallDisk(t, s.cfg.State)
		s.run()
		s.say(s.alarm("early"))
		s.pass(time.Second)
		if fillMemory(); full == "both" {
			fillState()
		}
		saySilenced(s) // for a minute
		s.say(s.alarm("bus"))
		s.accept(libra.Transition{ID: "direct", Alarm: s.alarm("disk"), At: time.Now(), Host: "box"})
		s.pass(5 * time.Second)
		if full == "both" {
			emptyState()
			s.say(s.alarm("late"))
			s.pass(5 * time.Second)
			emptyMemory()
		}
		s.restart()
		s.pass(time.Minute)
		s.withoutTimes()
		slices.Sort(s.sent)
		want := []string{busDown, "ops: [critical] disk on box: is down", "ops: [critical] early on box: is down", webDown}
		if full == "both" {
			want = slices.Insert(want, 3, "ops: [critical] late on box: is down")
		}
		s.want(want...)
	})
}

func runWithOwnDisks(t *testing.T, full string) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^TestFullDisks$", "-test.v")
	cmd.Env = append(os.Environ(), fullVar+"="+full)
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
		t.Errorf("%v:\n%s", err, out)
	}
}
