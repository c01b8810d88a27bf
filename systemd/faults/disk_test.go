//go:build appliance

package faults_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"libra/systemd/harness"
)

func diskRows() []row {
	return []row{
		{"disk full, for SQLite", false, func(s *trial) { full(s, "history") }},
		{"disk full, for the bus", false, func(s *trial) { full(s, "bus") }},
		{"disk full, for both", false, func(s *trial) { full(s, "history", "bus") }},
		{"no room for another file, and a crash", false, noInodes},
	}
}

// full fills file systems, frees them and expects recovery without an operator.
func full(s *trial, parts ...string) {
	var fillers []string
	for _, part := range parts {
		fillers = append(fillers, fill(s, box.State(part)))
	}
	s.wait(15 * time.Second)
	m := s.checkLoad("full", 1)
	if len(parts) == 1 && parts[0] == "history" {
		s.wantAccepted(m)
	} else {
		s.wantRefused(m)
		_, up := box.Get(s, "/up")
		s.check(strings.Contains(up, "degraded: bus"), "/up does not list the bus as degraded: %s", up)
		s.check(strings.HasPrefix(up, "UNKNOWN since "), "/up calls known what the bus does not store: %s", up)
	}
	for _, f := range fillers {
		if err := os.Remove(f); err != nil {
			s.Fatal(err)
		}
	}
	took, ok := s.awaitAccepting(30 * time.Second)
	if !ok {
		s.after("only a manual restart of the bus helped")
		box.Systemctl(s, "restart", "libra-bus") // to distinguish a delay from a loss
	}
	s.wantHealthy(30 * time.Second)
	<-time.After(2 * time.Second)
	s.wantAccepted(s.checkLoad(fmt.Sprintf("with space again, after %s", ms(took)), 1))
	s.wantNothingLost(30 * time.Second)
}

// noInodes uses up all inodes and kills the units that need one at their start.
func noInodes(s *trial) {
	var fillers []string
	for _, part := range []string{"history", "bus"} {
		fillers = append(fillers, fillInodes(s, box.State(part)))
	}
	s.kill("libra-bus")
	s.kill("libra-recorder")
	s.wait(15 * time.Second)
	s.checkLoad("without room for a file", 0.999)
	for _, f := range fillers {
		if err := os.RemoveAll(f); err != nil {
			s.Fatal(err)
		}
	}
	took, _ := s.awaitAccepting(40 * time.Second) // 20 s of them for libra-retry@
	s.after("accepting after %s", ms(took))
	s.wantHealthy(30 * time.Second)
	s.wantNothingLost(30 * time.Second)
}

// awaitAccepting waits until submissions are accepted again and none is refused.
func (s *trial) awaitAccepting(most time.Duration) (took time.Duration, ok bool) {
	s.Helper()
	s.mark()
	took, ok = harness.Within(most, func() bool {
		<-time.After(500 * time.Millisecond)
		m := s.mark()
		return m.Accepted > 0 && m.Refused == 0
	})
	s.check(ok, "nothing is accepted after %s", ms(took))
	return took, ok
}

// fill uses up a file system.
func fill(s *trial, dir string) string {
	f, err := os.OpenFile(dir+"/filler", os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		s.Fatal(err)
	}
	defer f.Close()
	chunk := make([]byte, 1<<20)
	for size := len(chunk); size >= 1; {
		switch _, err := f.Write(chunk[:size]); {
		case errors.Is(err, syscall.ENOSPC):
			size /= 2
		case err != nil:
			s.Fatal(err)
		}
	}
	return f.Name()
}

// fillInodes uses up the inodes of a file system.
func fillInodes(s *trial, dir string) string {
	filler := filepath.Join(dir, "fillers")
	if err := os.Mkdir(filler, 0o700); err != nil {
		s.Fatal(err)
	}
	for n := 0; ; n++ {
		err := os.WriteFile(filepath.Join(filler, fmt.Sprint(n)), nil, 0o600)
		if errors.Is(err, syscall.ENOSPC) {
			return filler
		}
		if err != nil {
			s.Fatal(err)
		}
	}
}

func sameOwner(file string, info fs.FileInfo) error {
	owner := info.Sys().(*syscall.Stat_t)
	return os.Chown(file, int(owner.Uid), int(owner.Gid))
}
