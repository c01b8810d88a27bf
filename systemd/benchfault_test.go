//go:build appliance

package systemd_test

import (
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"libra/systemd/harness"
)

// faultFigures measures how long recovery takes after each fault, without an
// operator.
func faultFigures(b *testing.B, f *figures) {
	site := harness.NewSite()
	defer site.Close()
	n := 0
	submit := func() string { n++; return box.Submit(b, fmt.Sprintf("%s/p/fault/%d", site.URL, n)) }
	for range 200 {
		submit()
	}
	harness.Await(b, "all pages to be reported", 30*time.Second, func() bool { return box.OpenRequests(b) == 0 })
	harness.Await(b, "all reports in SQLite", 30*time.Second, func() bool { return recorded(b) >= n })
	all := recorded(b)
	complete := func(pages int) func() bool {
		return func() bool {
			result, err := box.QuickCheck()
			return err == nil && result == "ok" && recorded(b) >= pages
		}
	}
	for _, unit := range []string{"libra-bus", "libra-web", "libra-recorder"} {
		took := hangAndAwait(b, unit)
		f.aim(unit+" hangs: to ready again", ms(took), "≤ 10 s", took <= 10*time.Second)
	}
	box.EnsureHealthy(b)

	release := box.LockHistory(b)
	for range 20 {
		submit()
	}
	harness.Await(b, "all pages to be reported", 30*time.Second, func() bool { return box.OpenRequests(b) == 0 })
	release()
	recovery(b, f, "SQLite locked: from its end to nothing missing", 2*time.Second, complete(all+20))
	box.WipeHistory(b)
	recovery(b, f, fmt.Sprintf("SQLite deleted: to %d pages in a new one", all+20), 5*time.Second, complete(all+20))
	box.CorruptHistory(b)
	recovery(b, f, fmt.Sprintf("SQLite corrupt: to %d pages in a new one", all+20), 5*time.Second, complete(all+20))
	box.RemoveDamagedDatabases(b)

	box.Sink.Reset()
	box.Systemctl(b, "stop", "libra-bus")
	took, ok := harness.Within(30*time.Second, func() bool { return box.Sink.FindMessage("Libra accepts no requests") != nil })
	f.aim("bus stopped: to the message at Slack's", ms(took), "≤ 2.5 s", ok && took <= 2500*time.Millisecond)
	<-time.After(5 * time.Second)
	box.Systemctl(b, "start", "libra-bus")
	recovery(b, f, "bus stopped for 5 s and more: from its start to the first 202", time.Second, func() bool {
		res, err := http.Post(box.URL+"/api/pages", "application/json", strings.NewReader(fmt.Sprintf(`{"url":"%s/p/fault/back"}`, site.URL)))
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusAccepted
	})
	box.EnsureHealthy(b)
}

func recovery(b *testing.B, f *figures, name string, aim time.Duration, recovered func() bool) {
	b.Helper()
	took, ok := harness.Within(time.Minute, recovered)
	f.aim(name, ms(took), "≤ "+aim.String(), ok && took <= aim)
}

// hangAndAwait suspends a unit's process and returns how long it takes systemd's
// watchdog to end and restart it.
func hangAndAwait(b *testing.B, unit string) time.Duration {
	b.Helper()
	began := harness.Monotonic()
	box.Signal(b, unit, syscall.SIGSTOP)
	var ready time.Duration
	harness.Await(b, unit+" to be ready again", 30*time.Second, func() bool {
		ready = box.Timestamps(b, unit)["ActiveEnter"]
		return ready > began && box.Active(b, unit)
	})
	return ready - began
}
