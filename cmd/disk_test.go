package cmd_test

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"libra/pkg/bus/bustest"
)

// spoken is what a program has said so far.
type spoken struct {
	mu   sync.Mutex
	text bytes.Buffer // under mu
}

func (s *spoken) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *spoken) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// A disk without a free inode, and one that is read-only, keep no program down
// for good: those that can, start and do what can be done, and the bus asks to
// be started again.
func TestDiskThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	if err := exec.Command("unshare", "-rm", "true").Run(); err != nil {
		t.Skipf("no mounts of one's own here: %v", err)
	}
	dir := t.TempDir()
	b := bustest.Start(t)
	for _, disk := range []string{"nr_inodes=1", "ro"} {
		for name, args := range map[string]string{
			"libra-watchdog": "--state " + dir,
			"libra-notifier": "--notifier-socket= --state " + dir,
			"libra-recorder": "--database " + dir + "/libra.db",
			"libra-bus":      "--bus-listen 127.0.0.1:0 --bus-keys " + filepath.Join(filepath.Dir(b.Seed("bus")), "public") + " --bus-store " + dir,
		} {
			t.Run(name+" "+disk, func(t *testing.T) {
				t.Parallel()
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				cmd := exec.CommandContext(ctx, "unshare", "-rm", "sh", "-c",
					fmt.Sprintf("mount -t tmpfs -o %s libra %s && exec %s %s", disk, dir, filepath.Join(bin, name), args))
				var said spoken
				cmd.Env, cmd.Stdout, cmd.Stderr = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin"}, &said, &said
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				ended := make(chan struct{})
				go func() { defer close(ended); _ = cmd.Wait() }()
				if name == "libra-bus" {
					<-ended
					if code := cmd.ProcessState.ExitCode(); code != 1 {
						t.Errorf("exit code %d, want 1:\n%s", code, said.String())
					}
					return
				}
				bustest.Await(t, "it to be ready:\n"+said.String(), func() bool {
					select {
					case <-ended:
						t.Fatalf("ended, %v:\n%s", cmd.ProcessState, said.String())
					default:
					}
					return strings.Contains(said.String(), "msg=ready")
				})
				if !strings.Contains(said.String(), "configuration fault tolerated: ") {
					t.Errorf("not warned:\n%s", said.String())
				}
				cancel()
				<-ended
			})
		}
	}
}
