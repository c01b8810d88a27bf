//go:build appliance

package faults_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"libra/pkg/component"
	"libra/pkg/release"
	"libra/systemd/harness"
)

func upgradeRows() []row {
	return []row{
		{"upgrade under load", false, upgraded},
		{"rollback under load", false, rolledBack},
		{"upgrade to a program that crashes at start", false, crashingUpgrade},
		{"upgrade to a program that is ready and not healthy", false, silentUpgrade},
		{"kill -9 of libra upgrade in the middle", false, interruptedUpgrade},
		{"Ctrl-C in the middle of libra upgrade", false, stoppedUpgrade},
	}
}

// next and bad are versions that only the rows about upgrades have.
const (
	next = "9.0.0"
	bad  = "9.0.1"
)

// versions are those of the components, by their heartbeats.
func versions(s *trial) map[string]int {
	var doc struct{ Components []struct{ Version string } }
	code, body := box.Get(s, "/api/status")
	if code != 200 || json.Unmarshal([]byte(body), &doc) != nil {
		s.Fatalf("GET /api/status: %d %s", code, body)
	}
	count := map[string]int{}
	for _, c := range doc.Components {
		count[c.Version]++
	}
	return count
}

// current is the release that the link names.
func current(s *trial) string {
	version, err := release.Layout{Root: filepath.Join(box.Home, "opt")}.Current()
	if err != nil {
		s.Fatal(err)
	}
	return version
}

// wantRunning wants every unit to run a release.
func (s *trial) wantRunning(version string) {
	s.Helper()
	all := versions(s)
	s.check(current(s) == version && all[version] == len(harness.Services) && len(all) == 1, "current is %s, components have %v; want %s", current(s), all, version)
}

// wantUndisturbed wants the load since the last mark to have noticed nothing.
func (s *trial) wantUndisturbed() {
	s.Helper()
	m := s.checkLoad("", 1)
	s.check(m.Refused == 0 && m.Unknown == 0 && m.Accepted > 0, "%d submissions refused, %d cut off, %d accepted: %v", m.Refused, m.Unknown, m.Accepted, m.Errors)
	s.check(m.Retried == 0, "%d reads cut off and retried", m.Retried)
}

// upgrade runs libra upgrade, and wants its exit code.
func (s *trial) upgrade(code string, args ...string) (out string) {
	s.Helper()
	began := time.Now()
	out, err := box.Libra(args...)
	s.Logf("libra %s: %v\n%s", strings.Join(args, " "), err, out)
	s.check(fmt.Sprint(err) == code || err != nil && strings.HasSuffix(err.Error(), code), "libra %s ends with %v after %s, want %s", args[0], err, time.Since(began), code)
	s.after("libra %s took %s", args[0], ms(time.Since(began)))
	return out
}

func upgraded(s *trial) {
	path := box.Release(s, next, nil)
	s.mark()
	s.upgrade("<nil>", "upgrade", path)
	s.wantUndisturbed()
	s.wantRunning(next)
	s.wantNothingLost(20 * time.Second)
	s.wantHealthy(10 * time.Second)
}

func rolledBack(s *trial) {
	was := current(s)
	s.upgrade("<nil>", "rollback")
	s.wantUndisturbed()
	s.check(current(s) != was, "current is still %s", was)
	s.wantRunning(current(s))
	s.wantNothingLost(20 * time.Second)
	s.wantHealthy(10 * time.Second)
}

// failedUpgrade upgrades to a release that does not work, and wants it rolled back, and
// notified.
func failedUpgrade(s *trial, program, script, why string) {
	was := current(s)
	path := box.Release(s, bad, func(bin string) { harness.Replace(s, bin, program, script) })
	box.Sink.Reset()
	s.mark()
	out := s.upgrade("exit status 1", "upgrade", path)
	s.check(strings.Contains(out, why), "its output lacks %q", why)
	s.wantUndisturbed()
	s.wantRunning(was)
	summary := fmt.Sprintf("The upgrade to Libra %s failed and was rolled back: %s runs again", bad, was)
	took, ok := harness.Within(20*time.Second, func() bool { return box.Sink.Message(summary, why) != "" })
	s.check(ok, "no message in Slack with %q and %q: %q", summary, why, box.Sink.Messages())
	s.after("notified %s after it ended", ms(took))
	s.wantNothingLost(20 * time.Second)
}

// endAlarm ends the alarm about a failed upgrade as a day does.
func endAlarm(s *trial) {
	if err := os.Remove(release.RecordFile(filepath.Join(box.Home, "opt"))); err != nil {
		s.Fatal(err)
	}
	s.wantHealthy(10 * time.Second)
}

func crashingUpgrade(s *trial) {
	failedUpgrade(s, component.Web, "echo 'panic: a nil pointer' >&2; exit 1", "libra-web.service: it does not start (exit-code): panic: a nil pointer")
	endAlarm(s)
}

// silentUpgrade: the process is ready, and sends no heartbeat.
func silentUpgrade(s *trial) {
	failedUpgrade(s, component.Notifier, `exec "$0.real" "$@" --nats-url nats://127.0.0.1:9`, "it is ready, and no heartbeat of it arrives")
	endAlarm(s)
}

// begin runs libra upgrade as a unit until some units run the next release.
func begin(s *trial, version string) {
	path := box.Release(s, version, nil)
	s.mark()
	box.Systemctl(s, "reset-failed")
	if out, err := box.Exec("systemd-run", "--quiet", "--unit=upgrade-test", "/opt/libra/bin/libra", "upgrade", path); err != nil {
		s.Fatalf("%v: %s", err, out)
	}
	harness.Await(s, "some units to run the next release", 60*time.Second, func() bool { return versions(s)[version] >= 3 })
}

// interruptedUpgrade: units of both versions work together until somebody goes back.
func interruptedUpgrade(s *trial) {
	was := current(s)
	begin(s, next+"-1")
	box.Systemctl(s, "kill", "--signal=KILL", "upgrade-test")
	harness.Await(s, "libra upgrade to end", 10*time.Second, func() bool { return !box.Active(s, "upgrade-test") })
	s.check(len(versions(s)) == 2, "components have %v, want two versions", versions(s))
	<-time.After(5 * time.Second) // under load
	out, err := box.Libra("doctor")
	s.check(err != nil && strings.Contains(out, "upgrade   from "+was), "libra doctor: %v\n%s", err, out)
	s.upgrade("<nil>", "rollback")
	s.wantUndisturbed()
	s.wantRunning(was)
	s.wantNothingLost(20 * time.Second)
	endAlarm(s)
}

// stoppedUpgrade: an upgrade that is asked to stop goes back by itself.
func stoppedUpgrade(s *trial) {
	was := current(s)
	begin(s, next+"-2")
	box.Systemctl(s, "kill", "--signal=INT", "upgrade-test")
	took, ended := harness.Within(120*time.Second, func() bool { return !box.Active(s, "upgrade-test") })
	s.check(ended, "libra upgrade did not end")
	s.after("it ended %s after that", ms(took))
	s.wantUndisturbed()
	s.wantRunning(was)
	last, err := release.ReadRecord(release.RecordFile(filepath.Join(box.Home, "opt")))
	s.check(err == nil && last.Phase == release.RolledBack && strings.Contains(last.Why, "interrupted"), "the record is %+v, %v", last, err)
	s.wantNothingLost(20 * time.Second)
	endAlarm(s)
}
