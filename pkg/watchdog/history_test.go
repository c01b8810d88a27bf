package watchdog_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
	"libra/pkg/watchdog"
)

// A database that was set aside is an alarm for seven days, or until it is gone;
// its log and index files, and those of other databases, are not.
func TestHistory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		folder := t.TempDir()
		put := func(name string) string {
			file := filepath.Join(folder, name)
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chtimes(file, time.Time{}, time.Now()); err != nil { // the bubble's time
				t.Fatal(err)
			}
			return file
		}
		r.cfg.Database = filepath.Join(folder, "libra.db")
		stamp := func(age time.Duration) string {
			return "libra.db.damaged-" + time.Now().Add(-age).UTC().Format("20060102T150405.000Z")
		}
		for _, name := range []string{"libra.db", "libra.db.damaged-x-wal", "libra.db.damaged-x-shm", "other.db.damaged-x", "libra.db.replaced-" + time.Now().UTC().Format("20060102T150405.000Z"), stamp(8 * 24 * time.Hour)} {
			put(name)
		}
		r.start()
		r.advance(10, true)
		r.wantStored()
		old := put(stamp(7*24*time.Hour - 20*time.Second))
		r.advance(10, true)
		r.wantStored("11 history raised minor")
		if want := fmt.Sprintf("2 beside the database, the newest %s, 6 days 23 h old, an alarm for 7 days", old); r.evidence(0) != want {
			t.Errorf("evidence %q, want %q", r.evidence(0), want)
		}
		r.advance(15, true)
		r.wantStored("11 history raised minor", "33 history cleared minor")
		file := put("libra.db.damaged-test")
		r.advance(5, true)
		if err := os.Remove(file); err != nil {
			t.Fatal(err)
		}
		r.advance(5, true)
		r.wantStored("11 history raised minor", "33 history cleared minor", "36 history raised minor", "43 history cleared minor")
	})
}

// A folder that cannot be read is no sign of a damaged database.
func TestHistoryUnreadable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.Database = filepath.Join(t.TempDir(), "gone", "libra.db")
		r.start()
		r.advance(10, true)
		r.wantStored()
	})
}

// A recorder that reports itself behind is an alarm; one that sends no heartbeats
// has another alarm.
func TestBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.Expect = []watchdog.Target{{Component: "libra-recorder"}}
		behind := func(since int64) {
			r.set(func() { r.heartbeat.Counters = map[string]int64{"behind_since_unix": since} })
		}
		behind(0)
		r.start()
		r.advance(10, true)
		since := time.Now()
		r.set(func() { r.heartbeat.Status = "database is locked" })
		behind(since.Unix())
		r.advance(4, true)
		behind(0) // not for long
		r.advance(10, true)
		r.wantStored()
		since = time.Now()
		behind(since.Unix())
		r.advance(10, true)
		r.wantStored("30 behind raised major")
		if want := "since " + libra.FormatTime(since) + ", limit 5 s; database is locked"; r.evidence(0) != want {
			t.Errorf("evidence %q, want %q", r.evidence(0), want)
		}
		r.advance(10, false)
		behind(0)
		r.advance(5, true)
		if n := len(r.stored); n != 4 {
			t.Errorf("%d transitions: %+v", n, r.stored)
		}
	})
}

// Reports that the recorder names as lost are an alarm until it names them no more, also
// while no heartbeat of it arrives.
func TestLostReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.cfg.Expect = []watchdog.Target{{Component: "libra-recorder"}}
		lost := func(at, reports int64) {
			r.set(func() {
				r.heartbeat.Counters = map[string]int64{event.LostCounter: at, event.MissingCounter: reports, event.MissingOthersCounter: min(reports, 1)}
			})
		}
		lost(0, 0)
		r.start()
		r.advance(10, true)
		r.wantStored()
		at := time.Now()
		lost(at.Unix(), 476)
		r.advance(10, true)
		r.wantStored("11 lost raised major")
		if want := "476 reports and 1 alarm or note, the newest gap found " + libra.FormatTime(at) + "; an alarm for 7 days, or until it is acknowledged"; r.evidence(0) != want {
			t.Errorf("evidence %q, want %q", r.evidence(0), want)
		}
		r.advance(10, false)
		r.wantStored("11 lost raised major", "22 beat.recorder raised major")
		lost(0, 0)
		r.advance(10, true)
		r.wantStored("11 lost raised major", "22 beat.recorder raised major", "33 beat.recorder cleared major", "33 lost cleared major")
	})
}
