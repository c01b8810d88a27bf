package daemon_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"libra/pkg/daemon"
)

// listenNotify opens a notify socket as systemd does and returns a function that
// waits for a message that contains want, for so long.
func listenNotify(t *testing.T) (received func(want string, within time.Duration) bool) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return func(want string, within time.Duration) bool {
		t.Helper()
		buf := make([]byte, 4096)
		if err := conn.SetReadDeadline(time.Now().Add(within)); err != nil {
			t.Fatal(err)
		}
		for {
			n, err := conn.Read(buf)
			if err != nil {
				return false
			}
			if strings.Contains(string(buf[:n]), want) {
				return true
			}
		}
	}
}

// patience is what a loaded machine may need for what takes milliseconds.
const patience = 5 * time.Second

func run(ctx context.Context, p daemon.Program, args ...string) (code int, stderr string) {
	var out, errs bytes.Buffer
	code = p.Main(ctx, append([]string{p.Name}, args...), &out, &errs)
	return code, errs.String()
}

func TestLife(t *testing.T) {
	received := listenNotify(t)
	ctx, cancel := context.WithCancel(t.Context())
	var order []string
	code := make(chan int)
	go func() {
		c, _ := run(ctx, daemon.Program{Name: "libra-test", Run: func(ctx context.Context, p *daemon.Process) error {
			for _, name := range []string{"first", "second"} {
				p.Cleanup(name, func(context.Context) error { order = append(order, name); return errors.New("ignored") })
			}
			p.Starting(time.Minute)
			p.Ready("here")
			<-ctx.Done()
			return ctx.Err()
		}})
		code <- c
	}()
	if !received("EXTEND_TIMEOUT_USEC=60000000", patience) {
		t.Error("systemd was not asked to wait longer")
	}
	if !received("READY=1\nSTATUS=here", patience) {
		t.Error("systemd was not notified READY")
	}
	cancel()
	if !received("STOPPING=1", patience) {
		t.Error("systemd was not notified STOPPING")
	}
	if c := <-code; c != 0 {
		t.Errorf("exit code %d after being asked to stop", c)
	}
	if fmt.Sprint(order) != "[second first]" {
		t.Errorf("cleanups ran as %v", order)
	}
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
		text string
	}{
		{nil, 0, "stopped"},
		{errors.New("the disk is gone"), 1, "cannot continue: the disk is gone"},
		{fmt.Errorf("%w: no such channel", daemon.ErrConfig), 2, "cannot start: configuration: no such channel"},
	} {
		code, text := run(t.Context(), daemon.Program{Name: "libra-test", Run: func(context.Context, *daemon.Process) error { return c.err }})
		if code != c.want || !strings.Contains(text, c.text) {
			t.Errorf("Run returned %v: exit %d, %s", c.err, code, text)
		}
	}
}

// No loop is stalled while every loop calls Allow in time, and one is when it is
// late.
func TestLiveness(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := program(t, func(p *daemon.Process) {
			stalled := func(want string) {
				t.Helper()
				if got := p.Liveness.Stalled(); got != want {
					t.Errorf("stalled is %q, want %q", got, want)
				}
			}
			running, hanging := p.Liveness.Loop("running"), p.Liveness.Loop("hanging")
			stalled("")
			for range 4 {
				time.Sleep(time.Second)
				running.Allow(2 * time.Second)
			}
			stalled("hanging")
			hanging.Done()
			stalled("")
		})
		p()
	})
}

// A loop that declares a long call is late when that time is over, and not
// before; the declaration after it holds again.
func TestLoopDeclaresHowLongItMayBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := program(t, func(p *daemon.Process) {
			l := p.Liveness.Loop("calling")
			after := func(pause time.Duration, want string) {
				t.Helper()
				time.Sleep(pause)
				if got := p.Liveness.Stalled(); got != want {
					t.Errorf("stalled is %q, want %q", got, want)
				}
			}
			l.Allow(12 * time.Second)
			after(12*time.Second, "")
			after(time.Millisecond, "calling")
			l.Allow(time.Second)
			after(time.Second, "")
			after(time.Millisecond, "calling")
		})
		p()
	})
}

