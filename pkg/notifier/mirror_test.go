package notifier

import (
	"fmt"
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

// block makes a file impossible to write, for root, too: there is a folder in its
// place, which is not empty.
func block(t *testing.T, file string) {
	t.Helper()
	if err := os.Remove(file); err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(file, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
}

// While the memory cannot be written, the disk holds the newest state, although
// older data was still on the way there; the first write that succeeds ends that.
func TestMirrorWritesToTheDiskWhileTheMemoryIsFull(t *testing.T) {
	cfg := Config{Runtime: t.TempDir(), State: t.TempDir()}
	m := cfg.mirror("log.json")
	disk := func() string {
		t.Helper()
		data, err := os.ReadFile(m.disk)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for n := range 20 {
		if err := m.write([]byte(fmt.Sprint("memory ", n))); err != nil {
			t.Fatal(err)
		}
		block(t, m.memory)
		want := fmt.Sprint("disk ", n)
		if err := m.write([]byte(want)); err != nil {
			t.Fatal(err)
		}
		if m.flush(); disk() != want {
			t.Fatalf("the disk holds %q, want %q", disk(), want)
		}
		if err := os.RemoveAll(m.memory); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.write([]byte("memory again")); err != nil {
		t.Fatal(err)
	}
	if m.flush(); disk() != "memory again" {
		t.Errorf("the disk holds %q", disk())
	}
	block(t, m.memory)
	block(t, m.disk)
	if err := m.write([]byte("nowhere")); err == nil {
		t.Error("written, although neither file can be")
	}
	onlyMemory := Config{Runtime: cfg.Runtime}.mirror("log.json")
	if err := onlyMemory.write([]byte("nowhere")); err == nil {
		t.Error("written, although the only file cannot be")
	}
}
