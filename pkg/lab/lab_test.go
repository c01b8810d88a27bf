package lab_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"libra/pkg/lab"
	"libra/pkg/labapi"
)

// rig is a lab that runs, with a program in place of systemctl that notes its calls, and a
// server in place of libra-web.
type rig struct {
	t       *testing.T
	client  *labapi.Client
	calls   string // file
	posts   atomic.Int64
	answers atomic.Int64 // the status of a POST
	stop    func()
}

// systemctl notes its arguments in CALLS. Every unit has the process 7, or another one after
// it was killed.
const systemctl = `#!/bin/sh
echo "$*" >>CALLS
case "$*" in
*--signal=KILL*) : >CALLS.killed ;;
"show --property=MainPID --value"*) echo 7 ;;
"show --property=MainPID,ActiveState"*) if [ -e CALLS.killed ]; then echo MainPID=8; else echo MainPID=7; fi; echo ActiveState=active ;;
esac
`

// locker says that it has the lock, and holds it until its input ends.
const locker = `echo locked; cat >/dev/null; echo released >>CALLS`

func newRig(t *testing.T, cfg lab.Config) *rig {
	t.Helper()
	dir := t.TempDir()
	r := &rig{t: t, calls: filepath.Join(dir, "calls")}
	r.answers.Store(http.StatusAccepted)
	script := filepath.Join(dir, "systemctl")
	if err := os.WriteFile(script, []byte(strings.ReplaceAll(systemctl, "CALLS", r.calls)), 0o700); err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if q.Method == http.MethodPost {
			r.posts.Add(1)
			w.WriteHeader(int(r.answers.Load()))
			io.WriteString(w, `{"id":"p1","detail":"why"}`)
		}
	}))
	t.Cleanup(web.Close)
	cfg.Web, cfg.Runtime, cfg.Systemctl, cfg.Site = web.URL, dir, script, freeAddress(t)
	cfg.Lock = []string{"sh", "-c", strings.ReplaceAll(locker, "CALLS", r.calls)}
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := lab.New(cfg, slog.New(slog.DiscardHandler)).Run(ctx, nil); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	r.stop = func() { cancel(); wg.Wait() }
	t.Cleanup(r.stop)
	r.client = labapi.NewClient(filepath.Join(dir, "lab.sock"))
	r.await("the lab to answer", func() bool {
		var s labapi.State
		return r.client.Call(t.Context(), http.MethodGet, "", nil, &s) == nil
	})
	return r
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (r *rig) await(what string, done func() bool) {
	r.t.Helper()
	for until := time.Now().Add(15 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			r.t.Fatalf("waited 15 s for %s; the calls of systemctl:\n%s", what, r.called())
		}
	}
}

func (r *rig) called() string {
	data, err := os.ReadFile(r.calls)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		r.t.Fatal(err)
	}
	return string(data)
}

func (r *rig) state() (s labapi.State) {
	r.t.Helper()
	if err := r.client.Call(r.t.Context(), http.MethodGet, "", nil, &s); err != nil {
		r.t.Fatal(err)
	}
	return s
}

func (r *rig) dial(path string, value int) error {
	var s labapi.State
	return r.client.Call(r.t.Context(), http.MethodPost, path, labapi.Dial{Value: value}, &s)
}

func (r *rig) do(action, unit string) error {
	var a labapi.Action
	return r.client.Call(r.t.Context(), http.MethodPost, "/do", labapi.Do{Action: action, Unit: unit}, &a)
}

// ended waits until the newest action has ended.
func (r *rig) ended() (a labapi.Action) {
	r.t.Helper()
	r.await("the action to end", func() bool {
		a = r.state().Actions[0]
		return a.State != labapi.Begun
	})
	return a
}

