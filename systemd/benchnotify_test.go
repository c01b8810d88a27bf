//go:build appliance

package systemd_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"libra/systemd/harness"
)

// BenchmarkNotifications measures how long it takes from a fault to its message, and
// the rate of scheduled inspections. It does not fail for being slow.
func BenchmarkNotifications(b *testing.B) {
	if b.N > 1 {
		b.Skip("needs -benchtime 1x")
	}
	var f figures
	defer f.print()
	box.EnsureHealthy(b)
	notificationFigures(b, &f)
	watchFigures(b, &f)
}

// notificationFigures measures from faults to messages, also while the notifier is
// killed.
func notificationFigures(b *testing.B, f *figures) {
	const calm = "[thresholds.flap]\nraises = 1000\n[thresholds.restarts]\nstarts = 1000\n" // the same faults are repeated
	rules := func(text string) {
		setRules(b, text)
		box.Systemctl(b, "reload", "libra-watchdog", "libra-notifier")
	}
	rules(calm)
	<-time.After(6 * time.Second) // the grace of a watchdog that has just started is 5 s
	defer func() { box.Sink.SetResponses(harness.Response{}); rules("") }()
	measureUnitAlarm(b, f, "a unit stopped: to the message at Slack's")
	rules(calm + "[thresholds.component]\nraise = 3\nclear = 2\n")
	measureUnitAlarm(b, f, "  the same after 3 failures, at 1 s")
	rules(calm)
	measurePageAlarm(b, f)
	measureNotifierKilled(b, f)
	measureHangingSlack(b, f)
}

// measureUnitAlarm stops and starts a unit, and measures to the messages.
func measureUnitAlarm(b *testing.B, f *figures, name string) {
	b.Helper()
	const unit = "libra-inspector@2"
	var took sample
	for range 3 {
		<-time.After(11 * time.Second) // within 10 s of another message the next ones of its group wait
		box.Sink.Reset()
		began := harness.Monotonic()
		box.Systemctl(b, "stop", unit)
		took = append(took, awaitCall(b, unit+" was stopped").At-began)
		box.Systemctl(b, "start", unit)
		awaitCall(b, unit+" works again")
	}
	f.aim(name, took.String(), "≤ 2.5 s", took.median() <= 2500*time.Millisecond)
}

// awaitCall waits for a call to Slack that contains words.
func awaitCall(b *testing.B, words ...string) (c harness.Call) {
	b.Helper()
	harness.Await(b, fmt.Sprintf("%q at Slack's", words), 30*time.Second, func() bool {
		calls := box.Sink.Calls(words...)
		if len(calls) > 0 {
			c = calls[0]
		}
		return len(calls) > 0
	})
	return c
}

// watchPages watches pages of a site every second.
func watchPages(b *testing.B, s *harness.WatchedSite, pages int) (stop func()) {
	b.Helper()
	for n := range pages {
		box.WatchPage(b, s.Page(n), "1s")
	}
	harness.Await(b, "two inspections of each", 20*time.Second, func() bool { return s.Requests() >= int64(2*pages) })
	return func() {
		for n := range pages {
			box.WatchPage(b, s.Page(n), "off")
		}
		s.Close()
	}
}

// measurePageAlarm lets a page that is inspected every second fail at different
// times of the second.
func measurePageAlarm(b *testing.B, f *figures) {
	var fault, first sample
	for n := range 7 {
		s := harness.NewWatchedSite(b, fmt.Sprintf("127.0.1.%d", 1+n)) // alarms of pages of one host are grouped
		stop := watchPages(b, s, 1)
		<-time.After(2*time.Second + time.Duration(n)*time.Second/7)
		box.Sink.Reset()
		began := s.SetDown(true)
		at := awaitCall(b, "[major] "+s.Page(0), "The page is down").At
		fault, first = append(fault, at-began), append(first, at-s.FirstError())
		stop()
		awaitCall(b, "[cleared] "+s.Page(0))
	}
	f.aim("a watched page fails, 3 failures at 1 s: from the first of them to Slack", first.String(), "≤ 2.5 s", first.median() <= 2500*time.Millisecond)
	f.aim("  from the fault, up to 1 s before the first of them", fault.String(), "≤ 2.5 s", fault.median() <= 2500*time.Millisecond)
}

