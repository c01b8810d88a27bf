//go:build appliance

package faults_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"time"

	"libra/systemd/harness"
)

// rows are those of docs/survival.md, in its order.
func rows() []row {
	return slices.Concat(
		notifyRows(),
		[]row{
			{"kill -9 of any one component", true, killEach},
			{"kill -9 of every component, at random, every second", false, killAll},
			{"a component hangs", false, hang},
			{"crash loop", false, crashLoop},
		},
		sqliteRows(), diskRows(), busRows(), pageRows(), upgradeRows(), skewRows(), bootRows(),
	)
}

func killEach(s *trial) {
	for _, unit := range harness.Services {
		took := s.killAndAwait(unit)
		if took > time.Second { // the machine may have been busy with other work
			took = min(took, s.killAndAwait(unit))
		}
		s.check(took <= time.Second, "%s was ready again after %s, twice, 1 s promised", unit, ms(took))
		s.after("%s %s", strings.TrimPrefix(unit, "libra-"), ms(took))
	}
	m := s.checkLoad("", 0.999)
	s.check(m.Unknown <= 2, "%d submissions cut off: %v", m.Unknown, m.Errors)
	s.check(m.Errors["GET /: connection refused"] == 0, "web's socket refused: %v", m.Errors)
	s.wantNothingLost(20 * time.Second)
	s.wantHealthy(10 * time.Second)
}

// killAndAwait kills a unit and returns how long it took to be active again.
func (s *trial) killAndAwait(unit string) time.Duration {
	s.Helper()
	return s.awaitReady(unit, s.kill(unit), 15*time.Second)
}

func killAll(s *trial) {
	kills := 0
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); kills++ {
		s.kill(harness.Services[rand.IntN(len(harness.Services))])
		<-time.After(time.Second)
	}
	s.checkLoad(fmt.Sprintf("%d kills", kills), 0.999)
	s.wantNothingLost(30 * time.Second)
	s.wantHealthy(10 * time.Second)
}

func hang(s *trial) {
	for _, unit := range harness.Services {
		if unit == "libra-web" || unit == "libra-bus" {
			continue // below, because reads and submissions differ
		}
		since := harness.Monotonic()
		box.Signal(s, unit, syscall.SIGSTOP)
		defer func() { s.awaitReady(unit, since, 12*time.Second) }()
	}
	s.wait(9 * time.Second)
	s.wantAccepted(s.checkLoad("all but bus and web", 0.999))

	since := harness.Monotonic()
	box.Signal(s, "libra-bus", syscall.SIGSTOP)
	s.after("bus %s", ms(s.awaitReady("libra-bus", since, 10*time.Second)))
	s.wantRefused(s.checkLoad("bus", 0.999))

	since = harness.Monotonic()
	box.Signal(s, "libra-web", syscall.SIGSTOP)
	s.after("web %s", ms(s.awaitReady("libra-web", since, 10*time.Second)))
	s.mark() // libra-web itself hangs: only the time is promised
	log := box.Journal(s, "--unit=libra*", fmt.Sprintf("--since=@%d", s.began.Unix()))
	s.check(strings.Count(log, "Watchdog timeout") >= len(harness.Services), "%d watchdog timeouts in the journal, %d processes hung", strings.Count(log, "Watchdog timeout"), len(harness.Services))
	s.wantNothingLost(30 * time.Second)
	s.wantHealthy(10 * time.Second)
}

// crashLoop kills a component whenever systemd restarts it, until the start limit.
func crashLoop(s *trial) {
	box.Sink.Reset()
	loop := func(unit string) {
		_, limited := harness.Within(30*time.Second, func() bool {
			if pid := box.HostPID(s, unit); pid != 0 {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended
			}
			return box.Property(s, unit, "Result") == "start-limit-hit" || box.Property(s, unit, "ActiveState") == "failed"
		})
		s.check(limited, "%s does not reach its start limit", unit)
	}
	loop("libra-inspector@2")
	s.wantAccepted(s.checkLoad("one inspector", 0.999))
	s.wantAlarm(15*time.Second, "beat.inspector.2", "libra-inspector@2")
	took, retried := harness.Within(40*time.Second, func() bool { return box.Active(s, "libra-inspector@2") })
	s.check(retried, "libra-inspector@2 is not retried")
	s.after("retried and active %s after that", ms(took))
	s.wantNothingLost(30 * time.Second)
	s.wantHealthy(10 * time.Second)
}
