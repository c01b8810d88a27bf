package cli

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"libra/pkg/libra"
)

// alarmList is what GET /api/alarms answers.
type alarmList struct {
	Alarms []alarmAnswer `json:"alarms"`
	More   int           `json:"more"` // how many are not listed
	freshness
}

// alarmAnswer is an alarm, and what was done about it since it was raised.
type alarmAnswer struct {
	libra.Alarm
	At           time.Time      `json:"at"`
	Host         string         `json:"host"`
	ExplainedBy  string         `json:"explained_by"`
	Acknowledged *doneAnswer    `json:"acknowledged"`
	Silenced     *libra.Silence `json:"silenced"`
	Actions      []doneAnswer   `json:"actions"`
}

type doneAnswer struct {
	At   time.Time `json:"at"`
	By   string    `json:"by"`
	Text string    `json:"text"`
}

func (r *runner) alarmsCommand() *cli.Command {
	return &cli.Command{
		Name:  "alarms",
		Usage: "list alarms, acknowledge and silence them",
		Description: `Without a command it lists the alarms that are raised, and with --all also those
that have cleared.

   libra alarms
   libra alarms --all
   libra alarms --json | jq -r '.alarms[].summary'
   libra alarms show bus
   libra alarms ack bus --text "on it"
   libra alarms silence --alarm 'beat.*' --for 2h --why "new inspectors"
   libra alarms test ops
   libra alarms test --routes

Exit codes: 0 no alarm is raised, 1 one is, or it is unknown, 2 no appliance.`,
		Flags: applianceFlags(
			&cli.BoolFlag{Name: "all", Usage: "list alarms that have cleared too", DisableDefaultText: true},
		),
		Action: r.alarms,
		Subcommands: []*cli.Command{
			r.alarmCommand(),
			r.historyCommand(),
			r.ackCommand(),
			r.silenceCommand(),
			r.silencesCommand(),
			r.unsilenceCommand(),
			r.testCommand(),
		},
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
	return cmp.Or(err, list.unknown())
}

func (r *runner) writeAlarms(list *alarmList) {
	r.writeUnknown(&list.freshness)
	if len(list.Alarms) == 0 && list.Stale {
		fmt.Fprintln(r.out, "no alarm is known: one may be raised")
	} else if len(list.Alarms) == 0 {
		fmt.Fprintln(r.out, "no alarms")
	} else {
		t := table{columns: []column{
			left("SEVERITY"), left("STATE"), left("SINCE"), right("LASTED").goes(3), left("ALARM").goesFirst().goesBelow("alarm"),
			left("TARGET").cutTo(20), left("SUMMARY").goes(2).goesBelow("").cutTo(30),
		}}
		for _, a := range list.Alarms {
			colour, lasted := plain, "-"
			if a.State == libra.Raised {
				colour = severityColour(a.Severity)
			} else if !a.Until.IsZero() {
				lasted = libra.FormatDuration(a.Until.Sub(a.Since))
			}
			t.add(painted(string(a.Severity), colour), text(string(a.State)), timeCell(a.Since), text(lasted), text(a.ID), text(a.Target), text(a.Summary))
			if a.State == libra.Raised {
				t.note(a.Evidence)
				for _, line := range a.doneLines() {
					t.remark(text("- " + line))
				}
			}
		}
		t.write(r.out, r.screen)
	}
	if list.More > 0 {
		fmt.Fprintf(r.out, "\nand %s\n", libra.Several(list.More, "more alarm"))
	}
}

// doneLines say what was done about an open alarm.
func (a *alarmAnswer) doneLines() (lines []string) {
	if d := a.Acknowledged; d != nil {
		lines = append(lines, withText(fmt.Sprintf("acknowledged by %s, %s", d.By, moment(d.At)), d.Text))
	}
	if s := a.Silenced; s != nil {
		lines = append(lines, fmt.Sprintf("silenced by %s until %s: %s", s.By, moment(s.Until), s.Why))
	}
	if a.ExplainedBy != "" {
		lines = append(lines, fmt.Sprintf("explained by alarm %s", a.ExplainedBy))
	}
	for _, d := range a.Actions {
		lines = append(lines, withText(fmt.Sprintf("%s, %s", d.By, moment(d.At)), d.Text))
	}
	return lines
}

func withText(what, words string) string {
	if words == "" {
		return what
	}
	return what + ": " + words
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

// history is what GET /api/history answers, and a part of GET
// /api/alarms/{id}.
type history struct {
	Timeline []struct {
		At       time.Time      `json:"at"`
		Kind     string         `json:"kind"`
		Alarm    string         `json:"alarm"`
		Target   string         `json:"target"`
		By       string         `json:"by"`
		Text     string         `json:"text"`
		Severity libra.Severity `json:"severity"`
		Silence  *libra.Silence `json:"silence"`
	} `json:"timeline"`
	Next string `json:"next"`
	freshness
}

func historyFlags() []cli.Flag {
	return applianceFlags(
		&cli.IntFlag{Name: "limit", Value: 20, Usage: "list at most `N` events"},
		&cli.StringFlag{Name: "after", Usage: "continue the list at `NEXT` of an earlier answer"},
	)
}

// portion is the query for a part of a list.
func portion(c *cli.Context) (string, error) {
	if c.Int("limit") < 1 {
		return "", fail("invalid --limit %d: must be 1 or more", c.Int("limit"))
	}
	query := url.Values{"limit": {strconv.Itoa(c.Int("limit"))}}
	if after := c.String("after"); after != "" {
		query.Set("after", after)
	}
	return "?" + query.Encode(), nil
}

func (r *runner) alarmCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "show one alarm and what happened to it",
		ArgsUsage: "ID",
		Description: `   libra alarms show bus
   libra alarms show --json bus | jq '.timeline[].kind'

Exit codes: 0 it has cleared, 1 it is raised, or that is unknown, 2 no such alarm
or no appliance.`,
		Flags:  historyFlags(),
		Action: r.alarm,
	}
}

