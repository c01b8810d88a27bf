//go:build appliance

package faults_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"libra/pkg/component"
	"libra/systemd/harness"
)

var minutes = flag.Float64("minutes", 0, "duration of TestSoak; 0 skips it")

// TestSoak injects a random fault every second or two, then compares the totals.
func TestSoak(t *testing.T) {
	if *minutes == 0 {
		t.Skip("needs -minutes 10")
	}
	runRow(t, row{fault: fmt.Sprintf("something at random every second or two, for %g minutes", *minutes), run: soak}, false)
}

func soak(s *trial) {
	before := sizes(s)
	count := map[string]int{}
	names := slices.Sorted(maps.Keys(randomFaults))
	for end := time.Now().Add(time.Duration(*minutes * float64(time.Minute))); time.Now().Before(end); {
		name := names[rand.IntN(len(names))]
		count[name]++
		randomFaults[name](s)
		<-time.After(time.Second + rand.N(time.Second))
	}
	s.checkLoad("", 0.999)
	for _, name := range names {
		s.after("%d %s", count[name], name)
	}
	s.wantHealthy(30 * time.Second)
	s.wantNothingLost(60 * time.Second)
	s.load.Stop()                  // its connections would count as growth
	<-time.After(10 * time.Second) // until idle
	now := sizes(s)
	for _, unit := range harness.Services {
		was, now := before[unit], now[unit]
		s.after("%s %d→%d MB, %d→%d files, %d→%d goroutines", strings.TrimPrefix(unit, "libra-"), was.pss>>20, now.pss>>20, was.files, now.files, was.goroutines, now.goroutines)
		s.check(now.files <= was.files+16, "%s has %d files open, %d before", unit, now.files, was.files)
		s.check(now.goroutines > 0 && now.goroutines <= was.goroutines+16, "%s has %d goroutines, %d before", unit, now.goroutines, was.goroutines)
		s.check(now.pss <= 2*was.pss+32<<20, "%s takes %d MB, %d MB before", unit, now.pss>>20, was.pss>>20)
	}
}

// randomFaults last at most two seconds each; recovery is automatic.
var randomFaults = map[string]func(*trial){
	"kills":       func(s *trial) { s.kill(harness.Services[rand.IntN(len(harness.Services))]) },
	"bus kills":   func(s *trial) { s.kill("libra-bus") },
	"stops":       suspend,
	"locks":       func(s *trial) { release := box.LockHistory(s); <-time.After(2 * time.Second); release() },
	"deletions":   func(s *trial) { box.WipeHistory(s); awaitDatabase(s) },
	"corruptions": corruptSome,
	"full disks":  fullForASecond,
	"faulty pages": func(s *trial) {
		res, err := s.site.Client().Post(box.URL+"/api/pages", "application/json",
			strings.NewReader(fmt.Sprintf(`{"url":"%s/libra-fault/crash/%x"}`, s.site.URL, rand.Uint64())))
		if err == nil {
			res.Body.Close()
		}
	},
}

// suspend stops a process for less than its watchdog timeout.
func suspend(s *trial) {
	units := slices.DeleteFunc(slices.Clone(harness.Services), func(unit string) bool { return unit == component.Web })
	pid := box.HostPID(s, units[rand.IntN(len(units))])
	if pid == 0 || syscall.Kill(pid, syscall.SIGSTOP) != nil {
		return // it is being restarted
	}
	<-time.After(2 * time.Second)
	_ = syscall.Kill(pid, syscall.SIGCONT) // it may have ended
}

// awaitDatabase waits until the recorder has a sound database again, because
// damage to two copies at once is not promised to be harmless.
func awaitDatabase(s *trial) {
	harness.Await(s, "the recorder to fill a new database", 30*time.Second, func() bool {
		result, err := box.QuickCheck()
		return err == nil && result == "ok"
	})
}

func corruptSome(s *trial) {
	if _, err := os.Stat(box.Database()); err != nil || box.Checkpoint() != nil {
		return // it is being created
	}
	box.CorruptHistory(s)
	awaitDatabase(s)
}

func fullForASecond(s *trial) {
	filler := fill(s, box.State("history"))
	<-time.After(time.Second)
	if err := os.Remove(filler); err != nil {
		s.Fatal(err)
	}
}

type size struct {
	pss               int64
	files, goroutines int
}

func sizes(s *trial) map[string]size {
	all := map[string]size{}
	goroutines := box.Goroutines(s)
	for _, unit := range harness.Services {
		pid := box.HostPID(s, unit)
		pss, _, err := harness.Memory(pid)
		if err != nil {
			s.Fatal(err)
		}
		all[unit] = size{pss, harness.Descriptors(pid), goroutines[unit]}
	}
	return all
}
