//go:build appliance

package systemd_test

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"libra/pkg/broker"
	"libra/pkg/bus"
	"libra/pkg/libra"
	"libra/systemd/harness"
)

// A test of each kind of alarm, from its real cause to the message at Slack and the
// API. Those of pages are in pagekinds_test.go.

// componentDown is the alarm for a component that was stopped, has failed or does
// not respond.
func componentDown(id, target, what string) libra.Alarm {
	runbook, _, _ := strings.Cut(strings.ReplaceAll(id, ".", "-"), "-1")
	runbook, _, _ = strings.Cut(runbook, "-2")
	return libra.Alarm{
		ID: id, Scope: libra.ScopeComponent, Target: target, Severity: libra.Major, Summary: target + " " + what, Runbook: "#" + runbook,
	}
}

// Components that are stopped, hang, do not listen or keep crashing.
func TestComponentAlarmsAreNotified(t *testing.T) {
	awaitNoAlarms(t)
	began := time.Now()
	t.Cleanup(func() { box.EnsureHealthy(t) })
	box.Signal(t, "libra-recorder", syscall.SIGSTOP)
	box.Systemctl(t, "stop", "libra-inspector@1")
	box.Systemctl(t, "stop", "libra-web.socket", "libra-web")
	wantAtSlack(t, componentDown("beat.inspector.1", "libra-inspector@1", "was stopped"), "libra-inspector@1.service is inactive: it was stopped, and has not failed")
	wantAtSlack(t, componentDown("beat.web", "libra-web", "was stopped"), "libra-web.service is inactive: it was stopped, and has not failed")
	wantAtSlack(t, libra.Alarm{
		ID: "web", Target: "libra-web", Severity: libra.Critical, Runbook: "#web",
		Summary: "Libra's pages and API cannot be used: libra-web does not serve them",
	}, "GET http")
	wantAtSlack(t, componentDown("beat.recorder", "libra-recorder", "does not respond"), "no heartbeat for ")
	box.Systemctl(t, "start", "libra-web.socket", "libra-web", "libra-inspector@1")
	// A message that the recorder works again may still be of the test before.
	harness.Await(t, "the recorder's alarm to clear", time.Minute, func() bool {
		a, known := alarmOf(t, "beat.recorder")
		return known && a.State == libra.Cleared
	})
	// With earlier tests it may have restarted so often that this is an alarm, too, which
	// beat.recorder inhibits: it is sent now, and not together with what follows. It is raised
	// some seconds after the restart, if at all.
	again := func() bool {
		a, known := alarmOf(t, "restarts.recorder")
		return known && a.State == libra.Raised && a.Since.After(began)
	}
	if _, raised := harness.Within(6*time.Second, again); raised {
		wantAtSlack(t, libra.Alarm{ID: "restarts.recorder", Target: "libra-recorder", Severity: libra.Minor, Summary: "libra-recorder restarts repeatedly", Runbook: "#restarts"}, "limit 5")
	}
	wantCleared(t, "libra-recorder", "libra-recorder works again")

	// The start limit is 20 in 30 s. After a kill the unit is active for a moment longer, so
	// that not every round is a start.
	for kills := time.Now(); time.Since(kills) < time.Minute; {
		if box.Property(t, "libra-inspector@2", "ActiveState") == "failed" {
			break
		}
		if pid := box.MainPID(t, "libra-inspector@2"); pid != 0 {
			box.Exec("kill", "-KILL", fmt.Sprint(pid)) // it may have ended by itself
		}
		harness.Within(5*time.Second, func() bool {
			state := box.Property(t, "libra-inspector@2", "ActiveState")
			return state == "active" || state == "failed"
		})
	}
	wantNotified(t, libra.Alarm{
		ID: "restarts.inspector.2", Scope: libra.ScopeComponent, Target: "libra-inspector@2", Severity: libra.Minor,
		Summary: "libra-inspector@2 restarts repeatedly", Runbook: "#restarts",
	}, "limit 5")
	wantNotified(t, componentDown("beat.inspector.2", "libra-inspector@2", "has failed"), "systemd has given it up after ", "(start-limit-hit)")
	wantAction(t, "restarts.inspector.2", "systemd restarted libra-inspector@2")
	wantAction(t, "beat.recorder", "systemd restarted libra-recorder: it hung, and was ended")
	box.EnsureHealthy(t)
	for _, target := range []string{"libra-inspector@1", "libra-inspector@2", "libra-web"} {
		wantCleared(t, target, target+" works again")
	}
	wantCleared(t, "libra-web", "Libra's pages and API can be used again")
}