// measureNotifierKilled kills the notifier while it waits for Slack's response.
func measureNotifierKilled(b *testing.B, f *figures) {
	s := harness.NewWatchedSite(b, "127.0.1.20")
	defer watchPages(b, s, 1)()
	box.Sink.Reset()
	box.Sink.SetResponses(harness.Response{Hang: true})
	s.SetDown(true)
	awaitCall(b, s.Page(0))
	var kill, start sample
	for n := range 7 {
		pid := box.HostPID(b, "libra-notifier")
		began := harness.Monotonic()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			b.Fatal(err)
		}
		harness.Await(b, "the next attempt", 20*time.Second, func() bool { return len(box.Sink.Calls()) > n+1 })
		at := box.Sink.Calls()[n+1].At
		kill, start = append(kill, at-began), append(start, at-box.Timestamps(b, "libra-notifier")["ExecMainStart"])
	}
	box.Sink.SetResponses(harness.Response{})
	f.aim("kill -9 libra-notifier in its POST: from its start to the next POST", start.String(), "≤ 200 ms", start.median() <= 200*time.Millisecond)
	f.add("  from the kill, 100 ms of systemd's included", kill.String())
	if ready := regexp.MustCompile(`msg=ready .* dur=(\S+)`).FindAllStringSubmatch(box.Journal(b, "--unit", "libra-notifier"), -1); ready != nil {
		f.add("  libra-notifier's own start; the rest is its sandbox", ready[len(ready)-1][1])
	}
}

// measureHangingSlack shows that a hanging Slack does not delay inspections.
func measureHangingSlack(b *testing.B, f *figures) {
	const pages, long = 40, 20 * time.Second
	s, bad := harness.NewWatchedSite(b, "127.0.1.30"), harness.NewWatchedSite(b, "127.0.1.31")
	defer watchPages(b, s, pages)()
	defer watchPages(b, bad, 1)()
	rate := func() float64 {
		asked := s.Requests()
		<-time.After(long)
		return float64(s.Requests()-asked) / long.Seconds()
	}
	without := rate()
	box.Sink.Reset()
	box.Sink.SetResponses(harness.Response{Hang: true})
	bad.SetDown(true)
	awaitCall(b, bad.Page(0))
	with := rate()
	box.Sink.SetResponses(harness.Response{})
	f.aim(fmt.Sprintf("%d pages watched every second, Slack hanging", pages), fmt.Sprintf("%.1f/s, %.1f/s without", with, without), "the same", with >= 0.95*without)
}

// watchFigures watches 300 hosts whose page takes 100 ms, every second.
func watchFigures(b *testing.B, f *figures) {
	manyTargets(b, f, "300 targets of 100 ms, every second, as shipped")
}

// manyTargets measures the rate of scheduled inspections of many hosts.
func manyTargets(b *testing.B, f *figures, name string) {
	b.Helper()
	const targets, long = 300, 20 * time.Second
	sites := make([]*harness.WatchedSite, targets)
	for n := range sites {
		sites[n] = harness.NewWatchedSite(b, fmt.Sprintf("127.0.%d.%d", 2+n/200, 1+n%200))
		sites[n].Delay = 100 * time.Millisecond
		defer sites[n].Close()
		box.WatchPage(b, sites[n].Page(0), "1s")
	}
	defer func() {
		for _, s := range sites {
			box.WatchPage(b, s.Page(0), "off")
		}
		harness.Await(b, "the last inspection", time.Minute, func() bool { return box.OpenRequests(b) == 0 })
	}()
	harness.Await(b, "two inspections of each", time.Minute, func() bool {
		for _, s := range sites {
			if s.Requests() < 2 {
				return false
			}
		}
		return true
	})
	before := make([]int64, targets)
	for n, s := range sites {
		before[n] = s.Requests()
	}
	began, cpu := time.Now(), cpuTime(b)
	<-time.After(long)
	all, least := int64(0), int64(1<<62)
	for n, s := range sites {
		got := s.Requests() - before[n]
		all, least = all+got, min(least, got)
	}
	seconds := time.Since(began).Seconds()
	rate := float64(all) / seconds
	measured := fmt.Sprintf("%.0f/s, the least of them %.2f/s; all units take %.1f cores", rate, float64(least)/seconds, (cpuTime(b)-cpu).Seconds()/seconds)
	f.aim(name, measured, "300/s", rate >= 0.99*targets)
}

// cpuTime returns the CPU time of all units.
func cpuTime(b *testing.B) (all time.Duration) {
	b.Helper()
	for _, unit := range harness.Services {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", box.HostPID(b, unit)))
		if err != nil {
			b.Fatal(err)
		}
		_, rest, _ := strings.Cut(string(data), ") ") // the process name may contain spaces
		var user, system int64
		if _, err := fmt.Sscan(strings.Join(strings.Fields(rest)[11:13], " "), &user, &system); err != nil {
			b.Fatal(err)
		}
		all += time.Duration(user+system) * 10 * time.Millisecond // the kernel's clock tick
	}
	return all
}