func (r *runner) alarm(c *cli.Context) error {
	id, err := only(c, "alarm ID")
	if err != nil {
		return err
	}
	k, err := r.client(c)
	if err != nil {
		return err
	}
	query, err := portion(c)
	if err != nil {
		return err
	}
	var a struct {
		alarmAnswer
		history
		StateUnknownSince time.Time       `json:"state_unknown_since"` // zero while its state is known
		Silences          []silenceAnswer `json:"silences"`
	}
	data, err := k.get(c.Context, fmt.Sprintf("show alarm %q", id), alarmPath(id)+query, &a)
	if err != nil {
		return noAlarm(fmt.Sprintf("show alarm %q", id), err)
	}
	if c.Bool("json") {
		err = r.copyJSON(data)
	} else {
		if !a.StateUnknownSince.IsZero() {
			fmt.Fprintf(r.out, "%s whether it is raised: what follows is as of then\n\n", r.screen.paint(yellow, "unknown"+since(a.StateUnknownSince)))
		}
		r.writeAlarm(&a.alarmAnswer, a.Silences, k.server)
		fmt.Fprintln(r.out)
		r.writeHistory(&a.history, c, id)
	}
	if err == nil && (a.State == libra.Raised || !a.StateUnknownSince.IsZero()) {
		return errBad
	}
	return err
}

func alarmPath(id string) string { return "/api/alarms/" + url.PathEscape(id) }

// noAlarm gives the remedy where the appliance does not know an alarm.
func noAlarm(what string, err error) error {
	if f := (*fault)(nil); errors.As(err, &f) && f.status == http.StatusNotFound {
		return fail("cannot %s: the appliance knows no such alarm", what).with("libra alarms --all lists what it knows")
	}
	return err
}

