package cli

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"libra/pkg/libra"
)

func (r *runner) ackCommand() *cli.Command {
	return &cli.Command{
		Name:      "ack",
		Usage:     "acknowledge an alarm: you are working on it",
		ArgsUsage: "ID",
		Description: `   libra alarms ack bus
   libra alarms ack bus --text "the disk is being replaced"

It ends the reminders of this alarm until it is raised again, and shows everybody
who works on it.

Exit codes: 0 acknowledged, 2 no such alarm, cleared already, or no appliance.`,
		Flags:  applianceFlags(&cli.StringFlag{Name: "text", Usage: "say in `WORDS` what you do about it"}),
		Action: r.ack,
	}
}

func (r *runner) ack(c *cli.Context) error {
	id, err := only(c, "alarm ID")
	if err != nil {
		return err
	}
	var a doneAnswer
	what := fmt.Sprintf("acknowledge alarm %q", id)
	printed, err := r.call(c, what, http.MethodPost, alarmPath(id)+"/acknowledge", map[string]string{"text": c.String("text")}, &a)
	if printed || err != nil {
		if f := (*fault)(nil); errors.As(err, &f) && f.status == http.StatusConflict {
			return f.with("libra alarms show %s lists what happened", id)
		}
		return noAlarm(what, err)
	}
	fmt.Fprintln(r.out, printable(withText(fmt.Sprintf("%s acknowledged by %s", id, a.By), a.Text)))
	return nil
}

// silenceAnswer is a silence as the appliance lists it.
type silenceAnswer struct {
	libra.Silence
	State string `json:"state"`
	Note  string `json:"note"` // that nothing known fits it
}

func (r *runner) silenceCommand() *cli.Command {
	return &cli.Command{
		Name:  "silence",
		Usage: "suppress the notifications of some alarms for a while",
		Description: `The alarms are raised, listed and recorded all the same. One that is still raised
when the silence ends is notified then. With --from in the future the silence is a
maintenance window. Every match that is given must fit; * stands for anything.

   libra alarms silence --alarm disk --for 2h --why "new disks"
   libra alarms silence --alarm 'beat.*' --from "2026-11-22 22:00" --for 1h --why "upgrade"
   libra alarms silence --target 'https://example.org/*' --severity minor --for 7d --why "relaunch"

Exit codes: 0 silenced, 2 bad input or no appliance.`,
		Flags: applianceFlags(
			&cli.StringFlag{Name: "alarm", Usage: "match alarms whose id fits `PATTERN`"},
			&cli.StringFlag{Name: "target", Usage: "match alarms whose target fits `PATTERN`, such as a page's URL"},
			&cli.StringFlag{Name: "scope", Usage: "match `SCOPE`: component, host or page"},
			&cli.StringFlag{Name: "severity", Usage: "match this `SEVERITY` and less severe ones"},
			&cli.StringFlag{Name: "for", Usage: "for `TIME`, such as 30m, 2h or 7d"},
			&cli.StringFlag{Name: "until", Usage: "until `TIME`, instead of --for"},
			&cli.StringFlag{Name: "from", Usage: "from `TIME` on: 22:00 or \"2026-11-22 22:00\" of this machine's clock, or RFC 3339 (default: now)"},
			&cli.StringFlag{Name: "why", Usage: "the reason, in `WORDS`"},
		),
		Action: r.silence,
	}
}

