//go:build appliance

package systemd_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Every command of docs/stack.md runs on the host of an appliance, and writes something.
func TestStack(t *testing.T) {
	box.EnsureHealthy(t)
	text, err := os.ReadFile(filepath.Join("..", "docs", "stack.md"))
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| ([^|]+) \\|.*\\| `(.+)` \\|$").FindAllStringSubmatch(string(text), -1)
	if len(rows) < 15 {
		t.Fatalf("docs/stack.md has %d rows with a command", len(rows))
	}
	for _, row := range rows {
		command := strings.ReplaceAll(strings.ReplaceAll(row[2], `\|`, "|"), "http://127.0.0.1:8080", box.URL)
		t.Run(row[1], func(t *testing.T) {
			out, err := box.Exec("sh", "-c", "set -e; export LIBRA_SERVER="+box.URL+" PATH=/opt/libra/bin:/usr/bin:/bin:/usr/sbin; "+command)
			if err != nil || strings.TrimSpace(out) == "" {
				t.Errorf("%s: %v\n%s", command, err, out)
			}
		})
	}
}
