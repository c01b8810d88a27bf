// Package cmd_test runs the real programs as an operator would, without
// systemd: their settings, their faults, their exit codes.
package cmd_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"libra/configs"
	"libra/pkg/bus/bustest"
	"libra/pkg/component"
)

// daemons are the programs of all components.
var daemons = names()

func names() (list []string) {
	for _, c := range component.All() {
		list = append(list, c.Name)
	}
	return list
}

var bin string // where TestMain built them

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "libra-cmd-*")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		bin = dir
		args := []string{"build", "-ldflags=-s -w", "-o", dir} // as the Makefile: linking is most of this
		for _, d := range daemons {
			args = append(args, "./"+d)
		}
		if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
		return bustest.Main(m)
	}())
}

// run runs a program with nothing but the given environment.
func run(t *testing.T, env []string, name string, args ...string) (out string, code int) {
	t.Helper()
	cmd := exec.Command(filepath.Join(bin, name), args...)
	cmd.Env = env
	text, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

var flagLine = regexp.MustCompile(`(?m)^ +--[a-z-]+ .*?(?:\(default: (.*?)\) )?\[\$(LIBRA_[A-Z_]+)\]$`)

// libra.env lists every setting of every program, with its true default.
func TestEveryProgramsSettingsAreInTheFile(t *testing.T) {
	t.Parallel()
	defaults := map[string]string{}
	for _, s := range configs.Settings() {
		defaults[s.Env] = s.Default
	}
	used := map[string]bool{"LIBRA_CLIENT": true, "LIBRA_SERVER": true} // the command line's
	for _, d := range daemons {
		help, code := run(t, nil, d, "--help")
		if code != 0 {
			t.Errorf("%s --help exits with %d", d, code)
		}
		found := flagLine.FindAllStringSubmatch(help, -1)
		if len(found) < 2 {
			t.Errorf("%s --help shows %d settings:\n%s", d, len(found), help)
		}
		for _, m := range found {
			if want, ok := defaults[m[2]]; !ok {
				t.Errorf("%s reads %s, which is not in configs/libra.env", d, m[2])
			} else if m[1] != want {
				t.Errorf("%s takes %s=%q by default, configs/libra.env says %q", d, m[2], m[1], want)
			}
			used[m[2]] = true
		}
	}
	for name := range defaults {
		if !used[name] {
			t.Errorf("configs/libra.env has %s, which no program reads", name)
		}
	}
}

func TestFaultsAreNamedAllAtOnce(t *testing.T) {
	t.Parallel()
	env := []string{"LIBRA_WORKERS=0", "LIBRA_ALLOW=localhost", "LIBRA_WORKRES=9"}
	out, code := run(t, env, "libra-inspector", "--page-timeout", "soon", "--check")
	if code != 0 {
		t.Errorf("exit code %d, want 0: it can go on without any of them", code)
	}
	for _, want := range []string{
		`invalid LIBRA_WORKERS (or --workers) "0": must be a whole number from 1 to 1000`,
		`invalid LIBRA_ALLOW (or --allow) "localhost"`, "write it like 10.0.0.0/8",
		"unknown setting LIBRA_WORKRES: did you mean LIBRA_WORKERS?",
		`invalid LIBRA_PAGE_TIMEOUT (or --page-timeout) "soon": must be a time from 1s to 1h`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("not reported: %s\n%s", want, out)
		}
	}
}

