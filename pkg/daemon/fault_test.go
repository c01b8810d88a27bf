package daemon_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/daemon"
	"libra/pkg/event"
)

// noFiles lets this process open no file until the test ends.
func noFiles(t *testing.T) {
	t.Helper()
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 0, Max: was.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
			t.Fatal(err)
		}
	})
}

// What the machine lacks for a while stops no process for good: a folder that
// cannot be written is a warning, a file that cannot be read is exit code 1.
func TestShortOfFiles(t *testing.T) {
	dir := t.TempDir()
	key := filepath.Join(dir, "key")
	if err := os.WriteFile(key, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var folder, file string
	ran := 0
	p := daemon.Program{
		Name: "libra-test",
		Settings: []daemon.Setting{
			{Name: "state", FlagOnly: true, Into: daemon.Folder(&folder)},
			{Name: "key", FlagOnly: true, Into: daemon.File(&file)},
		},
		Run: func(context.Context, *daemon.Process) error { ran++; return nil },
	}
	noFiles(t)
	if code, text := run(t.Context(), p, "--state", dir); code != 0 || ran != 1 || folder != dir || !strings.Contains(text, "level=WARN") || !strings.Contains(text, "too many open files") {
		t.Errorf("a folder: exit code %d, folder %q, ran %d times: %s", code, folder, ran, text)
	}
	if code, text := run(t.Context(), p, "--state", dir, "--check"); code != 0 || ran != 1 || !strings.Contains(text, "too many open files") {
		t.Errorf("--check: exit code %d, ran %d times: %s", code, ran, text)
	}
	if code, text := run(t.Context(), p, "--key", key); code != 1 || ran != 1 || !strings.Contains(text, "cannot read it (too many open files)") {
		t.Errorf("a file: exit code %d, ran %d times: %s", code, ran, text)
	}
	if code, text := run(t.Context(), p, "--key", key, "--nosuch"); code != 2 {
		t.Errorf("beside a fault of the configuration: exit code %d: %s", code, text)
	}
}

// Faults of the machine: full, read-only, faulty. Faults of the configuration:
// absent, forbidden.
func TestTransientErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{syscall.ENOSPC, 1},
		{syscall.EDQUOT, 1},
		{syscall.EROFS, 1},
		{syscall.EIO, 1},
		{syscall.EMFILE, 1},
		{syscall.ENFILE, 1},
		{syscall.ENOENT, 2},
		{syscall.EACCES, 2},
		{syscall.ENOTDIR, 2},
		{errors.New("line 3"), 2},
	} {
		wrapped := fmt.Errorf("%w: %w", daemon.ErrConfig, &fs.PathError{Op: "open", Path: "/x", Err: c.err})
		code, text := run(t.Context(), daemon.Program{Name: "libra-test", Run: func(context.Context, *daemon.Process) error { return wrapped }})
		if code != c.want {
			t.Errorf("%v: exit code %d, want %d: %s", c.err, code, c.want, text)
		}
		code, text = run(t.Context(), daemon.Program{
			Name:  "libra-test",
			Check: func() []error { return []error{wrapped} },
			Run:   func(context.Context, *daemon.Process) error { return nil },
		})
		if code != c.want {
			t.Errorf("found by Check, %v: exit code %d, want %d: %s", c.err, code, c.want, text)
		}
	}
}

// An invalid setting that is not vital has its default, or what is instead of it,
// and the start continues.
func TestInvalidSettings(t *testing.T) {
	var count, prune int
	var allow []netip.Prefix
	var tolerated []error
	var beat event.Heartbeat
	p := daemon.Program{
		Name: "libra-test",
		Settings: []daemon.Setting{
			{Name: "count", FlagOnly: true, Default: "3", Into: daemon.Count(&count, 1, 9)},
			{Name: "prune", FlagOnly: true, Default: "80", Instead: "0", Effect: "0: nothing is removed", Into: daemon.Count(&prune, 0, 100)},
			{Name: "allow", FlagOnly: true, Partly: true, Effect: "the valid ones of it", Into: daemon.Prefixes(&allow)},
		},
		Run: func(_ context.Context, p *daemon.Process) error {
			p.Ready("running")
			tolerated, beat = p.Tolerated, p.Heartbeat("1")
			return nil
		},
	}
	args := []string{"--count", "7", "--prune", "lots", "--allow", "10.0.0.0/8,x"}
	code, text := run(t.Context(), p, args...)
	if code != 0 || count != 7 || prune != 0 || fmt.Sprint(allow) != "[10.0.0.0/8]" {
		t.Errorf("exit code %d, in effect are %d, %d, %v: %s", code, count, prune, allow, text)
	}
	want := []string{
		`invalid --prune "lots": must be a whole number from 0 to 100; in effect: 0: nothing is removed`,
		`invalid --allow "10.0.0.0/8,x": invalid IP prefix "x": write it like 10.0.0.0/8 or 127.0.0.1; in effect: the valid ones of it`,
	}
	var named []string
	for _, trouble := range beat.Troubles {
		named = append(named, trouble.ID+" "+trouble.Evidence)
	}
	if diff := cmp.Diff([]string{"settings " + want[0], "settings " + want[1]}, named); diff != "" || fmt.Sprint(tolerated) != "["+strings.Join(want, " ")+"]" {
		t.Errorf("tolerated %v, in the heartbeat:\n%s", tolerated, diff)
	}
	for _, w := range want {
		if !strings.Contains(text, "level=WARN msg=\"configuration fault tolerated: "+strings.ReplaceAll(w, `"`, `\"`)) {
			t.Errorf("the journal has no warning of %s:\n%s", w, text)
		}
	}
	if want := "running; invalid settings: --prune, --allow"; beat.Status != want {
		t.Errorf("status %q, want %q", beat.Status, want)
	}
	p.Settings = p.Settings[:1]
	if code, text := run(t.Context(), p, "--count", "abc"); code != 0 || count != 3 || len(tolerated) != 1 || !strings.Contains(tolerated[0].Error(), `--count "abc": must be a whole number`) {
		t.Errorf("exit code %d, count %d, %v: %s", code, count, tolerated, text)
	}
	p.Check = func() []error { return []error{daemon.Tolerable(syscall.EROFS)} } // is no fault of the configuration
	if code, _ := run(t.Context(), p, "--count", "5"); code != 0 || count != 5 || len(tolerated) != 0 {
		t.Errorf("exit code %d, count %d, %v", code, count, tolerated)
	}
}