func (r *runner) silence(c *cli.Context) error {
	if err := none(c); err != nil {
		return err
	}
	match := map[string]string{}
	for _, name := range []string{"alarm", "target", "scope", "severity"} {
		if v := c.String(name); v != "" {
			match[name] = v
		}
	}
	if err := checkSilence(c, match); err != nil {
		return err
	}
	send := map[string]any{"match": match, "why": c.String("why")}
	for _, name := range []string{"from", "until"} {
		if v := c.String(name); v != "" {
			at, err := pointInTime(v, time.Now())
			if err != nil {
				return fail("invalid --%s %q: not a time", name, v).with("give one such as 22:00, \"2026-11-22 22:00\" or 2026-11-22T22:00:00Z")
			}
			send[name] = at.UTC().Format(time.RFC3339)
		}
	}
	if v := c.String("for"); v != "" {
		send["for"] = v
	}
	var s silenceAnswer
	printed, err := r.call(c, "silence alarms", http.MethodPost, "/api/silences", send, &s)
	if printed || err != nil {
		return err
	}
	span := "until " + moment(s.Until)
	if s.State == "planned" {
		span = "from " + moment(s.From) + " " + span
	}
	fmt.Fprintf(r.out, "%s silences %s %s\nend it with: libra alarms unsilence %s\n", printable(s.ID), printable(matchWords(s.Match)), span, printable(s.ID))
	if s.Note != "" {
		fmt.Fprintf(r.out, "%s %s\n", r.screen.paint(yellow, "note:"), printable(s.Note))
	}
	return nil
}

// checkSilence says in terms of flags what the appliance would refuse.
func checkSilence(c *cli.Context, match map[string]string) error {
	switch {
	case len(match) == 0:
		return fail("cannot silence alarms: a silence without a match would cover every alarm").
			with("give --alarm, --target, --scope or --severity; --alarm '*' is every one")
	case c.String("for") == "" && c.String("until") == "":
		return fail("cannot silence alarms: the silence has no end").with("give --for 2h, or --until 22:00")
	case c.String("for") != "" && c.String("until") != "":
		return fail("cannot silence alarms: the silence has two ends, --for %s and --until %q", c.String("for"), c.String("until")).with("give one of them")
	case c.String("why") == "":
		return fail("cannot silence alarms: the silence has no reason").with("give one with --why")
	}
	return nil
}

// pointInTime reads a time as people say it: RFC 3339, or a date and time or a
// time of day to come, of this machine.
func pointInTime(text string, now time.Time) (time.Time, error) {
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04"} {
		if t, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return t, nil
		}
	}
	t, err := time.ParseInLocation("15:04", text, now.Location())
	if err != nil {
		return t, err
	}
	t = time.Date(now.Year(), now.Month(), now.Day(), t.Hour(), t.Minute(), 0, 0, now.Location())
	if t.Before(now) {
		t = t.AddDate(0, 0, 1)
	}
	return t, nil
}

// matchWords says which alarms a silence is about.
func matchWords(m libra.Match) string {
	var parts []string
	for _, p := range []struct{ before, value string }{
		{"alarm ", m.Alarm}, {"scope ", string(m.Scope)}, {"target ", m.Target}, {"severity up to ", string(m.Severity)},
	} {
		if p.value != "" {
			parts = append(parts, p.before+p.value)
		}
	}
	return strings.Join(parts, ", ")
}

func (r *runner) silencesCommand() *cli.Command {
	return &cli.Command{
		Name:  "silences",
		Usage: "list the silences and maintenance windows, in force or to come",
		Description: `   libra alarms silences
   libra alarms silences --json | jq -r '.silences[].id'

Exit codes: 0 done, 1 some may be missing, 2 no appliance.`,
		Flags: applianceFlags(),
		Action: func(c *cli.Context) error {
			if err := none(c); err != nil {
				return err
			}
			var list struct {
				Silences []silenceAnswer `json:"silences"`
				freshness
			}
			printed, err := r.call(c, "list silences", http.MethodGet, "/api/silences", nil, &list)
			if err == nil && !printed {
				r.writeUnknown(&list.freshness)
				r.writeSilences(list.Silences, list.Stale)
			}
			return cmp.Or(err, list.unknown())
		},
	}
}

