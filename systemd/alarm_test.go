//go:build appliance

package systemd_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"libra/pkg/libra"
	"libra/systemd/harness"
)

// A quarantine is notified once, with the reason, although the watchdog is killed;
// so is its end.
func TestQuarantineIsNotified(t *testing.T) {
	enableFaults(t, "")
	awaitNoAlarms(t)
	url := site(t).URL + "/libra-fault/crash"
	id := box.Submit(t, url)
	wantNotified(t, libra.Alarm{
		ID: "quarantine." + id, Scope: libra.ScopePage, Target: url, Page: id, Severity: libra.Major,
		Summary: "The page is quarantined: it is not inspected any more", Runbook: "#quarantine",
	}, "3 times")

	box.Sink.Reset()
	was := box.MainPID(t, "libra-watchdog")
	box.Systemctl(t, "kill", "--kill-whom=main", "--signal=KILL", "libra-watchdog")
	harness.Await(t, "the watchdog to be restarted", 20*time.Second, func() bool {
		pid := box.MainPID(t, "libra-watchdog")
		return pid != 0 && pid != was && strings.Contains(box.Property(t, "libra-watchdog", "StatusText"), "1 page quarantined")
	})

	file := filepath.Join(filepath.Dir(box.State()), "etc", "libra.env")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "LIBRA_FAULTS=yes", "LIBRA_FAULTS=no", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	box.Systemctl(t, "restart", "libra-inspector@1", "libra-inspector@2")
	if out, err := runCLI(t, "release", "--server", box.URL, id); err != nil {
		t.Fatalf("release: %v\n%s", err, out)
	}
	harness.Await(t, "the page's report", 20*time.Second, func() bool { return box.Page(t, id).State == libra.Reported })
	wantCleared(t, url, "The page is no longer quarantined")
	if m := box.Sink.FindMessage("[major]", url); m != nil {
		t.Errorf("notified again: %v", m["text"])
	}
}

// The outside service gets requests while its URL is configured.
func TestOutsideHeartbeat(t *testing.T) {
	box.EnsureHealthy(t)
	var requests atomic.Int64
	outside := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ping/sesame" {
			requests.Add(1)
		}
	}))
	t.Cleanup(outside.Close)
	file := filepath.Join(filepath.Dir(box.State()), "etc", "credentials", "heartbeat-url")
	if err := os.WriteFile(file, []byte(outside.URL+"/ping/sesame\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.Remove(file); err != nil {
			t.Error(err)
		}
		box.Systemctl(t, "restart", "libra-watchdog")
		box.EnsureHealthy(t)
	})
	box.Systemctl(t, "restart", "libra-watchdog")
	harness.Await(t, "a heartbeat", 20*time.Second, func() bool { return requests.Load() > 0 })
	if journal := box.Journal(t, "-u", "libra-watchdog"); strings.Contains(journal, "sesame") {
		t.Error("the journal shows the heartbeat's URL")
	}
}

// A shutdown notifies nobody, even if the watchdog is the last unit to stop: the
// first notification after it is of the next fault.
func TestShutdownNotifiesNobody(t *testing.T) {
	folder := filepath.Join(box.Home, "units", "libra-watchdog.service.d")
	t.Cleanup(func() {
		os.RemoveAll(folder)
		box.Systemctl(t, "daemon-reload")
	})
	for name, restart := range map[string]func(){
		"machine": func() {
			if out, err := box.Down(); err != nil {
				t.Fatalf("down: %v\n%s", err, out)
			}
			if out, err := box.Up(); err != nil {
				t.Fatalf("up: %v\n%s", err, out)
			}
		},
		"Libra": func() { box.Systemctl(t, "restart", "libra.target") },
	} {
		t.Run(name, func(t *testing.T) {
			err := os.MkdirAll(folder, 0o755)
			if err = errors.Join(err, os.WriteFile(filepath.Join(folder, "slow.conf"), []byte("[Service]\nExecStop=/bin/sleep 2\n"), 0o644)); err != nil {
				t.Fatal(err)
			}
			box.Systemctl(t, "daemon-reload")
			awaitNoAlarms(t)
			restart()
			box.EnsureHealthy(t)
			box.Systemctl(t, "stop", "libra-inspector@2")
			wantAtSlack(t, componentDown("beat.inspector.2", "libra-inspector@2", "was stopped"), "libra-inspector@2.service is inactive: it was stopped, and has not failed")
			if all := box.Sink.Messages(); len(all) != 1 {
				t.Errorf("messages:\n%s", strings.Join(all, "\n---\n"))
			}
			box.Systemctl(t, "start", "libra-inspector@2")
			wantCleared(t, "libra-inspector@2", "libra-inspector@2 works again")
		})
	}
}
