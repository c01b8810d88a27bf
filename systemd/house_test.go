//go:build appliance

// Package systemd_test runs Libra's real units under a real systemd and looks
// at them as an operator, a browser and Slack would:
//
//	make build && go test -tags appliance -v ./systemd/
//
// It boots an appliance of its own, beside any other, and takes it down.
package systemd_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// services are the units that run a process.
var services = []string{
	"libra-bus", "libra-web", "libra-inspector@1", "libra-inspector@2", "libra-recorder", "libra-watchdog", "libra-notifier",
}

// house is the appliance under test.
var house struct {
	home    string // build/appliance/test
	port    int
	busPort int
	url     string // of its web page
	sink    *sink
}

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if os.Getuid() != 0 {
			fmt.Fprintln(os.Stderr, "the appliance suite boots a container and needs root")
			return 1
		}
		root, err := filepath.Abs("..")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		house.home = filepath.Join(root, "build", "appliance", "test")
		house.port, house.busPort = freePort(), freePort()
		house.url = fmt.Sprintf("http://127.0.0.1:%d", house.port)
		house.sink = newSink()
		defer house.sink.Close()
		defer appliance("down")
		if out, err := boot(); err != nil {
			fmt.Fprintf(os.Stderr, "boot: %v\n%s\n", err, out)
			return 1
		}
		return m.Run()
	}())
}

// boot starts a fresh appliance.
func boot() (string, error) {
	if out, err := appliance("down"); err != nil {
		return out, err
	}
	if err := os.RemoveAll(house.home); err != nil {
		return "", err
	}
	credentials := filepath.Join(house.home, "etc", "credentials")
	if err := os.MkdirAll(credentials, 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(credentials, "slack-webhook"), []byte(house.sink.URL+"/services/T0/B0/secret\n"), 0o600); err != nil {
		return "", err
	}
	return up()
}

func up() (string, error) { return appliance("up", "LIBRA_ALLOW=127.0.0.0/8") }

func appliance(args ...string) (string, error) {
	cmd := exec.Command("../scripts/appliance", args...)
	cmd.Env = append(os.Environ(), "APPLIANCE_NAME=test", fmt.Sprint("APPLIANCE_PORT=", house.port), fmt.Sprint("APPLIANCE_BUS_PORT=", house.busPort))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func freePort() int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// systemctl runs it inside and wants success.
func systemctl(t testing.TB, args ...string) string {
	t.Helper()
	out, err := appliance(append([]string{"systemctl"}, args...)...)
	if err != nil {
		t.Fatalf("systemctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

func show(t testing.TB, unit, property string) string {
	t.Helper()
	return systemctl(t, "show", "--property="+property, "--value", unit)
}

func active(t testing.TB, unit string) bool { return show(t, unit, "ActiveState") == "active" }

// mainPID is the unit's process, as seen from inside.
func mainPID(t testing.TB, unit string) int {
	t.Helper()
	pid, err := strconv.Atoi(show(t, unit, "MainPID"))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// signal sends a signal to the unit's main process.
func signal(t testing.TB, unit string, s syscall.Signal) {
	t.Helper()
	systemctl(t, "kill", "--kill-whom=main", "--signal="+strconv.Itoa(int(s)), unit)
}

func journal(t testing.TB, args ...string) string {
	t.Helper()
	out, err := appliance(append([]string{"journalctl", "--output=cat"}, args...)...)
	if err != nil {
		t.Fatalf("journalctl: %v\n%s", err, out)
	}
	return out
}

// await waits for a condition and says how long it took.
func await(t testing.TB, what string, most time.Duration, cond func() bool) time.Duration {
	t.Helper()
	start := time.Now()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !cond() {
		if time.Since(start) > most {
			t.Fatalf("waited %s for %s", most, what)
		}
		<-tick.C
	}
	return time.Since(start)
}

// settle waits until every service is up and web is well, so that tests do not
// stand on each other's ruins.
func settle(t testing.TB) {
	t.Helper()
	for _, s := range services {
		systemctl(t, "reset-failed", s)
	}
	systemctl(t, "start", "libra.target")
	await(t, "all services and /up", 20*time.Second, func() bool {
		for _, s := range services {
			if !active(t, s) {
				return false
			}
		}
		code, body := get(t, "/up")
		return code == 200 && strings.TrimSpace(body) == "OK"
	})
}

func get(t testing.TB, path string) (int, string) {
	t.Helper()
	res, err := http.Get(house.url + path)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(body)
}

// submit asks for a page and returns its id.
func submit(t testing.TB, url string) string {
	t.Helper()
	res, err := http.Post(house.url+"/api/pages", "application/json", strings.NewReader(fmt.Sprintf(`{"url":%q}`, url)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var page struct{ ID, URL, State string }
	if err := json.NewDecoder(res.Body).Decode(&page); err != nil || res.StatusCode != http.StatusAccepted || page.ID == "" {
		t.Fatalf("submit %s: %s, %+v, %v", url, res.Status, page, err)
	}
	if want := "/api/pages/" + page.ID; res.Header.Get("Location") != want {
		t.Errorf("Location is %q, want %q", res.Header.Get("Location"), want)
	}
	return page.ID
}

// sink is where the appliance's Slack messages go.
type sink struct {
	*httptest.Server
	mu   sync.Mutex
	got  []map[string]any // under mu
	down bool             // under mu; answers 500
}

func newSink() *sink {
	s := &sink{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.down {
			http.Error(w, "internal_error", http.StatusInternalServerError)
			return
		}
		var body map[string]any
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, "invalid_payload", http.StatusBadRequest)
			return
		}
		s.got = append(s.got, body)
		io.WriteString(w, "ok")
	}))
	return s
}

// find returns the first message whose text holds every one of words.
func (s *sink) find(words ...string) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
next:
	for _, m := range s.got {
		text, _ := m["text"].(string)
		for _, w := range words {
			if !strings.Contains(strings.ToLower(text), strings.ToLower(w)) {
				continue next
			}
		}
		return m
	}
	return nil
}

func (s *sink) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = nil
}