// While a loop is late, systemd's watchdog is not fed, and the journal names
// the loop and what it declared.
func TestWatchdogIsNotFedWhileALoopHangs(t *testing.T) {
	received := listenNotify(t)
	const period = 10 * time.Millisecond
	t.Setenv("WATCHDOG_USEC", fmt.Sprint((4 * period).Microseconds()))
	t.Setenv("WATCHDOG_PID", fmt.Sprint(os.Getpid()))
	_, text := run(t.Context(), daemon.Program{Name: "libra-test", Run: func(_ context.Context, p *daemon.Process) error {
		l := p.Liveness.Loop("hanging")
		l.Allow(0)
		for received("WATCHDOG=1", 10*period) { // those of before; then none comes any more
		}
		l.Allow(patience)
		if !received("WATCHDOG=1", patience) {
			t.Error("the watchdog is not fed after the loop has gone on")
		}
		return nil
	}})
	if want := "loop=hanging allowed=0s"; !strings.Contains(text, want) {
		t.Errorf("the journal lacks %q:\n%s", want, text)
	}
}

// A heartbeat has the component's counters, the number of goroutines, and the processor
// time that it has used.
func TestHeartbeat(t *testing.T) {
	program(t, func(p *daemon.Process) {
		p.Count("pages_in_hand", func() int64 { return 3 })
		b := p.Heartbeat("2")
		if b.Component != "libra-test" || b.Instance != "2" || b.Counters["pages_in_hand"] != 3 || b.Counters["goroutines"] < 2 || b.Counters["cpu_us"] <= 0 {
			t.Errorf("heartbeat: %+v", b)
		}
	})()
}

func program(t *testing.T, do func(*daemon.Process)) func() {
	return func() {
		run(t.Context(), daemon.Program{Name: "libra-test", Run: func(_ context.Context, p *daemon.Process) error { do(p); return nil }})
	}
}

func TestWatchdogIsFed(t *testing.T) {
	received := listenNotify(t)
	t.Setenv("WATCHDOG_USEC", "200000")
	t.Setenv("WATCHDOG_PID", fmt.Sprint(os.Getpid()))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		run(ctx, daemon.Program{Name: "libra-test", Run: func(ctx context.Context, p *daemon.Process) error { <-ctx.Done(); return nil }})
	}()
	for range 2 {
		if !received("WATCHDOG=1", patience) {
			t.Error("the watchdog is not fed")
		}
	}
	cancel()
	<-done
}

func TestJournalLines(t *testing.T) {
	t.Setenv("JOURNAL_STREAM", "8:1")
	_, text := run(t.Context(), daemon.Program{Name: "libra-test", Run: func(_ context.Context, p *daemon.Process) error {
		p.Log.Info("hello", "request", "r1")
		p.Log.With("page", "p1").Warn("careful")
		return nil
	}})
	for _, want := range []string{"<6>msg=hello request=r1\n", "<4>msg=careful page=p1\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the journal lacks %q:\n%s", want, text)
		}
	}
}

