//go:build appliance

package faults_test

import (
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"libra/systemd/harness"
	"libra/systemd/load"
)

// trial is the run of one row.
type trial struct {
	*testing.T
	row   *outcome
	brief bool // faults last 5 s at most
	site  *httptest.Server
	load  *load.Generator
	board *board
	began time.Time
	stall time.Duration // the longest time for which the load generator did not run
}

// maxStall is the longest stall of the load generator: a row that fails on a machine
// which is busy with other work is run again.
const maxStall = 500 * time.Millisecond

// began is the start of the suite, which must end within 30 minutes.
var began = time.Now()

// runRow runs a row on a healthy appliance under load, and leaves it healthy.
func runRow(t *testing.T, r row, brief bool) {
	o := &outcome{fault: r.fault}
	table.rows = append(table.rows, o)
	t.Cleanup(func() {
		if t.Failed() {
			if len(o.broken) == 0 {
				o.broken = append(o.broken, "the row did not finish: see its test")
			}
			resetAppliance(t) // the next row needs a healthy appliance
		}
	})
	s := runOnce(t, r, o, brief)
	if len(o.broken) > 0 && s.stall > maxStall && *minutes == 0 && time.Since(began) < 20*time.Minute {
		resetAppliance(t)
		*o = outcome{fault: r.fault, after: []string{fmt.Sprintf("run twice: the machine stalled for %s in the first run", ms(s.stall))}}
		runOnce(t, r, o, brief)
	}
	for _, text := range o.broken {
		t.Errorf("broken: %s", text)
	}
}

func runOnce(t *testing.T, r row, o *outcome, brief bool) *trial {
	box.EnsureHealthy(t)
	s := &trial{T: t, row: o, brief: brief, site: harness.NewSite(), began: time.Now()}
	defer s.site.Close()
	defer func() {
		if t.Failed() || len(o.broken) > 0 {
			s.showJournal()
		}
	}()
	s.load = load.Start(t, load.Config{
		URL: box.URL, Site: s.site.URL, Name: fmt.Sprintf("row%d-%d", len(table.rows), s.began.UnixMilli()), Submits: 10, Reads: 200,
	})
	s.board = startBoard(t.Context(), fmt.Sprintf("row%d-%d", len(table.rows), s.began.UnixMilli()))
	defer s.board.stop()
	harness.Await(t, "the first reports", 20*time.Second, func() bool { return len(s.load.IDs().Reported) >= 10 })
	s.mark()
	r.run(s)
	s.load.Stop()
	s.wantBoard(20 * time.Second)
	return s
}

// resetAppliance restarts everything with empty stores.
func resetAppliance(t *testing.T) {
	if out, err := box.Down(); err != nil {
		t.Fatalf("down: %v\n%s", err, out)
	}
	box.WipeBus(t)
	box.WipeHistory(t)
	if out, err := box.Up(); err != nil {
		t.Fatalf("up: %v\n%s", err, out)
	}
}

// showJournal logs the journal of this row without routine messages.
func (s *trial) showJournal() {
	text, err := box.Exec("journalctl", "--no-pager", "--output=short-precise", "--no-hostname", "--unit=libra*",
		fmt.Sprintf("--since=@%d", s.began.Unix()))
	if err != nil {
		return
	}
	var lines []string
	for line := range strings.Lines(text) {
		relevant := strings.Contains(line, "msg=") || strings.Contains(line, "systemd[1]") || strings.Contains(line, ": panic: ")
		for _, routine := range []string{"inspection ends", "bus connected", "control group"} {
			relevant = relevant && !strings.Contains(line, routine)
		}
		if relevant {
			lines = append(lines, line)
		}
	}
	if len(lines) > 80 {
		lines = append(append(slices.Clone(lines[:40]), "[...]\n"), lines[len(lines)-40:]...)
	}
	s.Logf("the journal:\n%s", strings.Join(lines, ""))
}

// check records a broken promise unless ok.
func (s *trial) check(ok bool, format string, args ...any) {
	s.Helper()
	text := fmt.Sprintf(format, args...)
	if !ok {
		s.row.broken = append(s.row.broken, text)
		s.Logf("broken: %s", text)
	}
}

func (s *trial) after(format string, args ...any) {
	s.row.after = append(s.row.after, fmt.Sprintf(format, args...))
}

// mark begins another period and returns the load of the last one.
func (s *trial) mark() load.Stats {
	s.Helper()
	m := s.load.Mark()
	s.stall = max(s.stall, m.Stalled)
	return m
}

