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

var minutes = flag.Float64("minutes", 0, "how long TestSoak breaks things; 0 leaves it out")

// TestSoak breaks something at random every second or two, then draws the sums.
func TestSoak(t *testing.T) {
	if *minutes == 0 {
		t.Skip("say -minutes 10")
	}
	play(t, row{fault: fmt.Sprintf("something at random every second or two, for %g minutes", *minutes), run: soak}, false)
}

func soak(s *scene) {
	before := sizes(s)
	count := map[string]int{}
	names := slices.Sorted(maps.Keys(mishaps))
	for end := time.Now().Add(time.Duration(*minutes * float64(time.Minute))); time.Now().Before(end); {
		name := names[rand.IntN(len(names))]
		count[name]++
		mishaps[name](s)
		<-time.After(time.Second + rand.N(time.Second))
	}
	s.meanwhile("", 0.999)
	for _, name := range names {
		s.after("%d %s", count[name], name)
	}
	s.well(30 * time.Second)
	s.whole(60 * time.Second)
	s.load.Stop()                  // its connections are not growth
	<-time.After(10 * time.Second) // what was busy is idle again
	now := sizes(s)
	for _, unit := range harness.Services {
		was, now := before[unit], now[unit]
		s.after("%s %d→%d MB, %d→%d files, %d→%d goroutines", strings.TrimPrefix(unit, "libra-"), was.pss>>20, now.pss>>20, was.files, now.files, was.goroutines, now.goroutines)
		s.promise(now.files <= was.files+16, "%s has %d files open, %d before", unit, now.files, was.files)
		s.promise(now.goroutines > 0 && now.goroutines <= was.goroutines+16, "%s has %d goroutines, %d before", unit, now.goroutines, was.goroutines)
		s.promise(now.pss <= 2*was.pss+32<<20, "%s takes %d MB, %d MB before", unit, now.pss>>20, was.pss>>20)
	}
}

// mishaps last at most two seconds each; nobody lifts a hand after them.
var mishaps = map[string]func(*scene){
	"kills":       func(s *scene) { s.kill(harness.Services[rand.IntN(len(harness.Services))]) },
	"bus kills":   func(s *scene) { s.kill("libra-bus") },
	"stops":       pause,
	"locks":       func(s *scene) { release := box.Lock(s); <-time.After(2 * time.Second); release() },
	"deletions":   func(s *scene) { box.WipeHistory(s); lull(s) },
	"corruptions": corruptSome,
	"full disks":  fullForASecond,
	"poison pages": func(s *scene) {
		res, err := s.site.Client().Post(box.URL+"/api/pages", "application/json",
			strings.NewReader(fmt.Sprintf(`{"url":"%s/libra-fault/crash/%x"}`, s.site.URL, rand.Uint64())))
		if err == nil {
			res.Body.Close()
		}
	},
}

// pause stops a process for less than its watchdog waits.
func pause(s *scene) {
	units := slices.DeleteFunc(slices.Clone(harness.Services), func(unit string) bool { return unit == component.Web })
	pid := box.HostPID(s, units[rand.IntN(len(units))])
	if pid == 0 || syscall.Kill(pid, syscall.SIGSTOP) != nil {
		return // it is being restarted
	}
	<-time.After(2 * time.Second)
	_ = syscall.Kill(pid, syscall.SIGCONT) // it may have been ended meanwhile
}

// lull waits for the recorder to have a database again: what damages two
// copies at once is another promise's business.
func lull(s *scene) {
	harness.Await(s, "the recorder to fill a new database", 30*time.Second, func() bool {
		said, err := box.QuickCheck()
		return err == nil && said == "ok"
	})
}

func corruptSome(s *scene) {
	if _, err := os.Stat(box.Database()); err != nil || box.Checkpoint() != nil {
		return // it is being made anew
	}
	box.CorruptHistory(s)
	lull(s)
}

func fullForASecond(s *scene) {
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

func sizes(s *scene) map[string]size {
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
