package cmd_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// all are the real programs of all components, on loopback.
type all struct {
	t      *testing.T
	dir    string
	listen string // of libra-bus
	web    string // URL of libra-web
}

// startAll starts every program and waits until /up is OK.
func startAll(t *testing.T) *all {
	t.Helper()
	a := &all{t: t, dir: t.TempDir(), listen: freeAddress(t)}
	address := freeAddress(t)
	a.web = "http://" + address
	for _, dir := range []string{"store", "history", "watchdog", "watchdog.run", "notifier", "notifier.run"} {
		if err := os.Mkdir(filepath.Join(a.dir, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command(filepath.Join(bin, "libra-bus"), "--make-keys", filepath.Join(a.dir, "keys")).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	env := []string{
		"LIBRA_BUS_LISTEN=" + a.listen, "LIBRA_BUS_STORE=" + a.dir + "/store", "LIBRA_BUS_SPACE=64M", "LIBRA_DATABASE=" + a.dir + "/history/libra.db",
		"LIBRA_LISTEN=" + address, "LIBRA_SERVER=" + a.web, "LIBRA_ALLOW=127.0.0.0/8", "LIBRA_INSPECTORS=1", "LIBRA_WORKERS=1", "LIBRA_PAGE_TIMEOUT=60s",
	}
	socket, missing := a.dir+"/alarm.sock", a.dir+"/none.toml"
	for _, program := range [][]string{
		{"libra-bus", "--bus-keys", a.dir + "/keys/public"},
		{"libra-web"},
		{"libra-inspector", "--instance", "1"},
		{"libra-recorder"},
		{"libra-watchdog", "--alarms", missing, "--notifier-socket", socket, "--state", a.dir + "/watchdog", "--runtime", a.dir + "/watchdog.run"},
		{"libra-notifier", "--alarms", missing, "--notifier-socket", socket, "--state", a.dir + "/notifier", "--runtime", a.dir + "/notifier.run"},
	} {
		role := strings.TrimPrefix(program[0], "libra-")
		cmd := exec.Command(filepath.Join(bin, program[0]), append(program[1:], "--nats-seed", a.seed(role))...)
		cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), env...), t.Output(), t.Output()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			cmd.Process.Kill()
			_ = cmd.Wait() // it was killed
		})
	}
	bustest.Await(t, "every component", func() bool { return a.up() == "OK" })
	return a
}

func (a *all) seed(role string) string { return filepath.Join(a.dir, "keys", role+".nk") }

// freeAddress is one on loopback that nobody listens at.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// call sends a request to libra-web; the code is 0 while it does not answer.
func (a *all) call(method, path, body string) (code int, answer string) {
	req, err := http.NewRequestWithContext(a.t.Context(), method, a.web+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(bytes.TrimSpace(data))
}

func (a *all) up() string {
	_, body := a.call("GET", "/up", "")
	return body
}

// submit submits a page, or a watch, and returns the page's id.
func (a *all) submit(url, every string) (page string) {
	a.t.Helper()
	fields := map[string]string{"url": url}
	if every != "" {
		fields["every"] = every
	}
	body, err := json.Marshal(fields)
	if err != nil {
		a.t.Fatal(err)
	}
	if code, answer := a.call("POST", "/api/pages", string(body)); code != 202 {
		a.t.Fatalf("submit %s: %d %s", url, code, answer)
	}
	return libra.PageID(url)
}

func (a *all) isReported(page string) func() bool {
	return func() bool {
		_, body := a.call("GET", "/api/pages/"+page, "")
		return strings.Contains(body, `"state":"reported"`)
	}
}

// owner is a client with the bus's own key.
func (a *all) owner() jetstream.JetStream {
	a.t.Helper()
	key, err := nats.NkeyOptionFromSeed(a.seed("bus"))
	if err != nil {
		a.t.Fatal(err)
	}
	nc, err := nats.Connect("nats://"+a.listen, key)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		a.t.Fatal(err)
	}
	return js
}