func TestSettingForms(t *testing.T) {
	var (
		bytes    int64
		count    int
		wait     time.Duration
		addr     string
		yes      bool
		prefixes []netip.Prefix
	)
	dir := t.TempDir()
	for _, c := range []struct {
		into  func(string) error
		text  string
		got   func() any
		want  any
		fault string
	}{
		{daemon.Bytes(&bytes, 1), "512M", func() any { return bytes }, int64(512 << 20), ""},
		{daemon.Bytes(&bytes, 1), "2GiB", func() any { return bytes }, int64(2 << 30), ""},
		{daemon.Bytes(&bytes, 1), "77", func() any { return bytes }, int64(77), ""},
		{daemon.Bytes(&bytes, 100), "77", nil, nil, "at least 100"},
		{daemon.Bytes(&bytes, 1), "many", nil, nil, "such as 512M"},
		{daemon.Bytes(&bytes, 1), "-5M", nil, nil, "at least"},
		{daemon.Bytes(&bytes, 32<<20), "31M", nil, nil, "at least 32M,"},
		{daemon.Bytes(&bytes, 1), "", nil, nil, "at least"},
		{daemon.Bytes(&bytes, 1), "8589934591G", func() any { return bytes }, int64(8589934591 << 30), ""},
		{daemon.Bytes(&bytes, 1), "17179869185G", nil, nil, "exceeds every disk and memory"},
		{daemon.Bytes(&bytes, 1), "99999999999999999999", nil, nil, "exceeds every disk and memory"},
		{daemon.Bytes(&bytes, 1), "-99999999999999999999", nil, nil, "at least"},
		{daemon.Count(&count, 1, 9), "9", func() any { return count }, 9, ""},
		{daemon.Count(&count, 1, 9), "10", nil, nil, "from 1 to 9"},
		{daemon.Duration(&wait, time.Second, time.Minute), "1.5s", func() any { return wait }, 1500 * time.Millisecond, ""},
		{daemon.Duration(&wait, time.Second, time.Minute), "10", nil, nil, "from 1s to 1m0s"},
		{daemon.Address(&addr), "[::1]:80", func() any { return addr }, "[::1]:80", ""},
		{daemon.Address(&addr), "http://x:80", nil, nil, "127.0.0.1:8080"},
		{daemon.Switch(&yes), "Yes", func() any { return yes }, true, ""},
		{daemon.Switch(&yes), "perhaps", nil, nil, "yes or no"},
		{daemon.Prefixes(&prefixes), "10.0.0.0/8, ::1", func() any { return fmt.Sprint(prefixes) }, "[10.0.0.0/8 ::1/128]", ""},
		{daemon.Prefixes(&prefixes), "10.0.0.0/8;x", nil, nil, "invalid IP prefix"},
		{daemon.WebURL(&addr, "https://example.org/"), "https://libra.example.org:8443/x?y=1", func() any { return addr }, "https://libra.example.org:8443/x?y=1", ""},
		{daemon.WebURL(&addr, "https://example.org/"), "", func() any { return addr }, "", ""},
		{daemon.WebURL(&addr, "https://example.org/"), "http://[::1]:8080", func() any { return addr }, "http://[::1]:8080", ""},
		{daemon.WebURL(&addr, "https://example.org/"), "foo", nil, nil, "must be a URL such as https://example.org/"},
		{daemon.WebURL(&addr, "https://example.org/"), ":::", nil, nil, "must be a URL such as"},
		{daemon.WebURL(&addr, "https://example.org/"), "http://", nil, nil, "must be a URL such as"},
		{daemon.WebURL(&addr, "https://example.org/"), "http://x:99999", nil, nil, "must be a URL such as"},
		{daemon.WebURL(&addr, "https://example.org/"), "http://x:", nil, nil, "must be a URL such as"},
		{daemon.WebURL(&addr, "https://example.org/"), "nats://x", nil, nil, "must be a URL such as"},
		{daemon.BaseURL(&addr, "https://example.org/"), "", func() any { return addr }, "", ""},
		{daemon.BaseURL(&addr, "https://example.org/"), "https://example.org/tools/libra/", func() any { return addr }, "https://example.org/tools/libra/", ""},
		{daemon.BaseURL(&addr, "https://example.org/"), "foo", nil, nil, "must be a URL such as https://example.org/"},
		{daemon.BaseURL(&addr, "https://example.org/"), "https://x/?a=b", nil, nil, "without user, query and fragment"},
		{daemon.BaseURL(&addr, "https://example.org/"), "https://x/a b", nil, nil, "must be a URL such as"},
		{daemon.BaseURL(&addr, "https://example.org/"), "https://x/a//b", nil, nil, "must have a path of letters, digits, and - . _ ~ only, such as https://example.org/libra"},
		{daemon.BaseURL(&addr, "https://example.org/"), "https://x/%22", nil, nil, "must have a path of letters"},
		{daemon.URLs(&addr, "nats://x:4222", "nats", "tls"), "nats://a:4222,tls://b", func() any { return addr }, "nats://a:4222,tls://b", ""},
		{daemon.URLs(&addr, "nats://x:4222", "nats", "tls"), "", func() any { return addr }, "", ""},
		{daemon.URLs(&addr, "nats://x:4222", "nats", "tls"), "http://foo", nil, nil, "must be a URL such as nats://x:4222, or several"},
		{daemon.URLs(&addr, "nats://x:4222", "nats", "tls"), "nats://a b", nil, nil, "must be a URL such as"},
		{daemon.URLs(&addr, "nats://x:4222", "nats", "tls"), "nats://a,", nil, nil, "must be a URL such as"},
		{daemon.File(&addr), dir, nil, nil, "must be a file, not a folder"},
		{daemon.Path(&addr), dir, nil, nil, "must be a file, not a folder"},
		{daemon.Path(&addr), dir + "/none", func() any { return addr }, dir + "/none", ""},
	} {
		err := c.into(c.text)
		switch {
		case c.fault == "" && (err != nil || c.got() != c.want):
			t.Errorf("%q: %v, %v; want %v", c.text, c.got(), err, c.want)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("%q: %v; want an error about %q", c.text, err, c.fault)
		}
	}
}
