//go:build appliance

package faults_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"libra/pkg/component"
	"libra/systemd/harness"
)

// before is the commit of the version before this one. A release replaces it by its own.
const before = "3072e0e223f139e2cefdcaf1f5fa130840675bbe"

func skewRows() []row {
	return []row{{"one component of the version before, and all but one", false, skewed}}
}

// skewed runs each component alone as the version before, and all others, under load.
func skewed(s *trial) {
	bin := programsBefore(s)
	defer runBefore(s, bin, nil)
	var names []string
	for _, c := range component.UpgradeOrder() {
		names = append(names, c.Name)
	}
	for _, name := range names {
		runBefore(s, bin, []string{name})
		wantMixed(s, name+" before")
	}
	for _, name := range names {
		others := slices.DeleteFunc(slices.Clone(names), func(other string) bool { return other == name })
		runBefore(s, bin, others)
		wantMixed(s, "all but "+name+" before")
	}
	s.wantNothingLost(30 * time.Second)
}

// wantMixed wants three seconds of load to be served, by two versions.
func wantMixed(s *trial, what string) {
	took, healthy := harness.Within(40*time.Second, func() bool { return box.Healthy(s) })
	_, up := box.Get(s, "/up")
	s.check(healthy, "%s: not healthy after %s: %s", what, ms(took), strings.ReplaceAll(strings.TrimSpace(up), "\n", ", "))
	s.Logf("%s: healthy after %s", what, ms(took))
	s.mark() // what was refused while a bus or a web of the version before was restarted
	<-time.After(3 * time.Second)
	m := s.mark()
	s.check(m.AnsweredShare() == 1 && m.Lost == 0 && m.Reads > 0, "%s: %d of %d reads answered, %d without their report: %v", what, m.Answered, m.Reads, m.Lost, m.Errors)
	s.check(m.Accepted > 0 && m.Refused == 0 && m.Unknown == 0 && m.BadRefusals == 0, "%s: %d submissions accepted, %d refused, %d cut off: %v", what, m.Accepted, m.Refused, m.Unknown, m.Errors)
	s.check(len(versions(s)) == 2, "%s: components have %v, want two versions", what, versions(s))
	refused, err := refusedMessages(s)
	s.check(err == nil && refused == 0, "%s: %d messages of the bus were refused (%v)", what, refused, err)
}

// refusedMessages counts the messages that components have dropped since their start.
func refusedMessages(s *trial) (n int, err error) {
	code, body := box.Get(s, "/metrics")
	if code != 200 {
		return 0, fmt.Errorf("GET /metrics: %d", code)
	}
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "libra_component_messages_refused_total{") {
			var count float64
			if _, err := fmt.Sscan(line[strings.LastIndexByte(line, ' ')+1:], &count); err != nil {
				return 0, err
			}
			n += int(count)
		}
	}
	return n, nil
}

// programsBefore builds the version before and returns its programs' folder in the
// appliance. Where the history of this tree is not there, the row is skipped.
func programsBefore(s *trial) string {
	tree := filepath.Join(box.Home, "before")
	if err := errors.Join(os.RemoveAll(tree), os.MkdirAll(tree, 0o755)); err != nil {
		s.Fatal(err)
	}
	archive := exec.Command("sh", "-c", `git archive "$1" | tar -x -C "$2"`, "sh", before, tree)
	archive.Dir = box.Root
	if exec.Command("git", "-C", box.Root, "cat-file", "-e", before+"^{commit}").Run() != nil {
		s.row.after = append(s.row.after, "skipped")
		s.Skipf("the commit %s of the version before is not in this tree: git fetch --unshallow", before)
	}
	if out, err := archive.CombinedOutput(); err != nil {
		s.Fatalf("git archive: %v: %s", err, out)
	}
	build := exec.Command("make", "--silent", "build", "VERSION=0.0.9")
	build.Dir = tree
	if out, err := build.CombinedOutput(); err != nil {
		s.Fatalf("make build of the version before: %v: %s", err, out)
	}
	into := filepath.Join(box.Home, "opt", "before")
	if err := errors.Join(os.RemoveAll(into), os.Rename(filepath.Join(tree, "build", "bin"), into), os.RemoveAll(tree)); err != nil {
		s.Fatal(err)
	}
	return "/opt/libra/before"
}

// runBefore has these components run the programs in a folder, and all others their own. Only
// those that change are restarted.
func runBefore(s *trial, bin string, names []string) {
	s.Helper()
	var restart []string
	for _, c := range component.UpgradeOrder() {
		file := filepath.Join(box.Home, "units", c.UnitFile()+".d", "90-before.conf")
		_, err := os.Stat(file)
		is, want := err == nil, slices.Contains(names, c.Name)
		if is == want {
			continue
		}
		if want {
			err = override(c, bin, file)
		} else {
			err = os.Remove(file)
		}
		if err != nil {
			s.Fatal(err)
		}
		restart = append(restart, c.Units()...)
	}
	box.Systemctl(s, "daemon-reload")
	if len(restart) > 0 {
		box.Systemctl(s, append([]string{"restart"}, restart...)...)
	}
}

// override writes a drop-in by which a unit runs the program of a folder.
func override(c component.Component, bin, file string) error {
	unit, err := os.ReadFile(filepath.Join(box.Home, "units", c.UnitFile()))
	if err != nil {
		return err
	}
	const key = "\nExecStart=/opt/libra/bin/"
	_, rest, found := strings.Cut(string(unit), key)
	if !found {
		return fmt.Errorf("%s has no %s: %w", c.UnitFile(), strings.TrimSpace(key), fs.ErrNotExist)
	}
	line, _, _ := strings.Cut(rest, "\n")
	text := fmt.Sprintf("[Service]\nExecStart=\nExecStart=%s/%s\n", bin, line)
	return errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644))
}
