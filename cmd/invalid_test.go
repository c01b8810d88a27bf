package cmd_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"libra/configs"
	"libra/pkg/component"
)

// invalid has an invalid value for every setting that a component reads.
var invalid = map[string]string{
	"LIBRA_ALLOW":            "10.0.0.0/8,localhost",
	"LIBRA_BASE_URL":         "libra.example.org",
	"LIBRA_BUS_LISTEN":       "4222",
	"LIBRA_BUS_SPACE":        "1",
	"LIBRA_BUS_STORE":        "/no/such/folder",
	"LIBRA_CACHE":            "much",
	"LIBRA_DATABASE":         "/",
	"LIBRA_FAULTS":           "perhaps",
	"LIBRA_INSPECTORS":       "-1",
	"LIBRA_INSPECTOR_MEMORY": "1M",
	"LIBRA_LAB":              "perhaps",
	"LIBRA_LAB_SITE":         "192.0.2.1:8090",
	"LIBRA_LISTEN":           "8080",
	"LIBRA_LOG":              "loud",
	"LIBRA_NATS_URL":         "bus.example.org",
	"LIBRA_OTLP_ENDPOINT":    "collector:4318",
	"LIBRA_PAGE_TIMEOUT":     "soon",
	"LIBRA_PROFILE":          "tablet",
	"LIBRA_PRUNE_AT":         "80%",
	"LIBRA_RUNBOOK_URL":      ":::",
	"LIBRA_SERVER":           "localhost",
	"LIBRA_TRUSTED_PROXIES":  "127.0.0.1,proxy.example.org",
	"LIBRA_WORKERS":          "many",
}

// noInvalid are the settings of which every value is valid, or which only the
// command line reads.
var noInvalid = []string{"LIBRA_SITE", "LIBRA_CLIENT"}

// effectRow is a row of the table of invalid settings in docs/operations.md.
type effectRow struct {
	effect string
	ends   []string // components
}

func effectTable(t *testing.T) map[string]effectRow {
	t.Helper()
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]effectRow{}
	for _, m := range regexp.MustCompile("(?m)^\\| `(LIBRA_[A-Z_]+)` \\|([^|]*)\\|([^|]*)\\|").FindAllStringSubmatch(string(text), -1) {
		rows[m[1]] = effectRow{strings.Trim(m[2], "` "), strings.Fields(strings.NewReplacer("`", "", ",", "").Replace(m[3]))}
	}
	return rows
}

// checkOf runs a component's --check with every other setting valid.
func checkOf(t *testing.T, name string, env ...string) (c component.Check, code int) {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "public"), "")
	env = append([]string{"LIBRA_DATABASE=" + filepath.Join(dir, "libra.db"), "LIBRA_BUS_STORE=" + dir}, env...)
	args := []string{"--check", "--json"}
	if name == component.Bus {
		args = append(args, "--bus-keys", filepath.Join(dir, "public"))
	}
	out, code := run(t, env, name, args...)
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		t.Fatalf("%s %v: %v\n%s", name, env, err, out)
	}
	return c, code
}

// For every setting, docs/operations.md says what is in effect while it is
// invalid, and which components end with exit code 2; the others go on. Watchdog
// and notifier go on without any.
func TestInvalidSettings(t *testing.T) {
	t.Parallel()
	rows := effectTable(t)
	for _, s := range configs.Settings() {
		row, listed := rows[s.Env]
		if !listed {
			t.Errorf("docs/operations.md has no row for %s in the table of invalid settings", s.Env)
		}
		value, known := invalid[s.Env]
		if !known && !slices.Contains(noInvalid, s.Env) {
			t.Errorf("this test has no invalid value for %s", s.Env)
		}
		if !known {
			continue
		}
		read := false
		for _, name := range daemons {
			c, code := checkOf(t, name, s.Env+"="+value)
			if len(c.Faults) == 0 {
				continue
			}
			read = true
			ends := slices.Contains(row.ends, name)
			if ends && (name == component.Watchdog || name == component.Notifier) {
				t.Errorf("%s has to report faults, and ends itself for %s", name, s.Env)
			}
			for _, f := range c.Faults {
				if !strings.Contains(f.Text, s.Env) || !strings.Contains(f.Text, value) {
					t.Errorf("%s: fault %q names neither %s nor its value", name, f.Text, s.Env)
				}
				if !ends && (code != 0 || !f.Tolerable || f.InEffect != row.effect || f.Setting != s.Env) {
					t.Errorf("%s with %s=%s: exit code %d, %+v; docs/operations.md says that it goes on with %q", name, s.Env, value, code, f, row.effect)
				}
			}
			if ends && code != 2 {
				t.Errorf("%s with %s=%s: exit code %d, docs/operations.md says 2", name, s.Env, value, code)
			}
		}
		if !read {
			t.Errorf("no component finds that %s=%s is invalid", s.Env, value)
		}
		delete(rows, s.Env)
	}
	for _, name := range noInvalid {
		delete(rows, name)
	}
	for name := range rows {
		t.Errorf("docs/operations.md has a row for the unknown setting %s", name)
	}
}

// A name that is no setting, misspelled or not, keeps no component from starting.
func TestUnknownSettings(t *testing.T) {
	t.Parallel()
	for _, name := range daemons {
		for setting, remedy := range map[string]string{"LIBRA_WORKRES": "did you mean LIBRA_WORKERS?", "LIBRA_COLOUR": "libra.env lists them all"} {
			c, code := checkOf(t, name, setting+"=1")
			want := []component.CheckFault{{Text: "unknown setting " + setting + ": " + remedy, Tolerable: true, Setting: setting}}
			if code != 0 || len(c.Faults) != 1 || !strings.HasPrefix(c.Faults[0].Text, want[0].Text) || !c.Faults[0].Tolerable || c.Faults[0].Setting != setting {
				t.Errorf("%s with %s: exit code %d, %+v, want %+v", name, setting, code, c.Faults, want)
			}
		}
	}
}

// Watchdog and notifier start without a folder to write to, and without one valid
// setting.
func TestWatchdogAndNotifierNeedNoSetting(t *testing.T) {
	t.Parallel()
	var env []string
	for name, value := range invalid {
		env = append(env, name+"="+value)
	}
	alarms := filepath.Join(t.TempDir(), "alarms.toml")
	writeFile(t, alarms, "")
	for name, args := range map[string][]string{
		component.Watchdog: {"--heartbeat-url-file", alarms + "/not-a-folder"},
		component.Notifier: {"--credentials", "/no/such/prefix-"},
	} {
		args = append(args, "--check", "--alarms", alarms, "--state", "/no/such/folder", "--runtime", "/no/such/folder")
		out, code := run(t, env, name, args...)
		if code != 0 || !strings.Contains(out, "in effect: no folder: its state is in memory only") {
			t.Errorf("%s: exit code %d\n%s", name, code, out)
		}
	}
}
