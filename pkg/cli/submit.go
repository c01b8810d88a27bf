package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"libra/pkg/inspect/budget"
	"libra/pkg/libra"
	"libra/pkg/weburl"
)

func (r *runner) submitCommand() *cli.Command {
	return &cli.Command{
		Name:      "submit",
		Usage:     "have the appliance inspect a page, once or every so often",
		ArgsUsage: "URL",
		Description: `Prints the page's id as soon as the request is stored on disk. With --wait it
waits for the report and prints it.

   libra submit https://example.org/
   libra submit --wait https://example.org/
   libra submit --wait --json https://example.org/ | jq .report.totals

With --every the page is watched: inspected at that interval, with an alarm when
it is down or over its budget. Another submit --every changes the watch.

   libra submit --every 30s https://example.org/
   libra submit --every 1h --budget budget.json https://example.org/
   libra submit --every off https://example.org/

Exit codes: 0 accepted (with --wait: reported), 1 with --wait: the page is an
error (no answer or an unreadable one, endless redirects, a status other than
2xx), 2 refused, or no appliance.`,
		Flags: applianceFlags(
			&cli.StringFlag{Name: "every", Usage: "watch the page: inspect it every `TIME`, from 1s to 24h; off ends the watch"},
			&cli.PathFlag{Name: "budget", TakesFile: true, Usage: "with --every: check it against the LightWallet budgets in `FILE` (- reads standard input)"},
			&cli.BoolFlag{Name: "wait", Usage: "wait for the report and print it", DisableDefaultText: true},
			&cli.DurationFlag{Name: "timeout", Value: 5 * time.Minute, Usage: "with --wait: give up waiting after `TIME`"},
		),
		Action: r.submit,
	}
}

// accepted is what POST /api/pages answers.
type accepted struct {
	ID    string          `json:"id"`
	URL   string          `json:"url"`
	State libra.PageState `json:"state"`
	Every string          `json:"every"` // the interval of the watch
	Note  string          `json:"note"`
}

// off is what --every says to end a watch.
const off = "off"

func (r *runner) submit(c *cli.Context) error {
	given, err := only(c, "URL")
	if err != nil {
		return err
	}
	u, _, err := weburl.ParseTyped(given)
	if err != nil {
		return failURL(err)
	}
	if c.Duration("timeout") <= 0 {
		return fail("invalid --timeout %s: must be more than 0, such as 30s or 2m", c.Duration("timeout"))
	}
	send, err := r.submission(c, given)
	if err != nil {
		return err
	}
	k, err := r.client(c)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("submit %q", given)
	var before time.Time
	if c.Bool("wait") {
		if before, err = k.lastAnswer(c.Context, what, k.earlier(c.Context, given, libra.PageID(u.String()))); err != nil {
			return err
		}
	}
	var a accepted
	data, err := k.do(c.Context, what, http.MethodPost, "/api/pages", send, &a)
	if err != nil {
		return err
	}
	if c.Bool("wait") {
		return r.await(c, k, a, before)
	}
	if c.Bool("json") {
		return r.copyJSON(data)
	}
	r.writeAccepted(k, a, c.String("every") == off)
	return nil
}

// submission is what POST /api/pages is sent.
func (r *runner) submission(c *cli.Context, given string) (map[string]any, error) {
	send := map[string]any{"url": given}
	every, file := c.String("every"), c.Path("budget")
	if every != "" {
		send["every"] = every
	}
	switch {
	case every == "" && c.IsSet("every"): // an empty variable of a script
		return nil, fail(`invalid --every "": must be a duration from 1s to 24h, or "off"`)
	case every == off && c.Bool("wait"):
		return nil, fail("cannot use --wait: no report follows --every off").with("leave one of them out")
	case c.IsSet("timeout") && !c.Bool("wait"):
		return nil, fail("cannot use --timeout without --wait").with("give --wait too")
	case file == "":
		return send, nil
	case every == "" || every == off:
		return nil, fail("cannot use --budget without --every: it is for a watch").with("give --every 30s too; libra inspect --budget checks a page once")
	}
	data, err := r.readFile("budget file", file)
	if err != nil {
		return nil, err
	}
	name := file
	if file == "-" {
		name = "standard input"
	}
	if _, err := budget.Parse(name, data); err != nil {
		return nil, failBudget(err)
	}
	send["budget"] = json.RawMessage(data)
	return send, nil
}

