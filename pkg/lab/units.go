package lab

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"libra/pkg/component"
	"libra/pkg/labapi"
)

// units acts on units of Libra by systemctl, and on no process by its name.
type units struct{ program string }

// callFor bounds one call of systemctl.
const callFor = 10 * time.Second

// unitNames are those that an action may be about: of the required components, with as many
// inspectors as the dial allows.
func unitNames() (names []string) {
	for _, c := range component.Required() {
		if c.Instances == 0 {
			names = append(names, c.Name)
			continue
		}
		for k := range MostInspectors {
			names = append(names, inspectorUnit(k+1))
		}
	}
	return names
}

func inspectorUnit(k int) string { return component.Inspector + "@" + strconv.Itoa(k) }

// checkUnit refuses a name that is no unit of Libra.
func checkUnit(name string) error {
	if slices.Contains(unitNames(), name) {
		return nil
	}
	return &labapi.Refusal{Status: 400, Text: fmt.Sprintf("invalid unit %.60q", name), Remedy: "must be one of " + strings.Join(unitNames(), ", ")}
}

// do runs a verb of systemctl on units.
func (u units) do(ctx context.Context, verb string, args ...string) error {
	_, err := u.run(ctx, append([]string{verb}, args...)...)
	return err
}

// signal sends a signal to the main process of each unit that has one.
func (u units) signal(ctx context.Context, signal string, names ...string) error {
	for _, name := range names {
		if pid, err := u.pid(ctx, name); err != nil {
			return err
		} else if pid == 0 {
			continue
		}
		if err := u.do(ctx, "kill", "--kill-whom=main", "--signal="+signal, name); err != nil {
			return err
		}
	}
	return nil
}

// pid is that of a unit's main process; 0 while it has none.
func (u units) pid(ctx context.Context, name string) (int, error) {
	out, err := u.run(ctx, "show", "--property=MainPID", "--value", name)
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(out))
	if err != nil {
		return 0, fmt.Errorf("read MainPID of %s: %w", name, err)
	}
	return pid, nil
}

// ready reports whether a unit is active, with another process than pid.
func (u units) ready(ctx context.Context, name string, pid int) bool {
	out, err := u.run(ctx, "show", "--property=MainPID,ActiveState", name)
	return err == nil && strings.Contains(out, "ActiveState=active\n") && !strings.Contains(out, fmt.Sprintf("MainPID=%d\n", pid))
}

func (u units) run(ctx context.Context, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, callFor)
	defer cancel()
	cmd := exec.CommandContext(ctx, u.program, args...)
	cmd.WaitDelay = 100 * time.Millisecond
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("systemctl %s: %w: %.200s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return string(out), nil
}
