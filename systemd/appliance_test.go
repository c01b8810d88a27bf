//go:build appliance

package systemd_test

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"libra/pkg/libra"
	"libra/pkg/store"
	"libra/systemd/harness"
)

// Each unit stops, starts and restarts without an effect on the others.
func TestEachUnitRestartsAlone(t *testing.T) {
	box.EnsureHealthy(t)
	for _, unit := range harness.Services {
		t.Run(unit, func(t *testing.T) {
			others := map[string]int{}
			for _, s := range harness.Services {
				if s != unit {
					others[s] = box.MainPID(t, s)
				}
			}
			// The socket would start libra-web at the next request.
			if unit == "libra-web" {
				box.Systemctl(t, "stop", "libra-web.socket")
			}
			box.Systemctl(t, "stop", unit)
			if state := box.Property(t, unit, "ActiveState"); state != "inactive" {
				t.Errorf("after stop it is %s", state)
			}
			box.Systemctl(t, "start", unit)
			first := box.MainPID(t, unit)
			box.Systemctl(t, "restart", unit)
			if !box.Active(t, unit) || box.MainPID(t, unit) == first {
				t.Errorf("after restart it is %s, pid %d, before %d", box.Property(t, unit, "ActiveState"), box.MainPID(t, unit), first)
			}
			for s, pid := range others {
				if now := box.MainPID(t, s); now != pid {
					t.Errorf("meanwhile the pid of %s changed from %d to %d", s, pid, now)
				}
			}
		})
	}
	box.EnsureHealthy(t)
}

func TestKilledProcessIsRestarted(t *testing.T) {
	box.EnsureHealthy(t)
	for _, unit := range harness.Services {
		t.Run(unit, func(t *testing.T) {
			was := box.MainPID(t, unit)
			box.Signal(t, unit, syscall.SIGKILL)
			took := harness.Await(t, "another process", 10*time.Second, func() bool { return box.Active(t, unit) && box.MainPID(t, unit) != was })
			t.Logf("active again after %s", took.Round(time.Millisecond))
		})
	}
	box.EnsureHealthy(t)
}

// A process that hangs is ended by systemd's watchdog and restarted.
func TestHungProcessIsRestarted(t *testing.T) {
	box.EnsureHealthy(t)
	was := map[string]int{}
	for _, unit := range harness.Services {
		was[unit] = box.MainPID(t, unit)
		box.Signal(t, unit, syscall.SIGSTOP)
	}
	for _, unit := range harness.Services {
		harness.Await(t, unit+" to be restarted", 30*time.Second, func() bool { return box.Active(t, unit) && box.MainPID(t, unit) != was[unit] })
		if !strings.Contains(box.Journal(t, "--unit", unit), "Watchdog timeout") {
			t.Errorf("%s: no watchdog timeout in the journal", unit)
		}
	}
	box.EnsureHealthy(t)
}

// A process that hangs leaves its stacks in the journal, and is restarted although
// the exit code of the Go runtime is that of an invalid configuration.
func TestAbortLeavesStacks(t *testing.T) {
	box.EnsureHealthy(t)
	was := box.MainPID(t, "libra-recorder")
	box.Signal(t, "libra-recorder", syscall.SIGABRT)
	harness.Await(t, "another process", 10*time.Second, func() bool { return box.Active(t, "libra-recorder") && box.MainPID(t, "libra-recorder") != was })
	harness.Await(t, "the stacks in the journal", 5*time.Second, func() bool {
		log := box.Journal(t, "--unit", "libra-recorder")
		return strings.Contains(log, "SIGABRT: abort") && strings.Contains(log, "recorder.(*Recorder).Run")
	})
}

// systemctl start returns when the unit is ready, not before.
func TestStartReturnsWhenReady(t *testing.T) {
	box.EnsureHealthy(t)
	for _, unit := range harness.Services {
		if kind := box.Property(t, unit, "Type"); kind != "notify" {
			t.Errorf("%s is of type %s", unit, kind)
		}
		if status := box.Property(t, unit, "StatusText"); status == "" {
			t.Errorf("%s shows no status", unit)
		}
	}
	// A bus that cannot listen does not become ready, and logs why.
	box.Systemctl(t, "stop", "libra-bus")
	l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", box.BusPort))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if out, err := box.RunScript("systemctl", "start", "libra-bus"); err == nil {
		t.Errorf("a bus without its port became ready: %s", out)
	}
	if log := box.Journal(t, "--unit", "libra-bus", "--since=-20s"); !strings.Contains(log, "is in use by another process") {
		t.Errorf("the journal does not say why:\n%s", log)
	}
	l.Close()
	box.EnsureHealthy(t)
	if _, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", box.BusPort)); err != nil {
		t.Errorf("the bus is ready but does not listen: %v", err)
	}
}

