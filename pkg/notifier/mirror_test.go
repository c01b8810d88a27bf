package notifier

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// A damaged copy of the notification log is set aside, and the other one is used.
func TestDamagedNotificationLogIsSetAside(t *testing.T) {
	cfg := Config{Runtime: t.TempDir(), State: t.TempDir()}
	memory, disk := filepath.Join(cfg.Runtime, "log.json"), filepath.Join(cfg.State, "log.json")
	for file, text := range map[string]string{memory: `{"serial":9,`, disk: `{"serial":7,"recent":["t1"]}`} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l := loadNotificationLog(slog.New(slog.NewTextHandler(t.Output(), nil)), cfg.mirror("log.json"))
	if !l.loaded || l.Serial != 7 || !l.seen.has("t1") {
		t.Errorf("loaded %v, serial %d; want the copy on the disk, serial 7", l.loaded, l.Serial)
	}
	if text, err := os.ReadFile(memory + ".damaged"); err != nil || string(text) != `{"serial":9,` {
		t.Errorf("set aside: %q, %v", text, err)
	}
	if _, err := os.Stat(memory); !os.IsNotExist(err) {
		t.Errorf("the damaged copy: %v, want it renamed", err)
	}
}
