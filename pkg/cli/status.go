package cli

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"libra/pkg/component"
	"libra/pkg/libra"
)

// status is what GET /api/status answers.
type status struct {
	Status   string `json:"status"`
	Version  string `json:"version"`
	Degraded []struct {
		Part   string    `json:"part"`
		Reason string    `json:"reason"`
		Since  time.Time `json:"since"`
	} `json:"degraded"`
	Components []struct {
		Component string `json:"component"`
		Instance  string `json:"instance"`
		Version   string `json:"version"`
		Up        bool   `json:"up"`
		Status    string `json:"status"`
		PID       int    `json:"pid"`
		AgeMS     int64  `json:"age_ms"`
	} `json:"components"`
	Counts struct {
		Pages  int `json:"pages"`
		Open   int `json:"open_requests"`
		Alarms int `json:"open_alarms"`
	} `json:"counts"`
	HistorySince time.Time `json:"history_since"`
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

Exit codes: 0 healthy, 1 degraded, 2 no appliance.`,
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
	}
	if err == nil && (s.Status != statusWell || len(s.Degraded) > 0) {
		return errBad
	}
	return err
}

func (r *runner) writeStatus(server string, s *status) {
	colour := green
	if s.Status != statusWell {
		colour = red
	} else if len(s.Degraded) > 0 {
		colour = yellow
	}
	fmt.Fprintf(r.out, "%s at %s, version %s: %s, %s, %s\n", r.screen.paint(colour, printable(s.Status)), server, printable(s.Version),
		libra.Several(s.Counts.Pages, "page"), libra.Several(s.Counts.Open, "open request"), libra.Several(s.Counts.Alarms, "open alarm"))
	if !s.HistorySince.IsZero() {
		fmt.Fprintf(r.out, "history since %s\n", moment(s.HistorySince))
	}
	for _, d := range s.Degraded {
		since := " (since " + moment(d.Since) + ")"
		fmt.Fprintf(r.out, "%s %s%s\n", r.screen.paint(yellow, "degraded:"), printable(d.Part+": "+d.Reason), since)
	}
	if len(s.Components) == 0 {
		return
	}
	fmt.Fprintln(r.out)
	away := false // the bus, which carries all heartbeats
	for _, d := range s.Degraded {
		away = away || d.Part == "bus"
	}
	t := table{columns: []column{
		left("COMPONENT"), left("INSTANCE"), left("UP"), right("SEEN").goes(3), right("PID").goes(1), left("VERSION").goes(2), left("STATUS").goes(4).goesBelow("").cutTo(32),
	}}
	for _, p := range s.Components {
		up := painted("yes", green)
		switch {
		case !p.Up && away:
			up = painted("?", yellow)
		case !p.Up:
			up = painted("no", red)
		}
		seen := libra.FormatAge(time.Duration(p.AgeMS) * time.Millisecond)
		t.add(text(p.Component), text(p.Instance), up, text(seen), count(p.PID), text(p.Version), text(p.Status))
	}
	for _, name := range s.unseen() {
		t.add(text(name), text(""), painted("?", yellow), text(""), text(""), text(""), text("no heartbeat seen"))
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