// The generator submits at the rate of the dial and reads beside it, counts what it gets, and
// stops at 0.
func TestDial(t *testing.T) {
	t.Parallel()
	r := newRig(t, lab.Config{})
	began := time.Now()
	if err := r.dial("/dial", 50); err != nil {
		t.Fatal(err)
	}
	r.await("100 submissions and a read", func() bool { s := r.state(); return s.Total.Accepted >= 100 && s.Total.Reads > 0 })
	if took := time.Since(began); took < 1900*time.Millisecond {
		t.Errorf("100 submissions at 50 a second took %s", took)
	}
	r.answers.Store(http.StatusTooManyRequests)
	r.await("a refusal", func() bool { return r.state().Total.Refused > 0 })
	r.answers.Store(http.StatusBadRequest)
	r.await("a failure", func() bool { s := r.state(); return s.Total.Failed > 0 && s.Fault == "submit: 400 why" })
	if err := r.dial("/dial", 0); err != nil {
		t.Fatal(err)
	}
	s := r.state()
	if s.Rate != 0 || s.Total.Submitted < s.Total.Accepted+s.Total.Refused || s.Last.SubmitP99MS <= 0 || s.Last.ReadP99MS <= 0 || s.Total.ReadsFailed != 0 {
		t.Errorf("state: %+v", s)
	}
	if n := int64(s.Total.Submitted); r.posts.Load() < n {
		t.Errorf("counted %d submissions of %d", n, r.posts.Load())
	}
}

// The dials have limits; only actions and units that are known are acted on; what is refused
// says what is allowed.
func TestRefusals(t *testing.T) {
	t.Parallel()
	r := newRig(t, lab.Config{})
	began := r.called()
	for what, err := range map[string]error{
		`invalid rate -1: must be a whole number from 0 to 200`:                           r.dial("/dial", -1),
		`invalid rate 201: must be a whole number from 0 to 200`:                          r.dial("/dial", 201),
		`invalid number of inspectors 0: must be a whole number from 1 to 8`:              r.dial("/inspectors", 0),
		`invalid number of inspectors 9: must be a whole number from 1 to 8`:              r.dial("/inspectors", 9),
		`invalid action "crash": must be one of error, slow`:                              r.do("crash", ""),
		`invalid unit "sshd": must be one of libra-bus, libra-web, libra-inspector@1`:     r.do("kill", "sshd"),
		`invalid unit "libra-inspector@9": must be one of`:                                r.do("sigstop", "libra-inspector@9"),
		`invalid unit "libra-lab": must be one of`:                                        r.do("kill", "libra-lab"),
		`invalid unit "--all": must be one of`:                                            r.do("kill", "--all"),
		`invalid unit "": must be one of`:                                                 r.do("kill", ""),
		`action bus-stopped is about no unit, not about "libra-web": leave the unit out`:  r.do("bus-stopped", "libra-web"),
		`invalid request: json: unknown field "action": send JSON such as {"value": 20},`: r.client.Call(t.Context(), http.MethodPost, "/dial", labapi.Do{Action: "x"}, nil),
	} {
		var refused *labapi.Refusal
		if !errors.As(err, &refused) || refused.Status != http.StatusBadRequest || !strings.HasPrefix(err.Error(), what) {
			t.Errorf("got %v, want %s", err, what)
		}
	}
	if now := r.called(); now != began {
		t.Errorf("systemctl was called:\n%s", strings.TrimPrefix(now, began))
	}
	for _, address := range []string{"192.0.2.1:80", "0.0.0.0:80", ":80", "example.org:80", "[::]:80"} {
		if lab.CheckLoopback(address) == nil {
			t.Errorf("address %q is taken for one of the loopback", address)
		}
	}
}

// Inspectors from 1 to the dial's number are started, the others stopped.
func TestInspectors(t *testing.T) {
	t.Parallel()
	r := newRig(t, lab.Config{})
	if err := r.dial("/inspectors", 5); err != nil || r.state().Inspectors != 5 {
		t.Errorf("%v, %+v", err, r.state())
	}
	for _, want := range []string{
		"start libra-inspector@1 libra-inspector@2 libra-inspector@3 libra-inspector@4 libra-inspector@5\n",
		"stop --no-block libra-inspector@6 libra-inspector@7 libra-inspector@8\n",
	} {
		if !strings.Contains(r.called(), want) {
			t.Errorf("no call %q:\n%s", want, r.called())
		}
	}
}