// shop is a site with a page that works, one that is an error, and one that answers
// only once it is released.
func shop(t *testing.T) (url string, watched *atomic.Int64, release func()) {
	watched = &atomic.Int64{}
	answer := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			select {
			case <-answer:
			case <-r.Context().Done():
			}
		case "/watched":
			watched.Add(1)
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		}
		fmt.Fprint(w, "<!doctype html><title>shop</title><p>hello")
	}))
	t.Cleanup(s.Close)
	return s.URL, watched, func() { close(answer) }
}

// Whichever stream is lost while everything runs, it is made again, and what it held is
// there again: requests are inspected, watches come due, reports can be read, alarms and
// silences are known, hosts are held. /up names the stream until then.
func TestLostStreamsComeBack(t *testing.T) {
	t.Parallel()
	a := startAll(t)
	site, watched, release := shop(t)
	js := a.owner()
	conn, err := bus.Connect(bus.Config{URL: "nats://" + a.listen, Seed: a.seed("bus"), Role: "bus", Name: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(conn.Close)

	good := a.submit(site+"/", "")
	bustest.Await(t, "the first report", a.isReported(good))
	a.submit(site+"/watched", "1s")
	broken := a.submit(site+"/broken", "1s")
	alarm := "page.down." + broken
	stored := func(stream, subject string) func() bool {
		return func() bool {
			s, err := js.Stream(t.Context(), stream)
			if err != nil {
				return false
			}
			_, err = s.GetLastMsgForSubject(t.Context(), subject)
			return err == nil
		}
	}
	bustest.Await(t, "an alarm of the broken page", stored(event.AlarmStream, event.AlarmSubject(alarm)))
	if code, answer := a.call("POST", "/api/silences", `{"match":{"alarm":"disk"},"for":"1h","why":"new disks"}`); code != 201 {
		t.Fatalf("silence: %d %s", code, answer)
	}
	const held = "held.example"
	if code, answer := a.call("POST", "/api/hosts/"+held+"/hold", `{"state":"open","why":"a test"}`); code != 200 {
		t.Fatalf("hold: %d %s", code, answer)
	}
	const note = "note-of-a-test"
	if code, answer := a.call("POST", "/api/board", `{"text":"the new disks are in","id":"`+note+`"}`); code != 201 {
		t.Fatalf("board: %d %s", code, answer)
	}
	comesDue := func() bool {
		n := watched.Load()
		bustest.Await(t, "two inspections of the watched page", func() bool { return watched.Load() >= n+2 })
		return true
	}
	var open []string
	for stream, isBack := range map[string]func() bool{
		event.ReportStream:  func() bool { r, err := conn.LastReport(t.Context(), good); return err == nil && r.Request.Page == good },
		event.AlarmStream:   stored(event.AlarmStream, event.AlarmSubject(alarm)),
		event.HostStream:    stored(event.HostStream, event.HoldSubject(held)),
		event.NoteStream:    stored(event.NoteStream, "libra.note.*"),
		event.BoardStream:   stored(event.BoardStream, event.BoardSubject(note)),
		event.WatchStream:   func() bool { return stored(event.WatchStream, event.WatchSubject(broken))() && comesDue() },
		event.RequestStream: func() bool { return !slices.ContainsFunc(open, func(p string) bool { return !a.isReported(p)() }) },
	} {
		if stream == event.RequestStream { // one is in progress, two wait for the only worker
			for _, path := range []string{"/slow", "/?1", "/?2"} {
				open = append(open, a.submit(site+path, ""))
			}
			bustest.Await(t, "the first to be in progress", func() bool {
				_, body := a.call("GET", "/api/pages/"+open[0], "")
				return strings.Contains(body, `"state":"inspecting"`)
			})
		}
		if err := js.DeleteStream(context.WithoutCancel(t.Context()), stream); err != nil {
			t.Fatal(err)
		}
		bustest.Await(t, "/up to name "+stream, func() bool { return strings.Contains(a.up(), "degraded: bus: ") && strings.Contains(a.up(), stream) })
		if stream == event.RequestStream {
			release()
		}
		bustest.Await(t, stream+" to hold what it held", isBack)
		bustest.Await(t, "/up to be OK after the loss of "+stream, func() bool { return a.up() == "OK" })
	}
	if !comesDue() {
		t.Error("the watched page is not inspected any more")
	}
}