// The bus, which is notified while it is down; libra-bus, when another program
// listens in its place; and the notifier, once it runs again.
func TestBusAndNotifierAlarmsAreNotified(t *testing.T) {
	awaitNoAlarms(t)
	t.Cleanup(func() { box.EnsureHealthy(t) })
	box.Systemctl(t, "stop", "libra-bus")
	wantAtSlack(t, libra.Alarm{
		ID: "bus", Target: "libra-bus", Severity: libra.Critical, Runbook: "#bus", Summary: "Libra accepts no requests: libra-bus was stopped",
	}, "libra-bus.service is inactive: it was stopped, and has not failed")
	stop := startOtherBus(t)
	wantCleared(t, "libra-bus", "Libra accepts requests again")
	wantNotified(t, componentDown("beat.bus", "libra-bus", "does not respond"), "no heartbeat for ", ", limit 2 s")
	stop()
	box.Systemctl(t, "start", "libra-bus")
	wantCleared(t, "libra-bus", "libra-bus works again")

	box.Systemctl(t, "stop", "libra-notifier")
	wantListed(t, componentDown("beat.notifier", "libra-notifier", "was stopped"), "libra-notifier.service is inactive: it was stopped, and has not failed")
	box.Systemctl(t, "start", "libra-notifier")
	wantAtSlack(t, componentDown("beat.notifier", "libra-notifier", "was stopped"), "libra-notifier.service is inactive: it was stopped, and has not failed")
	wantCleared(t, "libra-notifier", "libra-notifier works again")
}