// site serves one page with a stylesheet and an image.
func site(t *testing.T) *httptest.Server {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.Write([]byte(`<!doctype html><title>A page</title><link rel=stylesheet href=style.css><h1>Hello</h1><img src=dot.png alt=dot>`))
		case "/style.css":
			w.Header().Set("Content-Type", "text/css")
			w.Write([]byte(`h1 { color: navy }`))
		case "/dot.png":
			w.Header().Set("Content-Type", "image/png")
			w.Write(make([]byte, 2000))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// A submitted page is reported, recorded in SQLite and available after a reboot.
func TestReportIsRecordedAndSurvivesReboot(t *testing.T) {
	box.EnsureHealthy(t)
	id := box.Submit(t, site(t).URL+"/")
	harness.Await(t, "the report", 20*time.Second, func() bool { return box.Page(t, id).State == libra.Reported })
	p := box.Page(t, id)
	if p.Report.Outcome != libra.Complete || p.Report.Totals.Requests != 3 || p.Report.Totals.ByType[libra.Image].EncodedBytes != 2000 {
		t.Errorf("report: %+v", p.Report)
	}
	history := store.NewReader(filepath.Join(box.Home, "state", "history", "libra.db"))
	defer history.Close()
	harness.Await(t, "the report in SQLite", 10*time.Second, func() bool { _, err := history.Report(t.Context(), id); return err == nil })
	stored, err := history.Report(t.Context(), id)
	if err != nil || stored.Report.Totals.TransferBytes != p.Report.Totals.TransferBytes {
		t.Errorf("SQLite has %+v, %v", stored.Report.Totals, err)
	}
	log := box.Journal(t, "--unit", "libra-*", "--grep", stored.Request.ID)
	if strings.Count(log, stored.Request.ID) != 1 || !strings.Contains(log, `msg="inspection ends" request=`+stored.Request.ID) {
		t.Errorf("the journal has not one line of the request, at its end:\n%s", log)
	}

	if out, err := box.Down(); err != nil {
		t.Fatalf("down: %v\n%s", err, out)
	}
	if out, err := box.Up(); err != nil {
		t.Fatalf("up: %v\n%s", err, out)
	}
	box.EnsureHealthy(t)
	if again := box.Page(t, id); again.Report == nil || again.Report.Totals.TransferBytes != p.Report.Totals.TransferBytes {
		t.Errorf("after down and up: %+v", again)
	}
}

// Raising and clearing an alarm are sent to Slack in Slack's format.
func TestAlarmReachesSlack(t *testing.T) {
	awaitNoAlarms(t) // an alarm that is raised already is not sent again
	box.Systemctl(t, "stop", "libra-recorder")
	defer box.EnsureHealthy(t)
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(box.Journal(t, "--unit", "libra-watchdog", "--unit", "libra-notifier", "--lines", "60"))
		}
	})
	took := harness.Await(t, "the alarm", 20*time.Second, func() bool { return box.Sink.FindMessage("libra-recorder") != nil })
	t.Logf("raised in Slack %s after the stop", took.Round(time.Millisecond))
	message := box.Sink.FindMessage("libra-recorder")
	if blocks := fmt.Sprint(message["blocks"], message["attachments"]); !strings.Contains(blocks, "libra-recorder") {
		t.Errorf("no blocks in the message: %v", message)
	}
	box.Sink.Reset()
	box.Systemctl(t, "start", "libra-recorder")
	took = harness.Await(t, "the clearing", 30*time.Second, func() bool { return box.Sink.FindMessage("libra-recorder") != nil })
	t.Logf("cleared in Slack %s after the start", took.Round(time.Millisecond))
}

// The bus refuses a client without a key, and no component can read the key of another.
func TestKeysAreRequiredAndPrivate(t *testing.T) {
	box.EnsureHealthy(t)
	if nc, err := nats.Connect(fmt.Sprintf("nats://127.0.0.1:%d", box.BusPort)); !errors.Is(err, nats.ErrAuthorization) {
		if nc != nil {
			nc.Close()
		}
		t.Errorf("an anonymous client got %v", err)
	}
	for _, file := range []string{"/var/lib/libra/keys/web.nk", "/run/credentials/libra-inspector@1.service/nkey"} {
		if out, err := box.RunScript("shell", "setpriv", "--reuid=libra-web", "--regid=libra-web", "--clear-groups", "cat", file); err == nil {
			t.Errorf("the user of web reads %s: %s", file, out)
		}
		if out, err := box.RunScript("shell", "cat", file); err != nil {
			t.Errorf("root cannot read %s: %s", file, out)
		}
	}
}

