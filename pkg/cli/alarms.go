package cli

import (
	"fmt"
	"time"

	"github.com/urfave/cli/v2"

	"libra/pkg/libra"
)

// alarmList is what GET /api/alarms answers.
type alarmList struct {
	Alarms []struct {
		libra.Alarm
		At   time.Time `json:"at"`
		Host string    `json:"host"`
	} `json:"alarms"`
	Reasons []string `json:"reasons"`
}

func (r *runner) alarmsCommand() *cli.Command {
	return &cli.Command{
		Name:  "alarms",
		Usage: "list what is wrong, and with --all what was",
		Description: `   libra alarms
   libra alarms --all
   libra alarms --json | jq -r '.alarms[].summary'

Exit codes: 0 nothing is raised, 1 something is, 2 no appliance.`,
		Flags: applianceFlags(
			&cli.BoolFlag{Name: "all", Usage: "list alarms that have cleared too", DisableDefaultText: true},
		),
		Action: r.alarms,
	}
}

func (r *runner) alarms(c *cli.Context) error {
	if err := none(c); err != nil {
		return err
	}
	k, err := r.client(c)
	if err != nil {
		return err
	}
	path := "/api/alarms?state=raised"
	if c.Bool("all") {
		path = "/api/alarms"
	}
	var list alarmList
	data, err := k.get(c.Context, "list alarms", path, &list)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = r.copyJSON(data)
	} else {
		r.writeAlarms(&list)
	}
	for _, a := range list.Alarms {
		if err == nil && a.State == libra.Raised {
			return errBad
		}
	}
	return err
}

func (r *runner) writeAlarms(list *alarmList) {
	if len(list.Alarms) == 0 {
		fmt.Fprintln(r.out, "no alarms")
	} else {
		t := table{columns: []column{{"SEVERITY", false}, {"STATE", false}, {"SINCE", false}, {"LASTED", true}, {"ALARM", false}, {"TARGET", false}, {"SUMMARY", false}}}
		for _, a := range list.Alarms {
			colour, lasted := plain, "-"
			if a.State == libra.Raised {
				colour = severityColour(a.Severity)
			} else if !a.Until.IsZero() {
				lasted = lasting(a.Until.Sub(a.Since))
			}
			t.add(cell{string(a.Severity), colour}, text(string(a.State)), text(moment(a.Since)), text(lasted), text(a.ID), text(a.Target), text(a.Summary))
			if a.State == libra.Raised && a.Evidence != "" {
				t.note(a.Evidence)
			}
		}
		t.write(r.out, r.screen)
	}
	writeReasons(r.out, r.screen, "This list may lack the latest:", list.Reasons)
}

func severityColour(s libra.Severity) string {
	switch s {
	case libra.Critical, libra.Major:
		return red
	case libra.Minor, libra.Warning:
		return yellow
	}
	return plain
}