func (r *runner) writeAlarm(a *alarmAnswer, silences []silenceAnswer, server string) {
	state := r.screen.paint(green, "cleared")
	if a.State == libra.Raised {
		state = r.screen.paint(severityColour(a.Severity), "raised, "+printable(string(a.Severity)))
	}
	if a.Flapping {
		state += ", flapping"
	}
	fmt.Fprintf(r.out, "%s (%s)\n", r.screen.paint(bold, printable(a.Summary)), state)
	line := func(what, value string) {
		if value != "" {
			fmt.Fprintf(r.out, "%-9s %s\n", what, printable(value))
		}
	}
	line("evidence", a.Evidence)
	line("target", a.Target)
	line("since", moment(a.Since))
	if a.State != libra.Raised {
		line("lasted", libra.FormatDuration(a.Until.Sub(a.Since)))
	}
	line("host", a.Host)
	if a.Runbook != "" {
		line("runbook", server+"/runbook"+a.Runbook)
	}
	for _, done := range a.doneLines() {
		fmt.Fprintf(r.out, "- %s\n", printable(done))
	}
	for _, s := range silences {
		if s.State == "planned" {
			fmt.Fprintf(r.out, "- %s\n", printable(fmt.Sprintf("to be silenced from %s until %s by %s: %s", moment(s.From), moment(s.Until), s.By, s.Why)))
		}
	}
}

func (r *runner) historyCommand() *cli.Command {
	return &cli.Command{
		Name:  "history",
		Usage: "list what happened, newest first",
		Description: `   libra alarms history
   libra alarms history --limit 100 --json

What --json prints under "next" goes to --after for what was before. Exit codes:
0 done, 1 events of the last moments may be missing, 2 no appliance.`,
		Flags: historyFlags(),
		Action: func(c *cli.Context) error {
			if err := none(c); err != nil {
				return err
			}
			query, err := portion(c)
			if err != nil {
				return err
			}
			var h history
			printed, err := r.call(c, "list what happened", http.MethodGet, "/api/history"+query, nil, &h)
			if err == nil && !printed {
				r.writeHistory(&h, c, "")
			}
			return cmp.Or(err, h.unknown())
		},
	}
}

// writeHistory prints a part of a timeline: of one alarm, or of all where
// alarm is "".
func (r *runner) writeHistory(h *history, c *cli.Context, alarm string) {
	r.writeUnknown(&h.freshness)
	if len(h.Timeline) == 0 && h.Stale {
		fmt.Fprintln(r.out, "no event is known")
	} else if len(h.Timeline) == 0 {
		fmt.Fprintln(r.out, "no events")
	} else {
		columns := []column{
			left("TIME"), left("WHAT"), left("ALARM").cutTo(16), left("TARGET").goes(1).goesBelow("").cutTo(20), left("BY").goes(2).goesBelow("by").cutTo(12),
			left("TEXT").goes(3).goesBelow("").cutTo(24),
		}
		of := 3 // the target, which of one alarm is always the same
		if alarm != "" {
			columns = slices.Delete(columns, of, of+1)
		}
		t := table{columns: columns}
		for _, e := range h.Timeline {
			what, colour, about := e.Kind, plain, e.Alarm
			switch {
			case e.Kind == string(libra.Raised):
				what, colour = what+" "+string(e.Severity), severityColour(e.Severity)
			case e.Kind == string(libra.Cleared):
				colour = green
			case e.Silence != nil:
				about = matchWords(e.Silence.Match)
				if !e.Silence.Until.After(e.At) {
					what = "unsilenced"
				}
			}
			cells := []cell{dateCell(e.At), painted(what, colour), text(orDash(about)), text(orDash(e.Target)), text(orDash(e.By)), text(e.Text)}
			if alarm != "" {
				cells = slices.Delete(cells, of, of+1)
			}
			t.add(cells...)
		}
		t.write(r.out, r.screen)
	}
	if h.Next != "" {
		fmt.Fprintf(r.out, "\nmore: libra %s --after %s\n", strings.TrimSpace(commandName(c)+" "+printable(alarm)), printable(h.Next))
	}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// writeTried prints what came of a trial message.
func writeTried(w io.Writer, s screen, channel string, ok bool, answer string, took time.Duration) {
	word := s.paint(green, "sent")
	if !ok {
		word = s.paint(red, "not sent")
	}
	fmt.Fprintf(w, "%s: %s in %s: %s\n", printable(channel), word, libra.FormatDuration(took), printable(answer))
}
