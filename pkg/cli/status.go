package cli

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/urfave/cli/v2"

	"libra/pkg/component"
	"libra/pkg/libra"
)

// status is what GET /api/status answers.
type status struct {
	Status       string        `json:"status"`
	UnknownSince time.Time     `json:"unknown_since"` // zero while everything is known
	Version      string        `json:"version"`
	Unknown      []unknownPart `json:"unknown"`
	Refused      []unknownPart `json:"refused"`
	Degraded     []struct {
		Part   string    `json:"part"`
		Reason string    `json:"reason"`
		Since  time.Time `json:"since"`
	} `json:"degraded"`
	Components []componentStatus `json:"components"`
	Counts     struct {
		Pages  int `json:"pages"`
		Open   int `json:"open_requests"`
		Alarms int `json:"open_alarms"`
	} `json:"counts"`
	AlarmsUnknownSince time.Time `json:"alarms_unknown_since"` // zero while the count is right
	HistorySince       time.Time `json:"history_since"`
}

type componentStatus struct {
	Component string `json:"component"`
	Instance  string `json:"instance"`
	Version   string `json:"version"`
	Up        bool   `json:"up"`
	State     string `json:"state"` // "" from an appliance that has only Up
	Status    string `json:"status"`
	PID       int    `json:"pid"`
	AgeMS     int64  `json:"age_ms"`
}

// unknownPart is something that the appliance does not know, or does not accept.
type unknownPart struct {
	What      string    `json:"what"`
	Since     time.Time `json:"since"`
	Component string    `json:"component"` // that one's state, which has a row of its own
}

// statusWell is Status while the appliance does its work.
const statusWell = "OK"

func (r *runner) statusCommand() *cli.Command {
	return &cli.Command{
		Name:  "status",
		Usage: "show the state of the appliance, component by component",
		Description: `   libra status
   libra status --json | jq .degraded
   libra status >/dev/null || echo "not healthy"

Exit codes: 0 healthy, 1 degraded, down or unknown, 2 no appliance.`,
		Flags:  applianceFlags(),
		Action: r.status,
	}
}

func (r *runner) status(c *cli.Context) error {
	if err := none(c); err != nil {
		return err
	}
	k, err := r.client(c)
	if err != nil {
		return err
	}
	var s status
	data, err := k.get(c.Context, "show the appliance's status", "/api/status", &s)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = r.copyJSON(data)
	} else {
		r.writeStatus(k.server, &s)
		r.writeSettings(c.Context, k, &s)
		r.writeReasons(c.Context, k.server, &s)
	}
	if err == nil && !s.healthy() {
		return errBad
	}
	return err
}

// settingsAlarm is the id of the alarm of invalid settings.
const settingsAlarm = "settings"

// writeSettings adds why components cannot start, or what is not in effect.
func (r *runner) writeSettings(ctx context.Context, k *client, s *status) {
	var list alarmList
	if s.Counts.Alarms == 0 {
		return
	}
	if _, err := k.get(ctx, "list alarms", "/api/alarms?state=raised", &list); err != nil {
		return // the status is what was asked for
	}
	for _, a := range list.Alarms {
		if a.ID == settingsAlarm && a.State == libra.Raised {
			fmt.Fprintf(r.out, "\n%s %s: %s\n", r.screen.paint(yellow, "settings:"), printable(a.Summary), printable(a.Evidence))
		}
	}
}

// healthy says whether everything is known to work. An appliance of an earlier
// version says OK although a component sends no heartbeat.
func (s *status) healthy() bool {
	for _, p := range s.Components {
		if !p.Up {
			return false
		}
	}
	return s.Status == statusWell && len(s.Degraded) == 0 && len(s.Unknown) == 0 && len(s.unseen()) == 0
}

// open is the number of open requests in words. Where the newest reports are
// unknown, so is which requests they have closed.
func (s *status) open() string {
	text := libra.Several(s.Counts.Open, "open request")
	if slices.ContainsFunc(s.Unknown, func(g unknownPart) bool { return g.What == libra.NewestReports }) {
		return "requests unknown (" + text + " known)"
	}
	return text
}

// alarms is the number of open alarms in words.
func (s *status) alarms() string {
	text := libra.Several(s.Counts.Alarms, "open alarm")
	if !s.AlarmsUnknownSince.IsZero() {
		return "alarms unknown (" + text + " known)"
	}
	return text
}

func (r *runner) writeStatus(server string, s *status) {
	colour := red
	switch {
	case s.healthy():
		colour = green
	case s.Status == statusWell, s.Status == "DEGRADED", s.Status == "UNKNOWN":
		colour = yellow
	}
	fmt.Fprintf(r.out, "%s at %s, version %s: %s, %s, %s\n", r.screen.paint(colour, printable(s.Status)+since(s.UnknownSince)), server, printable(s.Version),
		libra.Several(s.Counts.Pages, "page"), s.open(), s.alarms())
	if !s.HistorySince.IsZero() {
		fmt.Fprintf(r.out, "history since %s\n", moment(s.HistorySince))
	}
	for _, g := range s.Unknown {
		if g.Component != "" {
			continue
		}
		fmt.Fprintf(r.out, "%s %s (since %s)\n", r.screen.paint(yellow, "unknown:"), printable(g.What), moment(g.Since))
	}
	for _, g := range s.Refused {
		fmt.Fprintf(r.out, "%s %s (since %s)\n", r.screen.paint(red, "refused:"), printable(g.What), moment(g.Since))
	}
	for _, d := range s.Degraded {
		fmt.Fprintf(r.out, "%s %s (since %s)\n", r.screen.paint(yellow, "degraded:"), printable(d.Part+": "+d.Reason), moment(d.Since))
	}
	fmt.Fprintln(r.out)
	t := table{columns: []column{
		left("COMPONENT"), left("INSTANCE"), left("STATE"), right("SEEN").goes(3), right("PID").goes(1), left("VERSION").goes(2), left("STATUS").goes(4).goesBelow("").cutTo(32),
	}}
	for _, p := range s.Components {
		state := painted("healthy", green)
		switch {
		case p.State == "down":
			state = painted(p.State, red)
		case !p.Up:
			state = painted("unknown", yellow)
		}
		seen, pid := text(libra.FormatAge(time.Duration(p.AgeMS)*time.Millisecond)), count(p.PID)
		if p.PID == 0 {
			seen, pid = text("never"), text("")
		}
		t.add(text(p.Component), text(p.Instance), state, seen, pid, text(p.Version), text(p.Status))
	}
	for _, name := range s.unseen() {
		t.add(text(name), text(""), painted("unknown", yellow), text("never"), text(""), text(""), text("no heartbeat seen"))
	}
	t.write(r.out, r.screen)
}

// unseen lists the required components of which libra-web knows no heartbeat:
// none came since it started, or the last one is long ago.
func (s *status) unseen() (names []string) {
	seen := map[string]bool{}
	for _, p := range s.Components {
		seen[p.Component] = true
	}
	for _, c := range component.Required() {
		if !seen[c.Name] {
			names = append(names, c.Name)
		}
	}
	return names
}
