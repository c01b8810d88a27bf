package cli

import (
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"libra/pkg/component"
)

// unitState is what this machine's systemd has of a unit.
type unitState struct {
	name, load, active, sub string
	reason                  string // why its last process could not go on; "" where it left none
}

// unitsHere lists this machine's units of Libra.
func unitsHere(ctx context.Context) (list []unitState, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	show := exec.CommandContext(ctx, "systemctl", "show", "--all", "--property=Id,LoadState,ActiveState,SubState,StatusText", "libra-*.service")
	show.WaitDelay = 100 * time.Millisecond
	out, err := show.CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("systemctl: %w: %s", err, strings.TrimSpace(string(out)))
	}
	for _, block := range strings.Split(string(out), "\n\n") {
		properties := map[string]string{}
		for _, line := range strings.Split(block, "\n") {
			name, value, _ := strings.Cut(line, "=")
			properties[name] = strings.TrimSpace(value)
		}
		u := unitState{name: properties["Id"], load: properties["LoadState"], active: properties["ActiveState"], sub: properties["SubState"]}
		if status := properties["StatusText"]; strings.HasPrefix(status, "cannot ") && u.active != "active" {
			u.reason = status
		}
		if u.name != "" && u.load != "not-found" {
			list = append(list, u)
		}
	}
	return list, nil
}

// seen is the unit's state in words.
func (u unitState) seen() string {
	text := u.name
	switch {
	case u.load == "masked":
		text += " is masked: it cannot be started"
	case u.load != "loaded":
		text += " cannot be loaded (" + u.load + ")"
	case u.active == "failed":
		text += " has failed"
	case u.active == "inactive":
		text += " does not run"
	case u.sub == "auto-restart":
		text += " has ended and is started again"
	default:
		text += fmt.Sprintf(" is %s (%s)", u.active, u.sub)
	}
	if u.reason != "" {
		text += ": " + u.reason
	}
	return text
}

func seeUnits(ctx context.Context) (list []finding) {
	if _, err := os.Stat("/run/systemd/system"); err != nil {
		return []finding{fine("units", "no systemd runs here; inside the appliance: scripts/appliance shell /opt/libra/bin/libra doctor")}
	}
	units, err := unitsHere(ctx)
	if err != nil {
		return []finding{fine("units", "%v", err).do("run it as root")}
	}
	return judgeUnits(units)
}

func judgeUnits(units []unitState) (list []finding) {
	well := 0
	var helpers []finding
	for _, u := range units {
		switch {
		case u.load == "masked" && isOptional(u.name): // on purpose
		case u.load == "masked":
			list = append(list, fine("units", "%s", u.seen()).do("systemctl unmask "+u.name+" && systemctl start "+u.name))
		case u.load != "loaded":
			list = append(list, fine("units", "%s", u.seen()).do("systemd-analyze verify "+u.name+" says why; after the correction: systemctl daemon-reload"))
		case isHelper(u.name) && u.active == "failed":
			helpers = append(helpers, fine("units", "%s", u.seen()).do("journalctl -u "+u.name+" says why; systemctl start libra.target"))
		case isHelper(u.name), u.active == "inactive" && isOptional(u.name):
		case u.active == "active":
			well++
		default:
			list = append(list, fine("units", "%s", u.seen()).do("journalctl -u "+u.name+" says more; systemctl start "+u.name))
		}
	}
	if len(list) == 0 { // else they are why a helper has failed
		list = helpers
	}
	if well == 0 {
		list = append(list, fine("units", "no unit runs").do("systemctl start libra.target"))
	}
	return append(list, fine("units", "%d are active", well))
}

// writeReasons adds why components do not run that the appliance knows nothing
// of, as with its bus down: this machine's systemd has that, where the appliance
// is this machine.
func (r *runner) writeReasons(ctx context.Context, server string, s *status) {
	if s.healthy() || !isLoopback(server) {
		return
	}
	units, err := unitsHere(ctx)
	if err != nil {
		return // no systemd, or no Libra, on this machine
	}
	for _, u := range units {
		name, instance, _ := strings.Cut(strings.TrimSuffix(u.name, ".service"), "@")
		isShown := slices.ContainsFunc(s.Components, func(c componentStatus) bool {
			return c.Component == name && (instance == "" || c.Instance == instance) && c.State == "down"
		})
		// An inactive one was stopped since, or is not wanted.
		if _, known := component.Find(name); known && u.reason != "" && u.active != "inactive" && !isShown {
			fmt.Fprintf(r.out, "\n%s %s\n", r.screen.paint(red, "cause:"), printable(u.seen()))
		}
	}
}

// isLoopback reports whether a server is on this machine.
func isLoopback(server string) bool {
	u, err := url.Parse(server)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}
