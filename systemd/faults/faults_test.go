//go:build appliance

package faults_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"libra/systemd/harness"
	"libra/systemd/load"
)

// box is the appliance under test. Bus and history are on small file systems, so
// that they can be filled.
var box = harness.Harness{
	Name:       "faults",
	Settings:   []string{"LIBRA_FAULTS=yes", "LIBRA_PAGE_TIMEOUT=3s"},
	BeforeBoot: mount,
}

// disks are the state folders that can be filled, and their sizes.
var disks = map[string]string{"bus": "128m", "history": "64m"}

func TestMain(m *testing.M) {
	if load.Main(os.Stdin, os.Stdout) {
		return
	}
	flag.Parse()
	unmount(filepath.Join("..", "..", "build", "appliance", box.Name)) // left by a run that was killed
	code := harness.Run(m, &box)
	unmount(box.Home)
	table.print()
	os.Exit(code)
}

func mount(h *harness.Harness) error {
	for name, size := range disks {
		dir := h.State(name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
		if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0750,nr_inodes=4000,size="+size); err != nil {
			return fmt.Errorf("mount a file system of %s at %q: %w", size, dir, err)
		}
	}
	return nil
}

func unmount(home string) {
	for name := range disks {
		dir := filepath.Join(home, "state", name)
		err := syscall.Unmount(dir, syscall.MNT_DETACH)
		if err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, os.ErrNotExist) {
			fmt.Fprintf(os.Stderr, "unmount %q: %v\n", dir, err)
		}
	}
}

// table collects the outcomes of the rows.
var table outcomes

type outcomes struct{ rows []*outcome }

type outcome struct {
	fault     string
	meanwhile []string
	after     []string
	broken    []string
	board     string // how many notes were written
}

func (o *outcomes) print() {
	if len(o.rows) == 0 {
		return
	}
	fmt.Printf("\n%-9s %s\n", "promise", "fault")
	for _, r := range o.rows {
		verdict := "held"
		if len(r.broken) > 0 {
			verdict = "BROKEN"
		}
		fmt.Printf("%-9s %s\n", verdict, r.fault)
		r.list("meanwhile", r.meanwhile)
		r.list("after", append(r.after, r.board))
		r.list("BROKEN", r.broken)
	}
	fmt.Println()
}

func (o *outcome) list(what string, lines []string) {
	if len(lines) > 0 {
		fmt.Printf("%-9s   %-9s %s\n", "", what, strings.Join(lines, "; "))
	}
}

// row is one line of docs/survival.md.
type row struct {
	fault string
	short bool // one of TestFaultsShort
	run   func(*trial)
}

func TestFaults(t *testing.T) {
	for _, r := range rows() {
		t.Run(r.fault, func(t *testing.T) { runRow(t, r, false) })
	}
}

func TestFaultsShort(t *testing.T) {
	for _, r := range rows() {
		if r.short {
			t.Run(r.fault, func(t *testing.T) { runRow(t, r, true) })
		}
	}
}