// Whatever finds a fault, none waits for another to be mended first.
func TestNoFaultHidesAnother(t *testing.T) {
	t.Parallel()
	alarms := filepath.Join(t.TempDir(), "alarms.toml")
	writeFile(t, alarms, "colour = 1\n")
	for _, c := range []struct {
		name string
		env  []string
		args []string
		code int
		want []string
	}{
		{
			"libra-bus",
			[]string{"LIBRA_BUS_SPACE=0", "LIBRA_BUS_STORE=relative"},
			[]string{"--bus-keys", "/no/keys"},
			2,
			[]string{"invalid LIBRA_BUS_SPACE (or --bus-space) ", "invalid LIBRA_BUS_STORE ", "invalid --bus-keys "},
		},
		{
			"libra-notifier",
			[]string{"LIBRA_NATS_URL=http://foo", "LIBRA_RUNBOOK_URL=:::", "LIBRA_BASE_URL=foo"},
			[]string{"--alarms", alarms},
			2, // for a reload: a start has the rules from before, or the defaults
			[]string{"invalid LIBRA_NATS_URL (or --nats-url) ", "invalid LIBRA_RUNBOOK_URL (or --runbook-url) ", "invalid LIBRA_BASE_URL (or --base-url) ", "alarms.toml:1: unknown key colour"},
		},
		{
			"libra-watchdog",
			[]string{"LIBRA_NATS_URL=nats://a b", "LIBRA_SERVER=foo", "LIBRA_DATABASE=/tmp"},
			[]string{"--alarms", alarms},
			2, // as the notifier
			[]string{"invalid LIBRA_NATS_URL (or --nats-url) ", "invalid LIBRA_SERVER (or --server) ", "must be a file, not a folder", "alarms.toml:1: unknown key colour"},
		},
		{
			"libra-recorder",
			[]string{"LIBRA_DATABASE=/tmp", "LIBRA_PRUNE_AT=101"},
			nil,
			2,
			[]string{"must be a file, not a folder", "LIBRA_PRUNE_AT"},
		},
		{"libra-web", []string{"LIBRA_DATABASE=/tmp", "LIBRA_RUNBOOK_URL=:::"}, nil, 0, []string{"must be a file, not a folder", "LIBRA_RUNBOOK_URL"}},
		{
			"libra-inspector",
			[]string{"LIBRA_ALLOW=300.1.1.1/8,foo,10.0.0.0/8"},
			nil,
			0,
			[]string{`invalid IP prefix "300.1.1.1/8"`, `invalid IP prefix "foo"`},
		},
	} {
		out, code := run(t, c.env, c.name, append(c.args, "--check")...)
		if code != c.code {
			t.Errorf("%s: exit code %d, want %d", c.name, code, c.code)
		}
		for _, want := range c.want {
			if !strings.Contains(out, want) {
				t.Errorf("%s does not report: %s\n%s", c.name, want, out)
			}
		}
	}
}

func TestBadStarts(t *testing.T) {
	t.Parallel()
	busy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	for _, c := range []struct {
		name string
		env  []string
		args []string
		want string
	}{
		{"libra-web", []string{"LIBRA_LISTEN=" + busy.Addr().String()}, nil, "which another process has"},
		{"libra-web", []string{"LIBRA_LISTEN=8080"}, nil, "must be an address such as 127.0.0.1:8080"},
		{"libra-recorder", []string{"LIBRA_DATABASE=/no/such/folder/libra.db"}, nil, "create the folder"},
		{"libra-bus", []string{"LIBRA_BUS_STORE=/no/such/folder"}, nil, "create the folder"},
		{"libra-bus", []string{"LIBRA_BUS_LISTEN=4222"}, nil, "must be an address such as"},
		{"libra-bus", []string{"LIBRA_NATS_URL=bus"}, nil, "must be a URL such as"},
		{"libra-inspector", nil, []string{"--nosuchflag"}, "unknown flag --nosuchflag"},
		{"libra-inspector", nil, []string{"start"}, `argument \"start\" is not understood`},
		{"libra-inspector", nil, []string{"--nats-seed", "/no/such/file"}, "cannot read it"},
	} {
		out, code := run(t, c.env, c.name, c.args...)
		if code != 2 || !strings.Contains(out, c.want) {
			t.Errorf("%s %v %v: exit code %d, output:\n%s\nwant 2 and: %s", c.name, c.env, c.args, code, out, c.want)
		}
	}
}

func TestCheckOnly(t *testing.T) {
	t.Parallel()
	out, code := run(t, []string{"LIBRA_DATABASE=" + filepath.Join(t.TempDir(), "libra.db")}, "libra-recorder", "--check")
	if code != 0 || !strings.Contains(out, "the configuration is fine") {
		t.Errorf("exit code %d: %s", code, out)
	}
}