// A vital setting that is invalid, and a Run that cannot start or go on, leave
// the reason with systemd.
func TestReasonOfTheEndIsTheLastStatus(t *testing.T) {
	received := listenNotify(t)
	port := daemon.Setting{Name: "port", FlagOnly: true, Vital: true, Into: daemon.Address(new(string))}
	for _, c := range []struct {
		p    daemon.Program
		args []string
		code int
		want string
	}{
		{daemon.Program{Settings: []daemon.Setting{port}}, []string{"--port", "x"}, 2, `STATUS=cannot start: invalid --port "x": must be an address such as 127.0.0.1:8080`},
		{daemon.Program{Run: func(context.Context, *daemon.Process) error { return fmt.Errorf("%w: no socket", daemon.ErrConfig) }}, nil, 2, "STATUS=cannot start: configuration: no socket"},
		{daemon.Program{Run: func(context.Context, *daemon.Process) error { return errors.New("port 1 is in use") }}, nil, 1, "STATUS=cannot continue: port 1 is in use"},
		{daemon.Program{Run: func(context.Context, *daemon.Process) error { return errors.New(strings.Repeat("long ", 2000)) }}, nil, 1, "STATUS=cannot continue: long"},
	} {
		c.p.Name = "libra-test"
		if code, text := run(t.Context(), c.p, c.args...); code != c.code {
			t.Errorf("exit code %d, want %d: %s", code, c.code, text)
		}
		if !received(c.want, patience) {
			t.Errorf("systemd was not notified %s", c.want)
		}
	}
}

// A heartbeat with many invalid settings is short, and says how many it leaves out.
func TestHeartbeatOfManyFaultsIsShort(t *testing.T) {
	for i := range 100 {
		t.Setenv(fmt.Sprintf("LIBRA_NO_SUCH_%d_%s", i, strings.Repeat("X", 100)), "1")
	}
	run(t.Context(), daemon.Program{Name: "libra-test", Run: func(_ context.Context, p *daemon.Process) error {
		b := p.Heartbeat("1")
		data, err := json.Marshal(b)
		if err != nil || len(data) > 6000 || len(data) < 4000 {
			t.Errorf("a heartbeat of %d bytes, %v", len(data), err)
		}
		last := len(b.Troubles) - 1
		if got, want := b.Troubles[last].Evidence, fmt.Sprintf("%d more faults: libra doctor lists them", 100-last); got != want {
			t.Errorf("the last fault is %q, want %q", got, want)
		}
		return nil
	}})
}

// What may be a password is in no fault, and no fault is of any length.
func TestFaultsShowNoPassword(t *testing.T) {
	var urls string
	p := daemon.Program{
		Name:     "libra-test",
		Settings: []daemon.Setting{{Name: "url", FlagOnly: true, Into: daemon.URLs(&urls, "nats://bus.example.org", "nats")}},
		Run:      func(context.Context, *daemon.Process) error { return nil },
	}
	for _, url := range []string{"http://user:sesame@bus", "user:sesame@bus", "nats://bus,nat://u:sesame@bus" + strings.Repeat("/x", 10000)} {
		if _, text := run(t.Context(), p, "--url", url); strings.Contains(text, "sesame") || !strings.Contains(text, "***@bus") || len(text) > 2000 {
			t.Errorf("%.100s: %.1000s", url, text)
		}
	}
}