// startOtherBus runs a bus on the port and the store of libra-bus, which does for components
// what libra-bus does, but publishes no heartbeat.
func startOtherBus(t *testing.T) (stop func()) {
	t.Helper()
	store := box.State("bus")
	owner, err := os.Stat(store)
	if err != nil {
		t.Fatal(err)
	}
	b, err := broker.Start(t.Context(), broker.Config{
		Listen: fmt.Sprintf("127.0.0.1:%d", box.BusPort), Store: store, Keys: box.State("keys", "public"), Space: 1 << 30, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := bus.Connect(bus.Config{URL: "nats://" + b.Addr(), Seed: box.State("keys", "bus.nk"), Role: "bus", Name: "test", Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		err = conn.ServeConsumers(broker.Roles())
	}
	if err != nil {
		b.Stop()
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		conn.Close()
		b.Stop()
		is := owner.Sys().(*syscall.Stat_t)
		err := filepath.WalkDir(store, func(file string, _ fs.DirEntry, err error) error { // the suite runs as root
			return errors.Join(err, os.Lchown(file, int(is.Uid), int(is.Gid)))
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// setRules writes the appliance's alarms.toml: without flapping, unless text sets
// it, with both Slack channels, and a message for each alarm.
func setRules(t testing.TB, text string) {
	t.Helper()
	if err := writeRules(&box, text); err != nil {
		t.Fatal(err)
	}
}

func writeRules(h *harness.Harness, text string) error {
	if !strings.Contains(text, "[thresholds.flap]") {
		text += "\n[thresholds.flap]\nraises = 1000\n" // the tests stop the same components repeatedly
	}
	if bot != nil {
		text += "[notify]\ndigest = 1000\n" + channelRules()
	}
	file := filepath.Join(h.Home, "etc", "alarms.toml")
	return errors.Join(os.WriteFile(file, []byte(text), 0o644), os.Chmod(file, 0o644))
}

// A reload applies a valid alarms.toml. An invalid one is refused with its line,
// raises an alarm and changes nothing, also after a kill. A channel whose provider
// refuses every message raises an alarm at once.
func TestThresholdsReload(t *testing.T) {
	awaitNoAlarms(t)
	disk := libra.Alarm{
		ID: "disk", Scope: libra.ScopeHost, Target: "/var/lib/libra/history", Severity: libra.Major,
		Summary: "The disk under /var/lib/libra/history is filling up", Runbook: "#disk",
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(gone.Close)
	setRules(t, `
[thresholds.disk]
minor = 0.0001
major = 0.0001
[thresholds.memory]
minor = 0.01
[thresholds.queue]
minor = "1s"
[[channel]]
name = "ops"
type = "webhook"
url = "`+gone.URL+`/"
`)
	t.Cleanup(func() {
		setRules(t, "")
		box.Systemctl(t, "reload", "libra-watchdog", "libra-notifier")
		box.EnsureHealthy(t)
	})
	pid := box.MainPID(t, "libra-watchdog")
	box.Systemctl(t, "reload", "libra-watchdog", "libra-notifier")
	box.Systemctl(t, "stop", "libra-inspector@1", "libra-inspector@2")
	box.Submit(t, newShop(t).URL+"/queue")
	stop := exhaustMemory(t)
	wantNotified(t, disk, "% used, limit 0.0001 %, ")
	wantAction(t, "disk", "new watches are refused until less than 0.0001 % is in use")

	wantNotified(t, libra.Alarm{
		ID: "queue", Scope: libra.ScopeComponent, Target: "libra-inspector", Severity: libra.Minor, Summary: "Requests wait too long", Runbook: "#queue",
	}, "1 request waiting, the oldest for ", ", limit 1 s")
	box.Systemctl(t, "start", "libra-inspector@1", "libra-inspector@2")
	wantNotified(t, libra.Alarm{
		ID: "memory", Scope: libra.ScopeHost, Target: "memory", Severity: libra.Minor, Summary: "The host is short of memory", Runbook: "#memory",
	}, "some process waited for memory during ", " % of the last minute, limit 0.01 %, ", " available")
	stop()
	wantNotified(t, libra.Alarm{
		ID: "channel.ops", Scope: libra.ScopeComponent, Target: "channel ops", Severity: libra.Major,
		Summary: "Notifications cannot be sent through the channel ops", Runbook: "#channel",
	}, "404")

	setRules(t, "[thresholds.disk]\nminor = 0.0001\nmagor = 50\n")
	if out, err := box.Exec("systemctl", "reload", "libra-watchdog"); err == nil {
		t.Errorf("an invalid file was accepted: %s", out)
	}
	if journal := box.Journal(t, "-u", "libra-watchdog"); !strings.Contains(journal, "alarms.toml:3: ") {
		t.Error("the journal does not name the line")
	}
	wantNotified(t, libra.Alarm{
		ID: "alarms-file", Scope: libra.ScopeComponent, Target: "alarms.toml", Severity: libra.Minor,
		Summary: "alarms.toml is invalid: the last valid one stays in force", Runbook: "#alarms-file",
	}, "alarms.toml:3: ", "magor")
	if now := box.MainPID(t, "libra-watchdog"); now != pid {
		t.Errorf("reload replaced process %d by %d", pid, now)
	}
	box.Signal(t, "libra-watchdog", syscall.SIGKILL)
	harness.Await(t, "the watchdog to be restarted", 20*time.Second, func() bool {
		now := box.MainPID(t, "libra-watchdog")
		return now != 0 && now != pid && strings.Contains(box.Property(t, "libra-watchdog", "StatusText"), "disk") // still raised, by the last good file
	})
	setRules(t, "[thresholds.disk]\nminor = 0\nmajor = 0\ncritical = 0\n")
	box.Systemctl(t, "reload", "libra-watchdog", "libra-notifier")
	wantCleared(t, "alarms.toml", "alarms.toml is healthy again")
	wantCleared(t, "channel ops", "channel ops is healthy again")
	wantCleared(t, "/var/lib/libra/history", "The disk under /var/lib/libra/history has room again")
	wantCleared(t, "libra-inspector", "Requests are answered in time again")
	wantCleared(t, "memory", "The host has memory again")
	wantAction(t, "disk", "new watches are accepted again")
}

// exhaustMemory runs a program that waits for memory: it reads a file that is larger
// than the limit of its control group.
func exhaustMemory(t *testing.T) (stop func()) {
	t.Helper()
	groups, limit := "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
	if _, err := os.Stat(groups); err != nil { // cgroup v2
		groups, limit = "/sys/fs/cgroup", "memory.max"
	}
	group, err := os.MkdirTemp(groups, "libra-suite-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(group, limit), []byte(fmt.Sprint(12<<20)), 0); err != nil {
		t.Fatal(errors.Join(err, os.Remove(group)))
	}
	file := filepath.Join(box.Home, "larger-than-memory")
	program := exec.Command("sh", "-c", `echo $$ >"$0/cgroup.procs" && head -c 64M /dev/zero >"$1" && while :; do cat "$1" >/dev/null; done`, group, file)
	program.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := program.Start(); err != nil {
		t.Fatal(errors.Join(err, os.Remove(group)))
	}
	stop = sync.OnceFunc(func() {
		err := syscall.Kill(-program.Process.Pid, syscall.SIGKILL)
		program.Wait() // killed
		if harness.Within(5*time.Second, func() bool { return os.Remove(group) == nil }); err != nil {
			t.Error(err)
		}
		os.Remove(file)
	})
	t.Cleanup(stop)
	return stop
}

// A history that cannot be read, cannot be written, or was set aside.
func TestHistoryAlarmsAreNotified(t *testing.T) {
	awaitNoAlarms(t)
	folder := box.State("history")
	is, err := os.Stat(folder)
	if err != nil {
		t.Fatal(err)
	}
	open := func() {
		if err := os.Chmod(folder, is.Mode().Perm()); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(open)
	if err := os.Chmod(folder, 0o700); err != nil { // the readers are in the folder's group
		t.Fatal(err)
	}
	wantNotified(t, libra.Alarm{
		ID: "sqlite", Scope: libra.ScopeComponent, Target: "SQLite", Severity: libra.Major,
		Summary: "The database cannot be read: history is behind", Runbook: "#sqlite",
	}, "libra.db: permission denied")
	open()
	wantCleared(t, "SQLite", "The database can be read again")

	const name = "libra.db.damaged-test"
	file := box.State("history", name)
	if err := os.WriteFile(file, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(file) }) // if the test ends early
	unlock := sync.OnceFunc(box.LockHistory(t))
	t.Cleanup(unlock)
	box.Submit(t, site(t).URL+"/")
	wantNotified(t, libra.Alarm{
		ID: "history", Scope: libra.ScopeComponent, Target: "history", Severity: libra.Minor,
		Summary: "A damaged database was set aside: find out why, then move it away", Runbook: "#history",
	}, "1 beside the database, the newest /var/lib/libra/history/"+name+", ", " old, an alarm for 7 days")
	wantNotified(t, libra.Alarm{
		ID: "behind", Scope: libra.ScopeComponent, Target: "libra-recorder", Severity: libra.Major,
		Summary: "History is behind: nothing is recorded", Runbook: "#behind",
	}, "since ", ", limit 5 s; ", "locked")
	unlock()
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	wantCleared(t, "libra-recorder", "History is recorded again")
	wantCleared(t, "history", "No damaged database was set aside recently")
}

// Reports that the bus discards before they are recorded; the alarm clears when somebody
// acknowledges it.
func TestLostReportsAreNotified(t *testing.T) {
	awaitNoAlarms(t)
	t.Cleanup(func() { box.EnsureHealthy(t) })
	host := site(t).URL
	box.Submit(t, host+"/lost")
	harness.Await(t, "a report in the history", 20*time.Second, func() bool { all, err := box.RecordedReports(); return err == nil && len(all) > 0 })
	pages := box.PagesOnBus(t)
	box.Systemctl(t, "stop", "libra-recorder")
	for n := range 4 {
		box.Submit(t, fmt.Sprint(host, "/lost/", n))
	}
	harness.Await(t, "four more pages to have a report", 20*time.Second, func() bool { return box.PagesOnBus(t) >= pages+4 })
	box.DiscardReports(t)
	box.Systemctl(t, "start", "libra-recorder")
	wantNotified(t, libra.Alarm{
		ID: "lost", Scope: libra.ScopeComponent, Target: "libra-recorder", Severity: libra.Major,
		Summary: "Reports, alarms or notes are missing from the history, and from the bus: they are lost", Runbook: "#lost",
	}, " reports, the newest gap found ", "; an alarm for 7 days, or until it is acknowledged")
	harness.Await(t, "the gap in the alarm's timeline", 10*time.Second, func() bool {
		_, body := box.Get(t, "/api/alarms/lost")
		return strings.Contains(body, " reports are missing from before ")
	})
	resp, err := http.Post(box.URL+"/api/alarms/lost/acknowledge", "application/json", strings.NewReader(`{"text":"seen"}`))
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode/100 != 2 {
		t.Errorf("acknowledged with %s", resp.Status)
	}
	wantCleared(t, "libra-recorder", "What was lost is acknowledged, or 7 days old")
}
