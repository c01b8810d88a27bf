package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"libra/pkg/bus/bustest"
	"libra/pkg/component"
	"libra/pkg/event"
	"libra/pkg/inspect"
	"libra/pkg/inspector"
	"libra/pkg/libra"
	"libra/pkg/store"
	"libra/pkg/web"
)

// promptExit is for processes under the race detector, which lets each linger
// a second at its end.
const promptExit = "atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"libra": main})
}

// site is a small web site on loopback. A request for /hang is announced on
// hung and never answered.
func site(t *testing.T) (url string, hung <-chan struct{}) {
	announce := make(chan struct{}, 1)
	files := map[string]struct{ contentType, body string }{
		"/": {"text/html", `<!doctype html><title>Scale</title><link rel=stylesheet href=style.css>
<script src=app.js></script><script nomodule src=old.js></script><img src=weight.png alt=weight><p>hello`},
		"/style.css":  {"text/css", "p { color: red }"},
		"/app.js":     {"text/javascript", "let weight = 1"},
		"/weight.png": {"image/png", strings.Repeat("w", 40_000)},
		"/inserts":    {"text/html", "<!doctype html><script>for (let i = 0; i < 30; i++) { const e = new Image(); e.src = 'weight.png?' + i; document.body.append(e) }</script>"},
		"/bare":       {"text/html", "<!doctype html><title>Bare</title><p>hello"},
		"/partial":    {"text/html", "<!doctype html><title>Partial</title><img src=down>"},
		"/evil":       {"text/html", "<!doctype html><img src='/\x1b]0;owned\x07.png'><img src='/x.png?\xc2\x9b31m'>"},
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			announce <- struct{}{}
			<-r.Context().Done()
			return
		}
		if r.URL.Path == "/odd" {
			if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
				c.Write([]byte("HTTP/1.1 200 OK\r\nContent-Length: 2, 2\r\nContent-Type: text/html\r\n\r\nhi"))
				c.Close()
			}
			return
		}
		if r.URL.Path == "/down" {
			http.Error(w, "down for the night", http.StatusInternalServerError)
			return
		}
		if r.URL.Path == "/loop" {
			http.Redirect(w, r, "/loop", http.StatusFound)
			return
		}
		f, ok := files[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", f.contentType)
		fmt.Fprint(w, f.body)
	}))
	t.Cleanup(s.Close)
	return s.URL, announce
}

// appliance is a bus, an inspector and a web server, all real, in this
// process. It has no recorder, watchdog or notifier, and says so.
func appliance(t *testing.T) (url string) {
	return serve(t, bustest.Start(t), filepath.Join(t.TempDir(), "none.sqlite"))
}

