package daemon_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"libra/pkg/daemon"
)

// flagged runs a program of two settings and --check, and returns their values
// and what it printed.
func flagged(t *testing.T, args ...string) (code int, port, key, stdout, stderr string) {
	t.Helper()
	p := daemon.Program{
		Name: "libra-test", Usage: "is a test",
		Settings: []daemon.Setting{
			{Name: "bus-listen", Default: "1", Usage: "`port` of the bus", Into: daemon.Text(&port)},
			{Name: "nats-seed", FlagOnly: true, Usage: "`file` of the key", Into: daemon.Text(&key)},
		},
		Run: func(context.Context, *daemon.Process) error { return nil },
	}
	var out, errs bytes.Buffer
	code = p.Main(t.Context(), append([]string{p.Name}, args...), &out, &errs)
	return code, port, key, out.String(), errs.String()
}

// A flag wins over the environment, the environment over the default; a variable
// that is set to nothing is not set.
func TestWhereASettingComesFrom(t *testing.T) {
	t.Setenv("LIBRA_NATS_SEED", "ignored: the setting is a flag only") // also an unknown setting
	for _, c := range []struct{ env, flag, want string }{
		{"", "", "1"}, {"2", "", "2"}, {"2", "--bus-listen=3", "3"}, {"", "-bus-listen=3", "3"},
	} {
		t.Setenv("LIBRA_BUS_LISTEN", c.env)
		args := []string{"--check"}
		if c.flag != "" {
			args = append(args, c.flag)
		}
		if _, port, key, _, _ := flagged(t, args...); port != c.want || key != "" {
			t.Errorf("environment %q, flag %q: %q, want %q; a flag without a value is %q", c.env, c.flag, port, c.want, key)
		}
	}
}

// Steps are logged where LIBRA_LOG asks for them.
func TestLogLevel(t *testing.T) {
	for env, want := range map[string]bool{"": false, "info": false, "debug": true, "loud": false} {
		t.Setenv("LIBRA_LOG", env)
		for _, journal := range []string{"", "8:1"} {
			t.Setenv("JOURNAL_STREAM", journal)
			_, text := run(t.Context(), daemon.Program{Name: "libra-test", Run: func(_ context.Context, p *daemon.Process) error {
				p.Log.Debug("a step")
				p.Log.Info("the whole")
				return nil
			}})
			if got := strings.Contains(text, "a step"); got != want || !strings.Contains(text, "the whole") {
				t.Errorf("LIBRA_LOG=%s, JOURNAL_STREAM=%s: a step is logged: %v, want %v:\n%s", env, journal, got, want, text)
			}
			if named := strings.Contains(text, "invalid LIBRA_LOG"); named != (env == "loud") {
				t.Errorf("LIBRA_LOG=%s: an invalid value is named: %v", env, named)
			}
		}
	}
}

func TestHelp(t *testing.T) {
	for _, arg := range []string{"--help", "-h"} {
		code, _, _, help, _ := flagged(t, arg)
		for _, want := range []string{
			"libra-test - is a test", "--bus-listen port  port of the bus (default: 1) [$LIBRA_BUS_LISTEN]\n",
			"--nats-seed file   file of the key\n", "--check", "--json", "--version, -v", "Exit codes: 0 stopped",
		} {
			if code != 0 || !strings.Contains(help, want) {
				t.Errorf("%s exits with %d and lacks %q:\n%s", arg, code, want, help)
			}
		}
	}
	if code, _, _, version, _ := flagged(t, "--version"); code != 0 || version != "libra-test version "+daemon.Version+"\n" {
		t.Errorf("--version exits with %d: %q", code, version)
	}
}

// A mistake in the flags ends the start, and the message says which it is.
func TestMistakesInFlags(t *testing.T) {
	for args, want := range map[string]string{
		"--buss-listen=1":     "unknown flag --buss-listen: see libra-test --help",
		"--nats-seed":         "flag --nats-seed needs a value: see libra-test --help",
		"start":               `argument \"start\" is not understood: settings are flags, see libra-test --help`,
		"--check=yes":         "invalid boolean value",
		"--json":              "--json is the format of --check: give --check too, see libra-test --help",
		"start --version":     "is not understood",
		"--bus-listen 1 stop": `argument \"stop\" is not understood`,
	} {
		if code, _, _, _, stderr := flagged(t, strings.Fields(args)...); code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%s exits with %d, want 2 and %q:\n%s", args, code, want, stderr)
		}
	}
}