// writeAccepted prints what the appliance has accepted; ended says that it was the end
// of a watch.
func (r *runner) writeAccepted(k *client, a accepted, ended bool) {
	state := printable(string(a.State))
	switch {
	case a.Every != "":
		state += ", inspected every " + interval(a.Every) + " from now on"
	case ended && a.Note == "" && state == "":
		state = "no longer watched"
	case ended && a.Note == "":
		state += ", no longer watched"
	}
	fmt.Fprintln(r.out, strings.TrimSpace(printable(a.ID)+" "+state))
	if a.Note != "" {
		fmt.Fprintln(r.out, printable(a.Note))
	}
	fmt.Fprintf(r.out, "see %s/pages/%s, or: libra page %s\n", k.server, printable(a.ID), printable(a.ID))
}

// interval writes an interval of the appliance's, such as "90s", for people.
func interval(every string) string {
	d, err := time.ParseDuration(every)
	if err != nil {
		return printable(every)
	}
	return libra.FormatDuration(d)
}

// lastAnswer is when the page was last answered: not the answer to wait for.
// Zero where none is known.
func (k *client) lastAnswer(ctx context.Context, what, id string) (time.Time, error) {
	var p pageAnswer
	_, err := k.get(ctx, what, pagePath(id), &p)
	if f := (*fault)(nil); errors.As(err, &f) && f.status != 0 {
		return time.Time{}, nil // no such page, or its history is out: the appliance takes requests all the same
	}
	if err != nil || p.Latest == nil {
		return time.Time{}, err
	}
	return p.Latest.At, nil
}

// How the report is waited for: asked for often at first, then once a second;
// an appliance that is away is given the time that a restart takes.
const (
	firstPoll = 100 * time.Millisecond
	lastPoll  = time.Second
	maxAway   = 30 * time.Second
)

// await asks for the page until it has an answer other than the one before.
func (r *runner) await(c *cli.Context, k *client, a accepted, before time.Time) error {
	what := fmt.Sprintf("wait for the report on %q", a.URL)
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	progress := r.progress()
	defer progress.clear()
	answered := time.Now()
	for pause := firstPoll; ; pause = min(pause*3/2, lastPoll) {
		var p pageAnswer
		data, err := k.get(ctx, what, pagePath(a.ID), &p)
		if f := (*fault)(nil); errors.As(err, &f) && f.passing && time.Since(answered) < maxAway {
			progress.show("the appliance does not answer, waiting for it", 0, 0)
		} else if err != nil && ctx.Err() == nil {
			return err
		} else if err == nil {
			answered = time.Now()
			if p.answered() && !p.Latest.At.Equal(before) {
				progress.clear()
				return r.awaited(c, data, &p)
			}
			progress.show(string(cmp.Or(p.Step, libra.Step(p.State))), 0, 0)
		}
		select {
		case <-ctx.Done():
			return fail("cannot %s: no report after %s", what, libra.FormatDuration(c.Duration("timeout"))).
				with("the request is still queued: libra page %s shows the report when there is one; --timeout waits longer", a.ID)
		case <-time.After(pause):
		}
	}
}

// answered says that nothing of the page is under way.
func (p *pageAnswer) answered() bool {
	return p.Latest != nil && (p.State == libra.Reported || p.State == libra.Quarantined)
}

func (r *runner) awaited(c *cli.Context, data []byte, p *pageAnswer) error {
	if c.Bool("json") {
		if err := r.copyJSON(data); err != nil {
			return err
		}
	}
	if p.State == libra.Quarantined {
		what, _ := split(p.Latest.Why())
		f := fail("cannot inspect %q: %s", p.URL, what).with("release it with: libra release %s", p.URL)
		f.code = exitBad
		return f
	}
	if p.Latest.Outcome == libra.Error {
		return failReport(p.URL, p.Latest.ReasonList)
	}
	if !c.Bool("json") {
		writePage(r.out, r.screen, p)
	}
	return nil
}
