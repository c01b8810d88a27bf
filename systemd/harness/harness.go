// Package harness gives a suite its own appliance: Libra's real units under a real
// systemd, in a container beside any other, with free ports, empty stores and a
// stand-in for Slack that records what it gets.
//
//	func TestMain(m *testing.M) { os.Exit(harness.Run(m, &box)) }
//
// It needs root and the programs in build/bin (make build).
package harness

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"libra/pkg/component"
)

// Services are the units that libra.target starts.
var Services = services()

func services() (units []string) {
	for _, c := range component.Required() {
		units = append(units, c.Units()...)
	}
	return units
}

// Harness is an appliance under test.
type Harness struct {
	// Name is that of the appliance; each suite of this tree has its own.
	Name string
	// Settings are changes to configs/libra.env: "LIBRA_WORKERS=2". Pages of
	// the loopback may always be inspected.
	Settings []string
	// BeforeBoot may add files to Home before the first boot. May be nil.
	BeforeBoot func(*Harness) error

	Root    string // of the tree
	Home    string // build/appliance/NAME: etc/, state/
	Port    int
	BusPort int

	clients sync.Map // *http.Client by the name of a client
	URL     string   // of its web page
	Sink    *Sink

	mu     sync.Mutex
	leader string // under mu; the host's pid of its PID 1; "" until it is needed
}

// Run boots an appliance with empty stores, runs the suite and stops the
// appliance. It returns the suite's exit code.
func Run(m *testing.M, h *Harness) int {
	if err := h.prepare(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer h.Sink.Close()
	defer h.RunScript("down")
	if out, err := h.boot(); err != nil {
		fmt.Fprintf(os.Stderr, "boot: %v\n%s\n", err, out)
		return 1
	}
	return m.Run()
}

func (h *Harness) prepare() (err error) {
	if os.Getuid() != 0 {
		return errors.New("a suite that boots a container needs root")
	}
	if h.Root, err = root(); err != nil {
		return err
	}
	h.Home = filepath.Join(h.Root, "build", "appliance", h.Name)
	if h.Port, err = freePort(); err != nil {
		return err
	}
	if h.BusPort, err = freePort(); err != nil {
		return err
	}
	h.URL = fmt.Sprintf("http://127.0.0.1:%d", h.Port)
	h.Sink = newSink()
	return nil
}

// root returns the folder of go.mod.
func root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("go.mod not found in the working directory or above")
		}
		dir = filepath.Dir(dir)
	}
}

// boot starts a fresh appliance.
func (h *Harness) boot() (string, error) {
	if out, err := h.Down(); err != nil {
		return out, err
	}
	if err := os.RemoveAll(h.Home); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Join(h.Home, "etc"), 0o755); err != nil { // alarms.toml must be readable
		return "", err
	}
	credentials := filepath.Join(h.Home, "etc", "credentials")
	if err := os.MkdirAll(credentials, 0o700); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(credentials, "slack-webhook"), []byte(h.Sink.URL+"/services/T0/B0/secret\n"), 0o600); err != nil {
		return "", err
	}
	if h.BeforeBoot != nil {
		if err := h.BeforeBoot(h); err != nil {
			return "", err
		}
	}
	return h.Up()
}

// Up boots the appliance, or starts the stopped units in it.
func (h *Harness) Up() (string, error) {
	return h.RunScript(append([]string{"up"}, h.settings()...)...)
}

func (h *Harness) settings() []string {
	return append([]string{"LIBRA_ALLOW=127.0.0.0/8"}, h.Settings...)
}

// Down stops the appliance and keeps its state.
func (h *Harness) Down() (string, error) {
	h.mu.Lock()
	h.leader = ""
	h.mu.Unlock()
	return h.RunScript("down")
}

// PowerCut kills every process of the appliance at once, and boots it again.
func (h *Harness) PowerCut(t testing.TB) {
	t.Helper()
	leader, err := h.leaderPID()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(leader)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil { // the kernel kills the rest of the container
		t.Fatal(err)
	}
	h.powerOn(t)
}

// Reboot reboots the appliance by its systemd.
func (h *Harness) Reboot(t testing.TB) {
	t.Helper()
	h.Systemctl(t, "reboot", "--no-block")
	Await(t, "the appliance to shut down", 60*time.Second, func() bool {
		out, err := h.RunScript("leader")
		return err != nil || strings.TrimSpace(out) == ""
	})
	h.powerOn(t)
}

// powerOn boots the stopped appliance and waits until libra.target is active.
func (h *Harness) powerOn(t testing.TB) {
	t.Helper()
	if out, err := h.Down(); err != nil { // clears h.leader
		t.Fatalf("down: %v\n%s", err, out)
	}
	if out, err := h.RunScript(append([]string{"boot"}, h.settings()...)...); err != nil {
		t.Fatalf("boot: %v\n%s", err, out)
	}
	Await(t, "libra.target to start by itself", 30*time.Second, func() bool {
		out, err := h.Exec("systemctl", "is-active", "libra.target")
		return err == nil && strings.TrimSpace(out) == "active"
	})
}

// RunScript runs scripts/appliance.
func (h *Harness) RunScript(args ...string) (string, error) {
	cmd := exec.Command(filepath.Join(h.Root, "scripts", "appliance"), args...)
	cmd.Env = append(os.Environ(), "APPLIANCE_NAME="+h.Name, fmt.Sprint("APPLIANCE_PORT=", h.Port), fmt.Sprint("APPLIANCE_BUS_PORT=", h.BusPort))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Exec runs a command in the appliance, faster than scripts/appliance shell.
func (h *Harness) Exec(command ...string) (string, error) {
	leader, err := h.leaderPID()
	if err != nil {
		return "", err
	}
	args := append([]string{"--target", leader, "--mount", "--pid", "--uts", "--ipc", "--wd=/", "--"}, command...)
	out, err := exec.Command("nsenter", args...).CombinedOutput()
	return string(out), err
}

func (h *Harness) leaderPID() (string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.leader == "" {
		out, err := h.RunScript("leader")
		if err != nil {
			return "", fmt.Errorf("find the appliance %q: %w: %s", h.Name, err, out)
		}
		h.leader = strings.TrimSpace(out)
	}
	return h.leader, nil
}

// State returns the host's path of a file below the appliance's /var/lib/libra.
func (h *Harness) State(path ...string) string {
	return filepath.Join(append([]string{h.Home, "state"}, path...)...)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