// degraded is an appliance with two alarms, one of which has cleared, and a
// notifier's channel "ops", which works, and "gone", which does not.
func degraded(t *testing.T) (url string) {
	b := bustest.Start(t)
	database := filepath.Join(t.TempDir(), "libra.db")
	recorder, err := store.Open(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { recorder.Close() })
	for _, c := range []string{component.Watchdog, component.Recorder} {
		known, _ := component.Find(c)
		go b.Connect(known.Role).PublishHeartbeats(t.Context(), func() string { return "" }, func() event.Heartbeat {
			return event.Heartbeat{Component: c, Instance: "1", PID: 7, Started: time.Now(), At: time.Now()}
		})
	}
	url = serve(t, b, database)
	watchdog := b.Connect("watchdog")
	since := time.Now().UTC().Add(-time.Minute)
	disk := libra.Alarm{
		ID: "disk", Scope: libra.ScopeHost, Target: "/var/lib/libra", Severity: libra.Minor, State: libra.Raised,
		Summary: "The disk is filling up", Evidence: "83 % of its space, limit 80 %", Runbook: "#disk", Since: since,
	}
	web := libra.Alarm{ID: "web", Scope: libra.ScopeComponent, Target: "libra-web", Severity: libra.Major, State: libra.Cleared, Summary: "Libra's pages and API can be used again", Since: since, Until: since.Add(time.Second)}
	for _, a := range []libra.Alarm{disk, web} {
		if err := watchdog.PublishAlarm(t.Context(), libra.Transition{ID: "t-" + a.ID, Alarm: a, At: since.Add(time.Second), Host: "box"}); err != nil {
			t.Fatal(err)
		}
	}
	stop, err := b.Connect("notifier").ServeChannels(t.Context(), func(_ context.Context, name string) event.Tried {
		switch name {
		case "ops":
			return event.Tried{Channel: name, OK: true, Answer: "200 ok", TookMS: 120}
		case "gone":
			return event.Tried{Channel: name, Answer: "404 channel_not_found", TookMS: 80}
		}
		return event.Tried{Channel: name, Answer: "there is no such channel", Channels: []string{"gone", "ops"}, Routes: []event.Route{
			{Scope: libra.ScopePage, Target: "https://shop.example.org/*", Channels: []string{"gone"}},
			{Alarm: "disk", Severity: libra.Major, Channels: []string{"ops", "gone"}},
			{Severity: libra.Major, Channels: []string{"ops"}},
			{Alarm: "settings", Channels: []string{}},
			{Alarm: "page.budget.*", Channels: []string{}},
		}}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	bustest.Await(t, "both alarms", func() bool {
		resp, err := http.Get(url + "/api/alarms")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		data, err := io.ReadAll(resp.Body)
		return err == nil && strings.Contains(string(data), `"disk"`) && strings.Contains(string(data), `"web"`) && strings.Contains(string(data), `"stale":false`)
	})
	return url
}

// serve runs an inspector and web; nothing else sends heartbeats.
func serve(t *testing.T, b *bustest.Bus, database string) (url string) {
	var wg sync.WaitGroup
	t.Cleanup(wg.Wait) // after t.Context() has ended
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	i := inspector.New(inspector.Config{Instance: "1", Workers: 2, Inspect: inspect.Config{Allow: loopback, PageTimeout: 10 * time.Second}}, b.Connect("inspector"), b.Log())
	wg.Go(func() { i.Run(t.Context(), nil) })

	history := store.NewReader(database)
	t.Cleanup(func() { history.Close() })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := web.New(web.Config{Version: "1.2.3", Allow: loopback}, b.Log(), b.Connect("web"), history, nil)
	wg.Go(func() { s.Run(t.Context(), l) })
	url = "http://" + l.Addr().String()
	bustest.Await(t, "web to be up", func() bool {
		resp, err := http.Get(url + "/up")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	return url
}

func TestScripts(t *testing.T) {
	siteURL, _ := site(t)
	applianceURL, degradedURL, boardURL := appliance(t), degraded(t), degraded(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(e *testscript.Env) error {
			e.Setenv("GORACE", promptExit)
			e.Setenv("TZ", "UTC")
			e.Setenv("SITE", siteURL)
			e.Setenv("HOST", strings.TrimPrefix(siteURL, "http://"))
			e.Setenv("APPLIANCE", applianceURL)
			e.Setenv("DEGRADED", degradedURL)
			e.Setenv("BOARD", boardURL)              // what is written there is in no other history
			e.Setenv("NOBODY", "http://127.0.0.1:2") // a port that no other test is given meanwhile
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"exits": exits, "until": until},
	})
}

// until runs a command repeatedly, for ten seconds at most, until a line of its output
// matches the first argument.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND [ARGUMENT…]")
	}
	pattern := regexp.MustCompile("(?m)" + args[0])
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_ = ts.Exec(args[1], args[2:]...) // its exit code is looked at by exits
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("no line matches %s", args[0])
		}
	}
}

// exits runs a command and holds its exit code against the first argument.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	want, err := strconv.Atoi(args[0])
	if err != nil || neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARGUMENT…]")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func TestInterrupt(t *testing.T) {
	url, hung := site(t)
	cmd := exec.Command("libra", "inspect", "--allow", "127.0.0.1", url+"/hang")
	cmd.Env = append(os.Environ(), "GORACE="+promptExit)
	var errs strings.Builder
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-hung:
	case <-time.After(30 * time.Second):
		cmd.Process.Kill()
		t.Fatal("libra did not ask for the page in 30 s")
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 130 {
		t.Errorf("exit code %d (%v), want 130; stderr %q", code, err, errs.String())
	}
	if errs.Len() > 0 {
		t.Errorf("stderr %q, want nothing", errs.String())
	}
}