// A component that cannot go on with an invalid setting reports all faults at once,
// in its status, too, and is not restarted; another goes on.
func TestInvalidConfigurationDoesNotRestart(t *testing.T) {
	box.EnsureHealthy(t)
	file := filepath.Join(box.Home, "etc", "libra.env")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := os.WriteFile(file, good, 0o644); err != nil {
			t.Fatal(err)
		}
		box.Systemctl(t, "restart", "libra-inspector@1")
		box.EnsureHealthy(t)
	}()
	bad := string(good) + "\nLIBRA_WORKERS=many\nLIBRA_PAGE_TIMOUT=3s\nLIBRA_PRUNE_AT=lots\nLIBRA_DATABASE=/etc\n"
	if err := os.WriteFile(file, []byte(bad), 0o644); err != nil {
		t.Fatal(err)
	}
	box.Systemctl(t, "restart", "libra-inspector@1")
	if want, got := "invalid settings: LIBRA_PAGE_TIMOUT, LIBRA_WORKERS", box.Property(t, "libra-inspector@1", "StatusText"); !strings.HasSuffix(got, want) {
		t.Errorf("status of libra-inspector@1 %q, want %q", got, want)
	}
	if out, err := box.RunScript("systemctl", "restart", "libra-recorder"); err == nil {
		t.Errorf("it started: %s", out)
	}
	if state, code := box.Property(t, "libra-recorder", "ActiveState"), box.Property(t, "libra-recorder", "ExecMainStatus"); state != "failed" || code != "2" {
		t.Errorf("state %s, exit code %s; want failed, 2", state, code)
	}
	if want, got := `cannot start: invalid LIBRA_DATABASE (or --database) "/etc": must be a file, not a folder`, box.Property(t, "libra-recorder", "StatusText"); got != want {
		t.Errorf("status of libra-recorder %q, want %q", got, want)
	}
	log := box.Journal(t, "--unit", "libra-recorder", "--since=-10s")
	for _, want := range []string{`invalid LIBRA_DATABASE (or --database) \"/etc\"`, "unknown setting LIBRA_PAGE_TIMOUT: did you mean LIBRA_PAGE_TIMEOUT?", `invalid LIBRA_PRUNE_AT (or --prune-at) \"lots\"`} {
		if strings.Count(log, want) != 1 {
			t.Errorf("the journal has %d times %s:\n%s", strings.Count(log, want), want, log)
		}
	}
}

// systemd-analyze verify finds no fault in the units.
func TestUnitsVerify(t *testing.T) {
	units, err := filepath.Glob("libra*.*")
	if err != nil {
		t.Fatal(err)
	}
	units = slices.DeleteFunc(units, func(u string) bool { return strings.HasSuffix(u, ".d") })
	for i, u := range units {
		units[i] = "/etc/systemd/system/" + strings.Replace(u, "@.", "@1.", 1)
	}
	out, err := box.RunScript(append([]string{"shell", "systemd-analyze", "verify", "--man=no"}, units...)...)
	if err != nil || strings.Contains(out, "libra") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}

// The commands of an operator work against the appliance.
func TestCLIAgainstAppliance(t *testing.T) {
	awaitNoAlarms(t) // or libra alarms exits with 1
	url := site(t).URL + "/"
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"submit", "--wait", url}, "dot.png"},
		{[]string{"page", url}, "style.css"},
		{[]string{"pages"}, url},
		{[]string{"status"}, "libra-recorder"},
		{[]string{"alarms"}, ""},
	} {
		cmd := exec.Command("../build/bin/libra", append(c.args, "--server", box.URL)...)
		out, err := cmd.CombinedOutput()
		if err != nil || !strings.Contains(string(out), c.want) {
			t.Errorf("libra %s: %v\n%s", strings.Join(c.args, " "), err, out)
		}
	}
}

func TestPlannedSilenceCanBeCancelled(t *testing.T) {
	box.EnsureHealthy(t)
	server := "--server=" + box.URL
	window := []string{"alarms", "silence", "--alarm", "beat.inspector.2", "--from", time.Now().Add(time.Hour).Format(time.RFC3339), "--for", "1h", "--why", "new disks", server}
	out, err := runCLI(t, window...)
	id, rest, _ := strings.Cut(out, " ")
	if err != nil || !strings.HasPrefix(rest, "silences alarm beat.inspector.2 from ") {
		t.Fatalf("plan: %v\n%s", err, out)
	}
	if out, err := runCLI(t, "alarms", "silences", server); err != nil || !strings.Contains(out, "planned") {
		t.Errorf("list: %v\n%s", err, out)
	}
	if out, err := runCLI(t, "alarms", "unsilence", id, server); err != nil || !strings.Contains(out, id+" has ended: alarm beat.inspector.2") {
		t.Errorf("cancel: %v\n%s", err, out)
	}
	if out, err := runCLI(t, "alarms", "silences", server); err != nil || strings.Contains(out, id) {
		t.Errorf("list after the cancellation: %v\n%s", err, out)
	}
}
