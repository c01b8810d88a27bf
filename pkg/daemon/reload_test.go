package daemon_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"

	"libra/pkg/daemon"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// SIGHUP reloads, however often; an error is logged and ends nothing. systemd is
// notified of the begin and the end.
func TestReload(t *testing.T) {
	received := listenNotify(t)
	ctx, cancel := context.WithCancel(t.Context())
	reloads := make(chan bool)
	ended := make(chan string)
	go func() {
		_, stderr := run(ctx, daemon.Program{Name: "libra-test", Run: func(ctx context.Context, p *daemon.Process) error {
			n := 0
			stop := p.OnReload(func() error {
				reloads <- true
				if n++; n == 2 {
					return errors.New("line 3 is bad")
				}
				return nil
			})
			defer stop()
			p.Ready("here")
			<-ctx.Done()
			return ctx.Err()
		}})
		ended <- stderr
	}()
	if !received("READY=1\nSTATUS=here", patience) {
		t.Fatal("not ready")
	}
	for range 3 {
		if err := syscall.Kill(syscall.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		<-reloads
		if !received("RELOADING=1\nMONOTONIC_USEC=", patience) || !received("READY=1", patience) {
			t.Error("systemd was not notified")
		}
	}
	cancel()
	if stderr := <-ended; strings.Count(stderr, "msg=reloaded") != 2 || !strings.Contains(stderr, "cannot reload, the configuration before stays in force: line 3 is bad") {
		t.Errorf("logged: %s", stderr)
	}
}

// Examine is called by --check only.
func TestExamine(t *testing.T) {
	p := daemon.Program{
		Name:    "libra-test",
		Examine: func() []error { return []error{errors.New("line 3"), errors.New("line 4")} },
		Run:     func(context.Context, *daemon.Process) error { return nil },
	}
	if code, stderr := run(t.Context(), p, "--check"); code != 2 || !strings.Contains(stderr, "line 3") || !strings.Contains(stderr, "line 4") {
		t.Errorf("--check: exit code %d: %s", code, stderr)
	}
	p.Examine = func() []error {
		return []error{daemon.Tolerable(errors.New(`"x" is gone`)), errors.New("line 5")}
	}
	if code, stderr := run(t.Context(), p, "--check"); code != 2 || stderr != "warning: \"x\" is gone\nwrong: line 5\n" {
		t.Errorf("--check: exit code %d: %s", code, stderr)
	}
	t.Setenv("JOURNAL_STREAM", "8:1")
	if _, stderr := run(t.Context(), p, "--check"); !strings.Contains(stderr, "<3>msg=\"the configuration is wrong: line 5\"\n") || !strings.Contains(stderr, "<4>") {
		t.Errorf("--check, for the journal: %s", stderr)
	}
	if code, stderr := run(t.Context(), p); code != 0 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}

// Heartbeats name the current troubles.
func TestTroubles(t *testing.T) {
	code, stderr := run(t.Context(), daemon.Program{Name: "libra-test", Run: func(_ context.Context, p *daemon.Process) error {
		var now []event.Trouble
		p.Trouble(func() []event.Trouble { return now })
		if got := p.Heartbeat("1").Troubles; got != nil {
			t.Errorf("troubles %v", got)
		}
		now = []event.Trouble{{ID: "channel.ops", Severity: libra.Major}}
		if got := p.Heartbeat("1").Troubles; len(got) != 1 || got[0] != now[0] {
			t.Errorf("troubles %v, want %v", got, now)
		}
		return nil
	}})
	if code != 0 {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
