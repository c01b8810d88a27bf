//go:build appliance

package faults_test

import (
	"os"
	"time"
)

func sqliteRows() []row {
	return []row{
		{"SQLite locked for 30 s", true, locked},
		{"SQLite read-only", false, readOnly},
		{"SQLite deleted while open", true, damaged(false, func(s *trial) { box.WipeHistory(s) })},
		{"SQLite replaced while open", false, damaged(true, func(s *trial) { replace(s, []byte("this is not a database")) })},
		{"SQLite truncated while open", false, damaged(true, func(s *trial) {
			if err := box.Checkpoint(); err != nil { // or the log would repair the file
				s.Fatal(err)
			}
			if err := os.Truncate(box.Database(), 4096); err != nil {
				s.Fatal(err)
			}
		})},
		{"SQLite corrupt while running", false, damaged(true, func(s *trial) { box.CorruptHistory(s) })},
		{"SQLite corrupt at start", false, damaged(true, func(s *trial) {
			box.Systemctl(s, "stop", "libra-recorder")
			box.CorruptHistory(s)
			box.Systemctl(s, "start", "--no-block", "libra-recorder")
		})},
	}
}

func locked(s *trial) {
	box.Sink.Reset()
	release := box.LockHistory(s)
	s.wait(30 * time.Second)
	if !s.brief {
		s.wantAlarm(time.Second, "behind", "history is behind")
	}
	release()
	s.wantAccepted(s.checkLoad("", 1))
	s.wantNothingLost(20 * time.Second)
	s.wantHealthy(10 * time.Second)
}

// readOnly removes the recorder's write permission on its file.
func readOnly(s *trial) {
	box.Sink.Reset()
	mode := func(mode os.FileMode) {
		if err := os.Chmod(box.Database(), mode); err != nil {
			s.Fatal(err)
		}
	}
	info, err := os.Stat(box.Database())
	if err != nil {
		s.Fatal(err)
	}
	mode(0o440)
	s.awaitReady("libra-recorder", s.kill("libra-recorder"), 15*time.Second) // an open file stays writable
	s.wait(10 * time.Second)
	s.wantAlarm(5*time.Second, "behind", "history is behind")
	mode(info.Mode().Perm())
	s.wantAccepted(s.checkLoad("", 1))
	s.wantNothingLost(20 * time.Second)
	s.wantHealthy(10 * time.Second)
}

// damaged damages the database while the recorder uses it, and wants a new one
// filled; with aside, also the damaged one set aside and an alarm.
func damaged(aside bool, damage func(*trial)) func(*trial) {
	return func(s *trial) {
		box.Sink.Reset()
		damage(s)
		s.wait(10 * time.Second)
		s.wantAccepted(s.checkLoad("", 1))
		s.wantNothingLost(30 * time.Second)
		result, err := box.QuickCheck()
		s.check(err == nil && result == "ok", "quick_check: %.200q (%v)", result, err)
		if aside {
			files := box.DamagedDatabases(s)
			s.check(len(files) > 0, "nothing was set aside")
			s.after("%d files set aside", len(files))
			s.wantAlarm(10*time.Second, "history", "set aside")
			box.RemoveDamagedDatabases(s)
		}
		s.wantHealthy(10 * time.Second)
	}
}

// replace replaces the database by another file.
func replace(s *trial, data []byte) {
	other := box.Database() + ".other"
	if err := os.WriteFile(other, data, 0o640); err != nil {
		s.Fatal(err)
	}
	info, err := os.Stat(box.Database())
	if err != nil {
		s.Fatal(err)
	}
	if err := sameOwner(other, info); err != nil {
		s.Fatal(err)
	}
	if err := os.Rename(other, box.Database()); err != nil {
		s.Fatal(err)
	}
}
