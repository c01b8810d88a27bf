package systemd_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
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

// The process table in docs/architecture.md is the units, row by row.
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
		writes := "nothing"
		if d := value(unit, "RuntimeDirectory"); d != "" {
			writes = "/run/" + d
		}
		if d := value(unit, "StateDirectory"); d != "" {
			writes = "/var/lib/" + d
		}
		if got := strings.Trim(row[6], " `"); got != writes {
			t.Errorf("%s: the table says it may write %s, the unit %s", name, got, writes)
		}
	}
	for name := range rows {
		if _, ok := all[name]; !ok {
			t.Errorf("docs/architecture.md has a row for %s, which is no unit", name)
		}
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
		for _, key := range []string{"OnFailure=libra-again@%n.service", "Type=notify", "Restart=always", "WatchdogSec=", "MemoryMax=", "Environment=GOMEMLIMIT=", "LoadCredential=nkey:"} {
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
