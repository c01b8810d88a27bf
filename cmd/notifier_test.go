package cmd_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"libra/pkg/bus/bustest"
	"libra/pkg/libra"
)

// receiver is a webhook that keeps what it receives.
type receiver struct {
	*httptest.Server
	mu    sync.Mutex
	texts []string    // under mu
	at    []time.Time // under mu
	hang  bool        // under mu; the next calls get no answer
}

func newReceiver(t testing.TB) *receiver {
	s := &receiver{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var m struct{ Text string }
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil {
			return
		}
		io.Copy(io.Discard, r.Body)
		s.mu.Lock()
		s.texts, s.at = append(s.texts, m.Text), append(s.at, time.Now())
		hang := s.hang
		s.mu.Unlock()
		if hang {
			<-r.Context().Done()
		}
	}))
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	return s
}

func (s *receiver) got() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string{}, s.texts...)
}

// process is a real libra-notifier.
type process struct {
	t    testing.TB
	args []string
	cmd  *exec.Cmd
	mu   sync.Mutex
	log  bytes.Buffer // under mu
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.log.Write(b)
}

func (p *process) logged(text string) func() bool {
	return func() bool { p.mu.Lock(); defer p.mu.Unlock(); return strings.Contains(p.log.String(), text) }
}

func (p *process) start() {
	p.t.Helper()
	p.cmd = exec.Command(filepath.Join(bin, "libra-notifier"), p.args...)
	p.cmd.Stderr = p
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

func (p *process) kill() {
	p.cmd.Process.Kill()
	_ = p.cmd.Wait() // it was killed
}

func newNotifier(t testing.TB, b *bustest.Bus) (p *process, file string) {
	dir := t.TempDir()
	for _, sub := range []string{"state", "runtime"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	file = filepath.Join(dir, "alarms.toml")
	return &process{t: t, args: []string{
		"--bus-listen", strings.TrimPrefix(b.URL(), "nats://"), "--nats-seed", b.Seed("notifier"), "--alarms", file, "--credentials", dir + "/credential-",
		"--state", filepath.Join(dir, "state"), "--runtime", filepath.Join(dir, "runtime"), "--notifier-socket", filepath.Join(dir, "sock"),
	}}, file
}

func writeFile(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func raise(n int) libra.Transition {
	now := time.Now().UTC()
	return libra.Transition{ID: fmt.Sprint("t", n), At: now, Host: "box", Alarm: libra.Alarm{
		ID: fmt.Sprint("alarm.", n), Target: "libra-web", Severity: libra.Major, State: libra.Raised, Summary: fmt.Sprint("number ", n), Since: now,
	}}
}

func hookFile(s *receiver) string {
	return "[[channel]]\nname = \"hook\"\ntype = \"webhook\"\nurl = \"" + s.URL + "/\"\n"
}

// A bad edit is refused with line and reason, and the old file holds, over
// kill -9 too; a good one is taken over by a running process.
func TestReloadOfAlarmsFile(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	one, two := newReceiver(t), newReceiver(t)
	p, file := newNotifier(t, b)
	writeFile(t, file, hookFile(one))
	p.start()
	defer func() { p.kill() }()
	says := b.Connect("watchdog")
	publish := func(n int) {
		t.Helper()
		if err := says.PublishAlarm(t.Context(), raise(n)); err != nil {
			t.Fatal(err)
		}
	}
	publish(1)
	bustest.Await(t, "the first alarm", func() bool { return len(one.got()) == 1 })

	writeFile(t, file, strings.Replace(hookFile(two), "url", "ulr", 1))
	out, code := run(t, nil, "libra-notifier", append(p.args, "--check")...)
	if code != 2 || !strings.Contains(out, "alarms.toml:4: unknown key ulr in a channel of type webhook: use name, type, url, url_credential, credential") || !strings.Contains(out, "alarms.toml:1: give either url") {
		t.Errorf("--check: exit code %d: %s", code, out)
	}
	hup := func() {
		t.Helper()
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	hup()
	bustest.Await(t, "the refusal", p.logged("cannot reload, the configuration before stays in force: alarms.toml:1: give either url"))
	p.kill()
	p.start()
	bustest.Await(t, "the last good file", p.logged("alarms.toml is invalid, using the last valid one: alarms.toml:4: unknown key ulr"))
	publish(2)
	bustest.Await(t, "the second alarm", func() bool { return len(one.got()) == 2 })

	writeFile(t, file, hookFile(one)+strings.Replace(hookFile(two), "hook", "two", 1))
	out, code = run(t, nil, "libra-notifier", append(p.args, "--check")...)
	if code != 0 {
		t.Errorf("--check: exit code %d: %s", code, out)
	}
	hup()
	bustest.Await(t, "the reload", p.logged("msg=reloaded"))
	bustest.Await(t, "the new channel", func() bool { publish(time.Now().Nanosecond()); return len(two.got()) > 0 })
	if strings.Contains(strings.Join(two.got(), ""), "number 1 ") {
		t.Errorf("the new channel was notified of old alarms: %q", two.got())
	}
}

// A channel whose credential is gone keeps no other edit from being applied,
// and is reported all the same.
func TestReloadBesideABrokenChannel(t *testing.T) {
	t.Parallel()
	b := bustest.Start(t)
	one, two := newReceiver(t), newReceiver(t)
	p, file := newNotifier(t, b)
	writeFile(t, file, hookFile(one))
	p.start()
	defer func() { p.kill() }()
	bustest.Await(t, "it to be ready", p.logged("msg=ready"))
	writeFile(t, file, hookFile(one)+strings.Replace(hookFile(two), "hook", "two", 1)+"[[channel]]\nname = \"lost\"\ntype = \"slack\"\ncredential = \"nothere\"\n")
	out, code := run(t, nil, "libra-notifier", append(p.args, "--check")...)
	if code != 0 || !strings.Contains(out, `alarms.toml:9: channel lost: credential`) || !strings.Contains(out, "nothere") {
		t.Errorf("--check: exit code %d: %s", code, out)
	}
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	bustest.Await(t, "the reload", p.logged("msg=reloaded"))
	n, says := 0, b.Connect("watchdog")
	bustest.Await(t, "the new channel", func() bool {
		n++
		return says.PublishAlarm(t.Context(), raise(n)) == nil && len(two.got()) > 0
	})
}

// From exec to the first message: after an orderly stop with an alarm waiting,
// and after kill -9 in the middle of a call.
func BenchmarkNotifierStart(b *testing.B) {
	for _, killed := range []bool{false, true} {
		b.Run(map[bool]string{false: "waiting", true: "killed"}[killed], func(b *testing.B) {
			bus := bustest.Start(b)
			s := newReceiver(b)
			p, file := newNotifier(b, bus)
			writeFile(b, file, hookFile(s))
			says := bus.Connect("watchdog")
			p.start()
			n, total := 0, time.Duration(0)
			next := func() {
				n++
				if err := says.PublishAlarm(b.Context(), raise(n)); err != nil {
					b.Fatal(err)
				}
			}
			next()
			bustest.Await(b, "a first message", func() bool { return len(s.got()) == 1 })
			for b.Loop() {
				calls := len(s.got())
				if killed {
					s.mu.Lock()
					s.hang = true
					s.mu.Unlock()
					next()
					bustest.Await(b, "a call", func() bool { return len(s.got()) == calls+1 })
					calls++
					p.kill()
					s.mu.Lock()
					s.hang = false
					s.mu.Unlock()
				} else {
					p.kill()
					next()
				}
				began := time.Now()
				p.start()
				bustest.Await(b, "a message", func() bool { return len(s.got()) == calls+1 })
				s.mu.Lock()
				total += s.at[calls].Sub(began)
				s.mu.Unlock()
				bustest.Await(b, "the notification log", func() bool {
					data, err := os.ReadFile(filepath.Join(filepath.Dir(file), "state", "channel-hook.json"))
					return err == nil && strings.Contains(string(data), fmt.Sprintf("%q", fmt.Sprint("t", n))) && !strings.Contains(string(data), `"begun"`)
				})
			}
			b.ReportMetric(float64(total.Milliseconds())/float64(b.N), "ms-to-first-message")
			p.kill()
		})
	}
}
