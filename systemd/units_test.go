package systemd_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// units reads every service unit, by name without suffix.
func units(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("libra-*.service")
	if err != nil || len(files) == 0 {
		t.Fatalf("no units: %v", err)
	}
	all := map[string]string{}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(f, ".service")] = string(data)
	}
	return all
}

// value returns the first value of a key in a unit; "" if the unit lacks the key.
func value(unit, key string) string {
	m := regexp.MustCompile(`(?m)^` + key + `=(.*)$`).FindStringSubmatch(unit)
	if m == nil {
		return ""
	}
	return m[1]
}

// folders are the directives by which systemd makes folders writable for a unit.
var folders = []struct{ directive, below string }{
	{"StateDirectory", "/var/lib/"},
	{"CacheDirectory", "/var/cache/"},
	{"LogsDirectory", "/var/log/"},
	{"ConfigurationDirectory", "/etc/"},
	{"RuntimeDirectory", "/run/"},
	{"ReadWritePaths", ""},
}

// writable lists what a unit can write, as the process table has it.
func writable(unit string) string {
	var all []string
	for _, f := range folders {
		for _, m := range regexp.MustCompile(`(?m)^`+f.directive+`=(.*)$`).FindAllStringSubmatch(unit, -1) {
			for _, name := range strings.Fields(m[1]) {
				all = append(all, f.below+name)
			}
		}
	}
	if len(all) == 0 {
		return "nothing"
	}
	return strings.Join(all, ", ")
}

// The process table in docs/architecture.md has a row for each unit, with the
// user it runs as and what it can write.
func TestProcessTableMatchesTheUnits(t *testing.T) {
	text, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	const header = "| unit | purpose | user | consumes | publishes | writes | exits when |"
	if !strings.Contains(string(text), "\n"+header+"\n") {
		t.Errorf("docs/architecture.md has no process table with the columns %s", header)
	}
	rows := map[string][]string{}
	for _, line := range strings.Split(string(text), "\n") {
		if f := strings.Split(line, "|"); strings.HasPrefix(line, "| `libra-") && len(f) == 9 {
			rows[strings.Trim(f[1], " `")] = f
		}
	}
	rules, err := os.ReadFile("libra-.service.d/10-common.conf")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(rules), "\nProtectSystem=strict\n") || writable(string(rules)) != "nothing" {
		t.Error("libra-.service.d/10-common.conf permits writes that the units do not list")
	}
	all := units(t)
	for name, unit := range all {
		row, ok := rows[name]
		if !ok {
			t.Errorf("docs/architecture.md has no row for %s", name)
			continue
		}
		user := value(unit, "User")
		if user == "" {
			user = "root"
		}
		if got := strings.Trim(row[3], " `"); got != user {
			t.Errorf("%s: the table says user %s, the unit %s", name, got, user)
		}
		writes := writable(unit)
		if got := strings.TrimSpace(strings.ReplaceAll(row[6], "`", "")); got != writes {
			t.Errorf("%s: the table says it writes %s, the unit %s", name, got, writes)
		}
	}
	for name := range rows {
		if _, ok := all[name]; !ok {
			t.Errorf("docs/architecture.md has a row for the unknown unit %s", name)
		}
	}
}

// Every unit waits for the keys and does not end with libra-keys.
func TestUnitsWaitForKeys(t *testing.T) {
	for name, unit := range units(t) {
		if value(unit, "Type") == "oneshot" {
			if key := value(unit, "LoadCredential"); key != "" {
				t.Errorf("%s is given %s", name, key)
			}
			continue
		}
		if !strings.Contains(unit, "\nWants=libra-keys.service\nAfter=libra-keys.service\n") || strings.Contains(unit, "Requires=libra-keys") {
			t.Errorf("%s does not want libra-keys before it, or ends with it", name)
		}
	}
}

// What every unit of a component has.
func TestUnitsHaveLimitsAndRestart(t *testing.T) {
	for name, unit := range units(t) {
		if value(unit, "Type") == "oneshot" {
			continue
		}
		for _, key := range []string{"OnFailure=libra-retry@%n.service", "StartLimitIntervalSec=30", "StartLimitBurst=20", "Type=notify", "Restart=always", "WatchdogSec=", "MemoryMax=", "Environment=GOMEMLIMIT=", "SetCredential=nkey:missing"} {
			if !strings.Contains(unit, "\n"+key) {
				t.Errorf("%s has no %s", name, key)
			}
		}
	}
}

// What each unit may reach over the network: systemd keeps a compromised one from the
// rest. Only those that fetch pages or call the services of others reach any address.
func TestUnitsReachWhatTheyNeed(t *testing.T) {
	const none, local, anywhere = "PrivateNetwork=yes\n", "IPAddressDeny=any\nIPAddressAllow=localhost\n", ""
	want := map[string]string{
		"libra-keys": none, "libra-retry@": none, "libra-started": none,
		"libra-bus": local, "libra-recorder": local, "libra-web": local, "libra-lab": local,
		"libra-inspector@": anywhere, "libra-watchdog": anywhere, "libra-notifier": anywhere,
	}
	for name, unit := range units(t) {
		limit, ok := want[name]
		if !ok {
			t.Errorf("add %s to this table", name)
		}
		if got := strings.Join(regexp.MustCompile(`(?m)^(PrivateNetwork|IPAddress\w+)=.*\n`).FindAllString(unit, -1), ""); got != limit {
			t.Errorf("%s has %q, want %q", name, got, limit)
		}
	}
}
