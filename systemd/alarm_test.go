//go:build appliance

package systemd_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"libra/pkg/libra"
	"libra/systemd/house"
)

// A database that was set aside is told to people, by name, and so is its end.
func TestDamagedDatabaseIsTold(t *testing.T) {
	box.Settle(t)
	box.Sink.Forget()
	const name = "libra.db.damaged-test"
	file := box.State("history", name)
	if err := os.WriteFile(file, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(file) }) // where the test ended early
	took := house.Await(t, "the alarm", 20*time.Second, func() bool { return box.Sink.Find("[minor] history", "set aside") != nil })
	t.Logf("told after %s", took.Round(time.Millisecond))
	if code, body := box.Get(t, "/api/alarms"); code != http.StatusOK || !strings.Contains(body, name) {
		t.Errorf("the list of alarms does not name the file: %d %s", code, body)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	house.Await(t, "the end of the alarm", 20*time.Second, func() bool { return box.Sink.Find("[cleared] history") != nil })
}

// A page in quarantine is told to people with the reason, once, however often
// the watchdog is killed; and its end, once.
func TestQuarantineIsTold(t *testing.T) {
	box.Settle(t)
	allowFaults(t, "")
	box.Sink.Forget()
	url := site(t).URL + "/libra-fault/crash"
	id := box.Submit(t, url)
	house.Await(t, "the alarm", 60*time.Second, func() bool { return box.Sink.Find("[major]", url, "quarantine") != nil })

	box.Sink.Forget()
	was := box.MainPID(t, "libra-watchdog")
	box.Systemctl(t, "kill", "--kill-whom=main", "--signal=KILL", "libra-watchdog")
	house.Await(t, "the watchdog's return", 20*time.Second, func() bool {
		pid := box.MainPID(t, "libra-watchdog")
		return pid != 0 && pid != was && strings.Contains(box.Show(t, "libra-watchdog", "StatusText"), "1 page in quarantine")
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
	if out, err := cli(t, "release", "--server", box.URL, id); err != nil {
		t.Fatalf("release: %v\n%s", err, out)
	}
	house.Await(t, "the page's report", 20*time.Second, func() bool { return box.Page(t, id).State == libra.Reported })
	house.Await(t, "the end of the alarm", 20*time.Second, func() bool { return box.Sink.Find("[cleared]", url) != nil })
	if m := box.Sink.Find("[major]", url); m != nil {
		t.Errorf("told again: %v", m["text"])
	}
}

// An outside service is asked once its URL is there, and no more after.
func TestOutsideHeartbeat(t *testing.T) {
	box.Settle(t)
	var asked atomic.Int64
	outside := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/ping/sesame" {
			asked.Add(1)
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
		box.Settle(t)
	})
	box.Systemctl(t, "restart", "libra-watchdog")
	house.Await(t, "a heartbeat", 20*time.Second, func() bool { return asked.Load() > 0 })
	if journal := box.Journal(t, "-u", "libra-watchdog"); strings.Contains(journal, "sesame") {
		t.Error("the journal shows the heartbeat's URL")
	}
}
