package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"libra/pkg/component"
)

// unknownSchema is that of a program that does not name one: it refuses databases with more
// migrations than its own, 7.
var unknownSchema = component.Schema{Level: 7, Least: 7}

// examine checks whether the release can take the place of the current one. It changes
// nothing.
func (u *upgrader) examine(ctx context.Context, from, to string) (err error) {
	if u.wanted, err = u.unitsHere(ctx); err != nil {
		return err
	}
	if len(u.wanted) == 0 {
		return fmt.Errorf("%w: no unit of it runs: systemctl start libra.target", ErrUnhealthy)
	}
	if from == to && u.allRun(ctx, to) {
		return fmt.Errorf("%w: every unit runs %s", ErrRuns, to)
	}
	began := time.Now()
	if err := u.oneVersion(ctx, to); err != nil {
		return err
	}
	schema, faults := u.Check(ctx, u.bin(to))
	if len(faults) > 0 {
		return fmt.Errorf("%w: %s", ErrRefused, strings.Join(faults, "; "))
	}
	u.say(began, "its programs accept the settings in force")
	if err := u.wayBack(ctx, from, orUnknown(schema)); err != nil {
		return err
	}
	began = time.Now()
	if u.before, err = u.look(ctx); err != nil && !u.Force {
		return fmt.Errorf("%w: %w", ErrUnhealthy, err)
	}
	if len(u.before.troubles) > 0 && !u.Force {
		return fmt.Errorf("%w: %s", ErrUnhealthy, strings.Join(u.before.troubles, "; "))
	}
	if err := u.measure(ctx); err != nil {
		return err
	}
	u.say(began, "healthy before: %s", u.before)
	return nil
}

func orUnknown(s *component.Schema) component.Schema {
	if s == nil {
		return unknownSchema
	}
	return *s
}

// oneVersion wants every program of the release to be of its version: heartbeats have it. An
// optional component is not in every release.
func (u *upgrader) oneVersion(ctx context.Context, version string) error {
	for _, c := range component.Required() {
		program := filepath.Join(u.bin(version), c.Name)
		is, err := versionOf(ctx, program)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrRefused, err)
		}
		if is != version {
			return fmt.Errorf("%w: %s is of version %s, not %s", ErrRefused, program, is, version)
		}
	}
	return nil
}

// versionOf is the version that a program prints.
func versionOf(ctx context.Context, program string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "--version")
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	text := strings.TrimSpace(string(out))
	_, version, ok := strings.Cut(text, " version ")
	if err != nil || !ok {
		return "", fmt.Errorf("%s --version: %w: %.200s", program, errors.Join(err, ctx.Err()), text)
	}
	return version, nil
}

// wayBack says whether the current release can use the history after the new one has.
func (u *upgrader) wayBack(ctx context.Context, from string, to component.Schema) error {
	level, least, err := u.History(ctx)
	if err != nil {
		return fmt.Errorf("%w: the history cannot be read: %w", ErrRefused, err)
	}
	if level > to.Level && to.Level < least {
		return fmt.Errorf("%w: the history has level %d, which programs from level %d on can use, and this release has %d", ErrRefused, level, least, to.Level)
	}
	known, _ := u.Check(ctx, u.bin(from)) // its faults do not matter: it runs
	old := orUnknown(known)
	switch {
	case to.Level <= level:
		u.Say(fmt.Sprintf("the history stays as it is (level %d): %s can use it afterwards", level, from))
	case old.Level >= to.Least && known != nil:
		u.Say(fmt.Sprintf("the history gets from level %d to %d: %s can use it afterwards", level, to.Level, from))
	case u.OneWay:
		u.Say(fmt.Sprintf("no way back: the history gets from level %d to %d, which %s cannot use", level, to.Level, from))
	default:
		return fmt.Errorf("%w: the history gets from level %d to %d, which %s cannot use", ErrOneWay, level, to.Level, from)
	}
	return nil
}