// checkLoad ends a period: the share of reads was answered, and no report that had
// been read was missing.
func (s *trial) checkLoad(what string, share float64) load.Stats {
	s.Helper()
	m := s.mark()
	if what != "" {
		what += ": "
	}
	text := fmt.Sprintf("%s%d reads, %.2f %% answered, p50 %s p99 %s, %d accepted %d refused", what, m.Reads, 100*m.AnsweredShare(), ms(m.P50), ms(m.P99), m.Accepted, m.Refused)
	if m.Unknown > 0 {
		text += fmt.Sprintf(" %d cut off", m.Unknown)
	}
	if m.Retried > 0 {
		text += fmt.Sprintf(", %d reads cut off and retried", m.Retried)
	}
	if m.Stale > 0 {
		text += fmt.Sprintf(", %d stale", m.Stale)
	}
	s.row.meanwhile = append(s.row.meanwhile, text)
	s.check(m.AnsweredShare() >= share, "%s%.2f %% of %d reads answered, %.1f %% promised: %v", what, 100*m.AnsweredShare(), m.Reads, 100*share, m.Errors)
	s.check(m.Lost == 0, "%s%d reads of known pages came back without their report", what, m.Lost)
	s.check(m.BadRefusals == 0, "%s%d submissions refused without Retry-After: %v", what, m.BadRefusals, m.Errors)
	return m
}

// wantAccepted wants all submissions accepted, except a few that were cut off.
func (s *trial) wantAccepted(m load.Stats) {
	s.Helper()
	s.check(m.Refused == 0 && m.Accepted > 0 && m.Unknown <= 3, "%d submissions refused, %d cut off, %d accepted", m.Refused, m.Unknown, m.Accepted)
}

// wantRefused wants submissions refused, without delay.
func (s *trial) wantRefused(m load.Stats) {
	s.Helper()
	s.check(m.Refused > 0 && m.SlowestSubmit < 4*time.Second, "%d submissions refused, the slowest answer took %s", m.Refused, m.SlowestSubmit)
}

// wantNothingLost stops submitting and wants each accepted page reported, and
// recorded once, and the board as it was written.
func (s *trial) wantNothingLost(most time.Duration) {
	s.Helper()
	s.load.StopSubmitting()
	var ids load.IDs
	var unreported, unrecorded, twice int
	var fault error
	took, ok := harness.Within(most, func() bool {
		ids = s.load.IDs()
		pages, err := box.RecordedReports()
		fault = err
		unreported, unrecorded, twice = len(ids.Accepted)-len(ids.Reported), 0, 0
		for _, id := range ids.Accepted {
			switch n := pages[id]; {
			case n == 0:
				unrecorded++
			case n > 1:
				twice++
			}
		}
		return err == nil && unreported == 0 && unrecorded == 0
	})
	s.check(ok && twice == 0, "of %d accepted %d are not reported, %d not recorded, %d recorded twice, %s later (%v)", len(ids.Accepted), unreported, unrecorded, twice, took.Round(time.Second), fault)
	s.after("%d accepted = reported = recorded after %s", len(ids.Accepted)-max(unreported, unrecorded), ms(took))
	s.wantBoard(most)
}

// wantHealthy wants the appliance healthy without an operator.
func (s *trial) wantHealthy(most time.Duration) {
	s.Helper()
	took, ok := harness.Within(most, func() bool { return box.Healthy(s) })
	_, up := box.Get(s, "/up")
	s.check(ok, "not healthy after %s: %s", took.Round(time.Second), strings.ReplaceAll(strings.TrimSpace(up), "\n", ", "))
	s.after("healthy after %s", ms(took))
}

// wantAlarm wants a message with all of words. An alarm that was raised three times
// within ten minutes flaps and stays raised without another message: then it must
// be raised in the API.
func (s *trial) wantAlarm(most time.Duration, id string, words ...string) {
	s.Helper()
	_, ok := harness.Within(most, func() bool {
		_, raised := box.Get(s, "/api/alarms?state=raised")
		return box.Sink.FindMessage(words...) != nil || strings.Contains(raised, fmt.Sprintf(`"id":%q`, id))
	})
	s.check(ok, "no message with %q", words)
}

// wait lets a fault last for a time; at most 5 s in TestFaultsShort.
func (s *trial) wait(d time.Duration) {
	if s.brief {
		d = min(d, 5*time.Second)
	}
	<-time.After(d)
}

// kill kills a unit's process and returns the time.
func (s *trial) kill(unit string) time.Duration {
	s.Helper()
	now := harness.Monotonic()
	if pid := box.HostPID(s, unit); pid != 0 {
		now = harness.Monotonic()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			s.Fatal(err)
		}
	}
	return now
}

// awaitReady waits until a unit is active again and returns how long that took
// since a time.
func (s *trial) awaitReady(unit string, since, most time.Duration) time.Duration {
	s.Helper()
	var ready time.Duration
	_, ok := harness.Within(most+5*time.Second, func() bool {
		ready = box.Timestamps(s, unit)["ActiveEnter"]
		return ready > since && box.Active(s, unit)
	})
	if !ok {
		s.Fatalf("%s was not restarted", unit)
	}
	s.check(ready-since <= most, "%s was ready again after %s, %s promised", unit, ms(ready-since), most)
	return ready - since
}

func ms(d time.Duration) string {
	if d > 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return fmt.Sprintf("%.1f ms", float64(d)/1e6)
}
