package upgrade

import (
	"bytes"
	"context"
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
	"libra/pkg/release"
)

// unit is a service of a component.
type unit struct {
	name      string // "libra-inspector@1.service"
	component string // "libra-inspector"
	instance  string // "1" of a template; "" of others, whose heartbeats have any
}

// state is what systemd has of a unit.
type state struct {
	name, load, active, sub string
	pid, restarts, result   string
}

// wanted says whether it runs, or would if it could; a stopped one stays so.
func (s state) wanted() bool { return s.load == "loaded" && s.active != "inactive" }

// systemctl runs it and returns its standard output.
func systemctl(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "systemctl", args...)
	cmd.WaitDelay = time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("systemctl %s: %w: %s", strings.Join(args, " "), errors.Join(err, ctx.Err()), strings.Join(strings.Fields(errs.String()), " "))
	}
	return out.String(), nil
}

// show returns the states of units, which may be patterns.
func show(ctx context.Context, names ...string) (list []state, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := systemctl(ctx, append([]string{"show", "--all", "--property=Id,LoadState,ActiveState,SubState,MainPID,NRestarts,Result"}, names...)...)
	if err != nil {
		return nil, err
	}
	for block := range strings.SplitSeq(out, "\n\n") {
		p := map[string]string{}
		for line := range strings.Lines(block) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			p[name] = value
		}
		if p["Id"] != "" {
			list = append(list, state{p["Id"], p["LoadState"], p["ActiveState"], p["SubState"], p["MainPID"], p["NRestarts"], p["Result"]})
		}
	}
	return list, nil
}

// stateOf is that of one unit; the zero value where systemd does not answer.
func stateOf(ctx context.Context, name string) state {
	list, err := show(ctx, name)
	if err != nil || len(list) != 1 {
		return state{}
	}
	return list[0]
}

func active(ctx context.Context, name string) bool { return stateOf(ctx, name).active == "active" }

// running is the folder of the release whose program the unit runs; "" of none.
func running(ctx context.Context, name string) string {
	s := stateOf(ctx, name)
	exe, err := os.Readlink(filepath.Join("/proc", s.pid, "exe"))
	if s.pid == "0" || s.pid == "" || err != nil {
		return ""
	}
	return filepath.Dir(filepath.Dir(strings.TrimSuffix(exe, " (deleted)")))
}

// unitsHere lists the units that run, or would, in the order in which they are restarted.
func (u *upgrader) unitsHere(ctx context.Context) (list []unit, err error) {
	for _, c := range component.UpgradeOrder() {
		pattern := c.Name + ".service"
		if c.Instances > 0 {
			pattern = c.Name + "@*.service"
		}
		states, err := show(ctx, pattern)
		if err != nil {
			return nil, err
		}
		slices.SortFunc(states, func(a, b state) int { return strings.Compare(a.name, b.name) })
		for _, s := range states {
			if !s.wanted() {
				continue
			}
			_, instance, _ := strings.Cut(strings.TrimSuffix(s.name, ".service"), "@")
			list = append(list, unit{s.name, c.Name, instance})
		}
	}
	return list, nil
}

// unitsOfTarget lists those and what libra.target wants: a failed upgrade may have left a
// unit stopped.
func (u *upgrader) unitsOfTarget(ctx context.Context) ([]unit, error) {
	out, err := systemctl(ctx, "show", "--property=Wants", "--value", "libra.target")
	if err != nil {
		return nil, err
	}
	here, err := u.unitsHere(ctx)
	if err != nil {
		return nil, err
	}
	wants := strings.Fields(out)
	for _, c := range component.UpgradeOrder() {
		for _, name := range c.Units() {
			name += ".service"
			if !slices.Contains(wants, name) || slices.ContainsFunc(here, func(h unit) bool { return h.name == name }) {
				continue
			}
			_, instance, _ := strings.Cut(strings.TrimSuffix(name, ".service"), "@")
			here = append(here, unit{name, c.Name, instance})
		}
	}
	return here, nil
}

// allRun says whether every unit runs the release.
func (u *upgrader) allRun(ctx context.Context, version string) bool {
	return !slices.ContainsFunc(u.wanted, func(one unit) bool { return running(ctx, one.name) != u.Layout.Dir(version) })
}

// switchTo makes a release the current one in place of another, and installs its unit
// files.
func (u *upgrader) switchTo(ctx context.Context, version, other string) error {
	if err := u.Layout.SetCurrent(version); err != nil {
		return err
	}
	if err := u.installUnits(ctx, version, other); err != nil {
		return err
	}
	// Keys of components that the release before did not have.
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	_, err := systemctl(ctx, "restart", "libra-keys.service")
	return err
}

// installUnits installs the unit files of a release in place of those of another.
// libra-web.socket stays open: a restart of it would refuse connections.
func (u *upgrader) installUnits(ctx context.Context, version, other string) error {
	changed, err := release.InstallUnits(filepath.Join(u.Layout.Dir(version), "units"), filepath.Join(u.Layout.Dir(other), "units"), u.Units)
	if err != nil {
		return err
	}
	if slices.Contains(changed, "libra-web.socket") {
		u.Say("libra-web.socket has changed: systemctl restart libra-web.socket applies that, and refuses connections meanwhile")
	}
	sysusers := filepath.Join(u.Layout.Dir(version), "sysusers.conf")
	if data, err := os.ReadFile(sysusers); err == nil {
		old, _ := os.ReadFile(u.Sysusers) // nothing is different, too
		if !bytes.Equal(data, old) {
			if err := os.WriteFile(u.Sysusers, data, 0o644); err != nil {
				return err
			}
			if out, err := exec.CommandContext(ctx, "systemd-sysusers", u.Sysusers).CombinedOutput(); err != nil {
				return fmt.Errorf("systemd-sysusers: %w: %s", err, out)
			}
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// Always: an upgrade that was killed may have changed files and not reloaded them.
	_, err = systemctl(ctx, "daemon-reload")
	return err
}

// journal returns the last lines of a unit's processes since a time.
func journal(ctx context.Context, name string, since time.Time) []string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "journalctl", "--no-pager", "--output=cat", "--lines=12", fmt.Sprintf("--since=@%d", since.Unix()), "_SYSTEMD_UNIT="+name).Output()
	if err != nil {
		return []string{"journalctl: " + err.Error()}
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == '\n' })
}
