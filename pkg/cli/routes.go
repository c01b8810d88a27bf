package cli

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"libra/pkg/libra"
	"libra/pkg/rules"
)

// routedKind is a kind of alarm, by the anchor of its section in the runbook, with
// an example and the severities that it may have.
type routedKind struct {
	kind       string
	example    libra.Alarm
	severities []libra.Severity
}

// routedKinds are all kinds. Examples about pages have the target that is asked
// for.
func routedKinds(target string) (list []routedKind) {
	add := func(kind, id, target string, scope libra.Scope, severities ...libra.Severity) {
		list = append(list, routedKind{kind, libra.Alarm{ID: id, Target: target, Scope: scope}, severities})
	}
	rising := []libra.Severity{libra.Minor, libra.Major, libra.Critical}
	page := libra.PageID(target)
	add("page-down", "page.down."+page, target, libra.ScopePage, libra.Major)
	add("page-budget", "page.budget."+page, target, libra.ScopePage, libra.Minor)
	add("page-missed", "page.missed."+page, target, libra.ScopePage, libra.Minor)
	add("page-certificate", "page.certificate."+page, target, libra.ScopePage, rising...)
	add("quarantine", "quarantine."+page, target, libra.ScopePage, libra.Major)
	add("bus", "bus", "libra-bus", libra.ScopeComponent, libra.Critical)
	add("web", "web", "libra-web", libra.ScopeComponent, libra.Critical)
	add("sqlite", "sqlite", "SQLite", libra.ScopeComponent, libra.Major)
	add("behind", "behind", "libra-recorder", libra.ScopeComponent, libra.Major)
	add("lost", "lost", "libra-recorder", libra.ScopeComponent, libra.Major)
	add("history", "history", "history", libra.ScopeComponent, libra.Minor)
	add("upgrade", "upgrade", "libra upgrade", libra.ScopeComponent, libra.Major)
	add("disk", "disk", "/var/lib/libra", libra.ScopeHost, rising...)
	add("memory", "memory", "memory", libra.ScopeHost, rising...)
	add("queue", "queue", "libra-inspector", libra.ScopeComponent, rising...)
	add("beat-bus", "beat.bus", "libra-bus", libra.ScopeComponent, libra.Major)
	add("beat-web", "beat.web", "libra-web", libra.ScopeComponent, libra.Major)
	add("beat-inspector", "beat.inspector.1", "libra-inspector@1", libra.ScopeComponent, libra.Major)
	add("beat-recorder", "beat.recorder", "libra-recorder", libra.ScopeComponent, libra.Major)
	add("beat-notifier", "beat.notifier", "libra-notifier", libra.ScopeComponent, libra.Major)
	add("restarts", "restarts.inspector.1", "libra-inspector@1", libra.ScopeComponent, libra.Minor)
	add("channel", "channel.ops", "channel ops", libra.ScopeComponent, libra.Minor, libra.Major)
	add("alarms-file", "alarms-file", "alarms.toml", libra.ScopeComponent, libra.Minor)
	add("settings", "settings", "libra.env", libra.ScopeComponent, libra.Minor, libra.Major)
	return list
}

// route is where alarms of a kind go, at some severities.
type route struct {
	Kind       string           `json:"kind"`
	Severities []libra.Severity `json:"severities"`
	Channels   []string         `json:"channels"`
}

// routesOf says where every kind of alarm goes.
func routesOf(f rules.File, channels []string, target string) (list []route) {
	for _, k := range routedKinds(target) {
		first := len(list)
		for _, severity := range k.severities {
			k.example.Severity = severity
			to := []string{}
			for _, name := range channels {
				if f.RoutesTo(name, k.example) {
					to = append(to, name)
				}
			}
			if last := len(list) - 1; last >= first && slices.Equal(list[last].Channels, to) {
				list[last].Severities = append(list[last].Severities, severity)
			} else {
				list = append(list, route{k.kind, []libra.Severity{severity}, to})
			}
		}
	}
	return list
}

// routes prints where every kind of alarm goes, by the routes that are in force.
func (r *runner) routes(c *cli.Context) error {
	if err := none(c); err != nil {
		return err
	}
	k, err := r.client(c)
	if err != nil {
		return err
	}
	var known struct {
		Channels []string `json:"channels"`
		Routes   []struct {
			Scope    libra.Scope    `json:"scope"`
			Severity libra.Severity `json:"severity"`
			Alarm    string         `json:"alarm"`
			Target   string         `json:"target"`
			Channels []string       `json:"channels"`
		} `json:"routes"`
	}
	if _, err := k.get(c.Context, "show routes", "/api/channels", &known); err != nil {
		if f := (*fault)(nil); errors.As(err, &f) && f.status == http.StatusNotFound {
			return fail("cannot show routes: the appliance is of an earlier version").with("upgrade it, or use libra of its version")
		}
		return err
	}
	if known.Routes == nil {
		return fail("cannot show routes: libra-notifier is of an earlier version").with("systemctl restart libra-notifier")
	}
	f := rules.File{}
	targets := false
	for _, one := range known.Routes {
		f.Routes = append(f.Routes, rules.Route{Scope: one.Scope, Severity: one.Severity, Alarm: one.Alarm, Target: one.Target, Channels: one.Channels})
		targets = targets || one.Target != ""
	}
	list := routesOf(f, known.Channels, c.String("target"))
	if c.Bool("json") {
		return writeJSON(r.out, map[string]any{"routes": list})
	}
	r.writeRoutes(list, known.Channels)
	if targets && !c.IsSet("target") {
		fmt.Fprintf(r.out, "\nA route asks for a target: these are for %s; --target shows another page.\n", c.String("target"))
	}
	return nil
}

func (r *runner) writeRoutes(list []route, channels []string) {
	if slices.Equal(channels, []string{rules.Journal}) {
		fmt.Fprintln(r.out, r.screen.paint(red, "No channel is configured: nobody is notified of any alarm."))
		return
	}
	t := table{columns: []column{left("ALARM"), left("SEVERITY").cutTo(8), left("CHANNELS")}}
	for _, row := range list {
		var severities []string
		for _, s := range row.Severities {
			severities = append(severities, string(s))
		}
		to := text(strings.Join(row.Channels, ", "))
		if len(row.Channels) == 0 {
			to = painted("nobody", red)
		}
		t.add(text(row.Kind), text(strings.Join(severities, ", ")), to)
	}
	t.write(r.out, r.screen)
}
