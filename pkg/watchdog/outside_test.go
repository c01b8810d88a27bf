package watchdog_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"libra/pkg/watchdog"
)

func TestReadHeartbeatURL(t *testing.T) {
	file := filepath.Join(t.TempDir(), "heartbeat-url")
	if url, err := watchdog.ReadHeartbeatURL(file); url != "" || err != nil {
		t.Errorf("no file: %q, %v", url, err)
	}
	for _, c := range []struct {
		holds, want string
		fault       bool
	}{
		{"", "", false},
		{"off\n", "", false},
		{"https://hc.example/ping/sesame\n", "https://hc.example/ping/sesame", false},
		{"hc.example/ping/sesame", "", true},
		{"ftp://hc.example/sesame", "", true},
		{"https://hc.example/sesame\nhttps://hc.example/other", "", true},
		{"https://hc.example/%zz/sesame", "", true},
	} {
		if err := os.WriteFile(file, []byte(c.holds), 0o600); err != nil {
			t.Fatal(err)
		}
		url, err := watchdog.ReadHeartbeatURL(file)
		if url != c.want || (err != nil) != c.fault {
			t.Errorf("%q: %q, %v", c.holds, url, err)
		}
		if err != nil && (strings.Contains(err.Error(), "sesame") || !strings.Contains(err.Error(), file)) {
			t.Errorf("%q: the error shows it, or not where it is: %v", c.holds, err)
		}
	}
}