// Each action does what it says, undoes it by itself, and says what came of it.
func TestActions(t *testing.T) {
	t.Parallel()
	r := newRig(t, lab.Config{StopFor: 20 * time.Millisecond, BusFor: 20 * time.Millisecond, LockFor: 50 * time.Millisecond})
	for _, a := range []struct{ name, unit, text, calls string }{
		{"spin", "", "submitted", ""},
		{"kill", "libra-web", "another process is ready after ", "kill --kill-whom=main --signal=KILL libra-web\n"},
		{"sigstop", "libra-inspector@2", "continued after ", "kill --kill-whom=main --signal=STOP libra-inspector@2\nshow --property=MainPID --value libra-inspector@2\nkill --kill-whom=main --signal=CONT libra-inspector@2\n"},
		{"bus-stopped", "", "started again after ", "stop libra-bus\nstart libra-bus\n"},
		{"sqlite-locked", "", "released after ", "released\n"},
	} {
		if err := r.do(a.name, a.unit); err != nil {
			t.Fatalf("%s: %v", a.name, err)
		}
		got := r.ended()
		if got.Name != a.name || got.Unit != a.unit || got.State != labapi.Done || !strings.HasPrefix(got.Text, a.text) || !strings.Contains(r.called(), a.calls) {
			t.Errorf("%s: %+v; calls:\n%s", a.name, got, r.called())
		}
	}
	if got := r.state().Actions; len(got) != 5 || got[4].Page != "p1" {
		t.Errorf("actions: %+v", got)
	}
}

// A reset, and the end of the lab, undo what is in effect, however long it would last; one
// action of a kind is in progress at a time.
func TestUndone(t *testing.T) {
	t.Parallel()
	for name, undo := range map[string]func(r *rig){
		"reset": func(r *rig) {
			var s labapi.State
			if err := r.client.Call(r.t.Context(), http.MethodPost, "/reset", nil, &s); err != nil {
				r.t.Fatal(err)
			}
			for _, a := range s.Actions {
				if a.State != labapi.Done {
					r.t.Errorf("after the reset: %+v", a)
				}
			}
			if s.Rate != 0 || s.Inspectors != 2 || s.Total.Submitted != 0 {
				r.t.Errorf("after the reset: %+v", s)
			}
		},
		"end": func(r *rig) { r.stop() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, lab.Config{StopFor: time.Hour, BusFor: time.Hour, LockFor: time.Hour})
			if err := errors.Join(r.dial("/dial", 20), r.do("sigstop", "libra-recorder"), r.do("bus-stopped", ""), r.do("sqlite-locked", "")); err != nil {
				t.Fatal(err)
			}
			var refused *labapi.Refusal
			if err := r.do("sigstop", "libra-web"); !errors.As(err, &refused) || refused.Status != http.StatusConflict {
				t.Errorf("a second SIGSTOP: %v", err)
			}
			r.await("both to be in effect", func() bool {
				return strings.Contains(r.called(), "--signal=STOP libra-recorder\n") && strings.Contains(r.called(), "stop libra-bus\n")
			})
			undo(r)
			_, after, _ := strings.Cut(r.called(), "stop libra-bus\n")
			for _, want := range []string{"--signal=CONT libra-recorder\n", "start libra-bus\n", "released\n", "start libra-inspector@1 libra-inspector@2\n"} {
				if !strings.Contains(after, want) {
					t.Errorf("not undone by %q:\n%s", want, after)
				}
			}
		})
	}
}

// What is kept has a bound.
func TestBound(t *testing.T) {
	t.Parallel()
	r := newRig(t, lab.Config{})
	for n := range labapi.MostActions + 5 {
		if err := r.do("error", ""); err != nil {
			t.Fatalf("action %d: %v", n, err)
		}
		r.ended()
	}
	if n := len(r.state().Actions); n != labapi.MostActions {
		t.Errorf("%d actions are listed", n)
	}
}

// The site has whole pages, slowly.
func TestSite(t *testing.T) {
	t.Parallel()
	r := newRig(t, lab.Config{})
	for path, kind := range map[string]string{"/p/1": "text/html; charset=utf-8", "/libra-fault/spin/1": "text/html; charset=utf-8", "/style.css": "text/css", "/script.js": "text/javascript", "/small.png": "image/png", "/large.png": "image/png"} {
		began := time.Now()
		res, err := http.Get(r.state().Site + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if took := time.Since(began); err != nil || res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != kind || len(body) == 0 || took < 20*time.Millisecond {
			t.Errorf("%s: %d, %q, %d bytes after %s, %v", path, res.StatusCode, res.Header.Get("Content-Type"), len(body), took, err)
		}
	}
	if res, err := http.Get(r.state().Site + "/other"); err != nil || res.StatusCode != http.StatusNotFound {
		t.Errorf("/other: %v, %v", fmt.Sprint(res), err)
	}
}
