package systemd_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"libra/pkg/broker"
)

// units reads every service, by name without suffix.
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

func value(unit, key string) string {
	m := regexp.MustCompile(`(?m)^` + key + `=(.*)$`).FindStringSubmatch(unit)
	if m == nil {
		return ""
	}
	return m[1]
}

// folders are those that systemd makes writable for a unit, by directive.
var folders = []struct{ directive, below string }{
	{"StateDirectory", "/var/lib/"},
	{"CacheDirectory", "/var/cache/"},
	{"LogsDirectory", "/var/log/"},
	{"ConfigurationDirectory", "/etc/"},
	{"RuntimeDirectory", "/run/"},
	{"ReadWritePaths", ""},
}

// writable lists what a unit may write, as the process table has it.
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
// user it runs as and what it may write.
func TestProcessTable(t *testing.T) {
	text, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
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
		t.Error("libra-.service.d/10-common.conf lets units write where their own files do not say so")
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
			t.Errorf("%s: the table says it may write %s, the unit %s", name, got, writes)
		}
	}
	for name := range rows {
		if _, ok := all[name]; !ok {
			t.Errorf("docs/architecture.md has a row for %s, which is no unit", name)
		}
	}
}

// Each key of the bus is handed to one unit, by the name of its part; a unit
// waits for libra-keys and does not end with it.
func TestKeysOfUnits(t *testing.T) {
	var keys []string
	for name, unit := range units(t) {
		key := value(unit, "LoadCredential")
		if value(unit, "Type") == "oneshot" {
			if key != "" {
				t.Errorf("%s is handed %s", name, key)
			}
			continue
		}
		role := strings.TrimSuffix(strings.TrimPrefix(name, "libra-"), "@")
		keys = append(keys, role)
		if want := "nkey:/var/lib/libra/keys/" + role + ".nk"; key != want {
			t.Errorf("%s is handed %s, want %s", name, key, want)
		}
		if !strings.Contains(unit, "\nWants=libra-keys.service\nAfter=libra-keys.service\n") || strings.Contains(unit, "Requires=libra-keys") {
			t.Errorf("%s does not want libra-keys before it, or ends with it", name)
		}
	}
	slices.Sort(keys)
	if diff := cmp.Diff(broker.Roles(), keys); diff != "" {
		t.Errorf("roles of pkg/broker that no unit has, and units without one (-roles +units):\n%s", diff)
	}
}

// What every part of the appliance must carry.
func TestUnits(t *testing.T) {
	target, err := os.ReadFile("libra.target")
	if err != nil {
		t.Fatal(err)
	}
	users, err := os.ReadFile("sysusers.conf")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for name, unit := range units(t) {
		if value(unit, "Type") == "oneshot" {
			continue
		}
		for _, key := range []string{"OnFailure=libra-retry@%n.service", "Type=notify", "Restart=always", "WatchdogSec=", "MemoryMax=", "Environment=GOMEMLIMIT=", "SetCredential=nkey:missing"} {
			if !strings.Contains(unit, "\n"+key) {
				t.Errorf("%s has no %s", name, key)
			}
		}
		if !strings.Contains(string(target), name) {
			t.Errorf("libra.target does not start %s", name)
		}
		user := value(unit, "User")
		if !strings.Contains(string(users), "\nu "+user+" ") {
			t.Errorf("%s runs as %s, which sysusers.conf does not make", name, user)
		}
		if other := seen[user]; other != "" {
			t.Errorf("%s and %s share the user %s", name, other, user)
		}
		seen[user] = name
	}
}
