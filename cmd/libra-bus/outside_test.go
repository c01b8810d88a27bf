package main_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"libra/pkg/broker"
	"libra/pkg/bus"
	"libra/pkg/bus/bustest"
	"libra/pkg/event"
	"libra/pkg/libra"
)

// With another NATS server, libra-bus serves nothing itself: it creates Libra's
// streams there, and clients use them, with or without libra-bus.
func TestLibraBusCreatesStreamsOnAnotherServer(t *testing.T) {
	dir := t.TempDir()
	program := filepath.Join(dir, "libra-bus")
	if out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	keys, log := filepath.Join(dir, "keys"), slog.New(slog.NewTextHandler(t.Output(), nil))
	if err := broker.MakeKeys(keys); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(dir, "store")
	if err := os.Mkdir(store, 0o755); err != nil {
		t.Fatal(err)
	}
	server, err := broker.Start(t.Context(), broker.Config{Listen: "127.0.0.1:0", Store: store, Keys: filepath.Join(keys, "public"), Space: 64 << 20, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()

	occupied, err := net.Listen("tcp", "127.0.0.1:0") // libra-bus must not listen there
	if err != nil {
		t.Fatal(err)
	}
	defer occupied.Close()
	url := "nats://" + server.Addr()
	cmd := exec.Command(program, "--nats-seed", filepath.Join(keys, "bus.nk"))
	cmd.Env = append(os.Environ(), "LIBRA_NATS_URL="+url, "LIBRA_BUS_LISTEN="+occupied.Addr().String(), "LIBRA_BUS_SPACE=64M")
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()

	web, err := bus.Connect(bus.Config{URL: url, Seed: filepath.Join(keys, "web.nk"), Role: "web", Name: "test", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	defer web.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	page := func(n string) event.Request {
		url := "https://example.org/" + n
		return event.Request{ID: n, Page: libra.PageID(url), URL: url, Site: "home", Client: "alice"}
	}
	bustest.Await(t, "a request to be accepted", func() bool { return web.Submit(ctx, page("p1")) == nil })

	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("libra-bus ended with %v", err)
	}
	if err := web.Submit(ctx, page("p2")); err != nil {
		t.Errorf("without libra-bus: %v", err)
	}
	again := page("p1")
	again.ID = "another"
	if err := web.Submit(ctx, again); !errors.Is(err, libra.ErrOpen) {
		t.Errorf("the first request again: %v", err)
	}
}