func (r *runner) writeSilences(list []silenceAnswer, stale bool) {
	if len(list) == 0 && stale {
		fmt.Fprintln(r.out, "no silence is known")
		return
	}
	if len(list) == 0 {
		fmt.Fprintln(r.out, "no silences: no alarm is silenced")
		return
	}
	t := table{columns: []column{
		left("ID").goesFirst().goesBelow("id"), left("STATE"), left("FROM").goes(4).goesBelow("from"), left("UNTIL"), left("BY").goes(2).goesBelow("by").cutTo(12),
		left("MATCH").cutTo(20), left("WHY").goes(3).goesBelow("").cutTo(20),
	}}
	for _, s := range list {
		t.add(text(s.ID), text(s.State), dateCell(s.From), dateCell(s.Until), text(s.By), text(matchWords(s.Match)), text(s.Why))
	}
	t.write(r.out, r.screen)
}

func (r *runner) unsilenceCommand() *cli.Command {
	return &cli.Command{
		Name:      "unsilence",
		Usage:     "end a silence, or cancel a maintenance window",
		ArgsUsage: "ID",
		Description: `   libra alarms silences                       lists the ids
   libra alarms unsilence 0d5t3xw8v6q2hnb4k7mz9cpy

Exit codes: 0 ended, 2 no such silence or no appliance.`,
		Flags: applianceFlags(),
		Action: func(c *cli.Context) error {
			id, err := only(c, "silence ID")
			if err != nil {
				return err
			}
			var s silenceAnswer
			printed, err := r.call(c, fmt.Sprintf("end silence %q", id), http.MethodDelete, "/api/silences/"+url.PathEscape(id), nil, &s)
			if f := (*fault)(nil); errors.As(err, &f) && f.status == http.StatusNotFound {
				return f.with("libra alarms silences lists them")
			}
			if printed || err != nil {
				return err
			}
			fmt.Fprintf(r.out, "%s has ended: %s\n", printable(s.ID), printable(matchWords(s.Match)))
			return nil
		},
	}
}

func (r *runner) testCommand() *cli.Command {
	return &cli.Command{
		Name:      "test",
		Usage:     "send a test message to a channel and print the provider's answer",
		ArgsUsage: "CHANNEL",
		Description: `Channels are those of /etc/libra/alarms.toml, as the running libra-notifier
knows them. --routes sends nothing: it shows which channels each kind of alarm goes
to, by the routes that are in force.

   libra alarms test ops
   libra alarms test --routes
   libra alarms test --routes --target https://shop.example.org/cart

Exit codes: 0 it arrived, 1 the provider refused it or does not answer, 2 no
such channel, no notifier or no appliance.`,
		Flags: applianceFlags(
			&cli.BoolFlag{Name: "routes", Usage: "show where each kind of alarm goes", DisableDefaultText: true},
			&cli.StringFlag{Name: "target", Value: "https://www.example.org/", Usage: "with --routes: for alarms about the page at `URL`"},
		),
		Action: r.test,
	}
}

func (r *runner) test(c *cli.Context) error {
	if c.Bool("routes") {
		return r.routes(c)
	}
	name, err := only(c, "CHANNEL")
	if err != nil {
		return err
	}
	var tried struct {
		Channel  string   `json:"channel"`
		OK       bool     `json:"ok"`
		Answer   string   `json:"answer"`
		TookMS   int64    `json:"took_ms"`
		Channels []string `json:"channels"`
	}
	printed, err := r.call(c, fmt.Sprintf("test channel %q", name), http.MethodPost, "/api/channels/"+url.PathEscape(name)+"/test", nil, &tried)
	if err != nil {
		return err
	}
	if !tried.OK && tried.Channels != nil {
		return fail("cannot test channel %q: no such channel", name).with("the channels are: %s", strings.Join(tried.Channels, ", "))
	}
	if !printed {
		took := time.Duration(tried.TookMS) * time.Millisecond
		writeTried(r.out, r.screen, name, tried.OK, tried.Answer, took)
	}
	if !tried.OK {
		return errBad
	}
	return nil
}
