package cli

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"libra/pkg/inspect"
	"libra/pkg/inspect/budget"
	"libra/pkg/inspect/score"
	"libra/pkg/libra"
	"libra/pkg/weburl"
)

func (r *runner) inspectCommand() *cli.Command {
	return &cli.Command{
		Name:      "inspect",
		Usage:     "inspect a page now; needs no appliance",
		ArgsUsage: "URL",
		Description: `Fetches the page and everything a browser requests to show it, and prints the
totals by type and every request with its status and sizes:

   encoded    the body as sent, compressed
   decoded    the body after decompression
   transfer   response headers and encoded body; totals and budgets use it

Sizes are decimal (1 kB is 1000 bytes); --json has them to the byte. Scripts are
not executed: they are counted, and where they may fetch more, the page weighs
"at least" and scores "at most" what is printed.

   libra inspect https://example.org/
   libra inspect --json https://example.org/ | jq .totals.transfer_bytes
   libra inspect --allow 127.0.0.1 http://127.0.0.1:8000/
   libra inspect --budget budget.json --junit result.xml https://example.org/
   libra inspect --har page.har https://example.org/

Without a scheme https is meant; http is used, and the report says so, where https
does not answer.

Private addresses are refused unless --allow or LIBRA_ALLOW lists them, and are
reached only for a page that is itself on one.

A budget file is LightWallet's budget.json, sizes in KB of 1024 bytes; they are
shown in kB of 1000 bytes, with the file's figure beside them:

   [{"path": "/*",
     "resourceSizes":  [{"resourceType": "total", "budget": 300}],
     "resourceCounts": [{"resourceType": "third-party", "budget": 10}],
     "maxDeltaVsLast": [{"resourceType": "total", "budget": "5%"}]}]

With --budget only a page whose report is complete passes. A page that is
an error, one that no budget matches, and a partial report that is not
over its budget are not judged. --allow-partial judges a partial report by its
lower bound. maxDeltaVsLast needs --last FILE, or --last none on the first run.

Exit codes: 0 inspected, completely or in part (with --budget: within it), 1 the
page is an error (no answer or an unreadable one, endless redirects, a status
other than 2xx) or over budget, 2 bad input, a refused address, or with --budget
not judged.`,
		Flags: append([]cli.Flag{
			jsonFlag(),
			&cli.StringSliceFlag{Name: "allow", Usage: "reach private addresses in `PREFIX`, such as 10.0.0.0/8 or 127.0.0.1; may be repeated; adds to LIBRA_ALLOW"},
			&cli.StringFlag{Name: "profile", Value: string(inspect.Desktop), Usage: "inspect the page as it opens on `DEVICE`: desktop (1280x800) or mobile (412x823 at 1.75x)"},
			&cli.DurationFlag{Name: "timeout", Value: 60 * time.Second, Usage: "stop after `TIME` and report what was found by then"},
			&cli.BoolFlag{Name: "no-scripting", Usage: "inspect the page as a browser with scripting turned off", DisableDefaultText: true},
		}, budgetFlags()...),
		Action: r.inspect,
	}
}

func (r *runner) inspect(c *cli.Context) error {
	url, err := only(c, "URL")
	if err != nil {
		return err
	}
	cfg, err := r.inspectConfig(c)
	if err != nil {
		return err
	}
	page, err := typedPage(url)
	if err != nil {
		return failURL(err)
	}
	criteria, err := r.criteria(c)
	if err != nil {
		return err
	}
	report := r.fetch(c.Context, cfg, page)
	if c.Context.Err() != nil {
		return c.Context.Err()
	}
	result, err := criteria.judge(report)
	if err != nil {
		return err
	}
	return r.printReport(report, string(cfg.Profile), result, c.Bool("json"))
}

// judged is a report for programs: the report's own fields, and the judgement. It is
// only encoded.
type judged struct {
	*libra.Report
	Score  *score.Score   `json:"score"`            // null unless complete
	Budget *budget.Result `json:"budget,omitempty"` // with --budget
}

func (r *runner) printReport(report *libra.Report, profile string, result *budget.Result, asJSON bool) error {
	if asJSON {
		j := judged{Report: report, Score: score.OfReport(*report, profile)}
		if report.Status != 0 {
			j.Budget = result
		}
		if err := writeJSON(r.out, j); err != nil {
			return fail("cannot write the report: %w", err)
		}
	}
	if report.Outcome == libra.Error && (result == nil || report.Status == 0) {
		return r.printError(report, profile, result, asJSON)
	}
	if !asJSON {
		writeReport(r.out, r.screen, report, profile)
		if result != nil {
			writeBudget(r.out, r.screen, result)
		}
	}
	if result != nil && result.Over {
		return errBad
	}
	if result != nil && result.Unjudged != "" {
		what, hint := split(result.Details)
		return fail("cannot judge %q: %s", report.URL, what).with("%s", hint)
	}
	return nil
}

// printError says why a page is an error, once, below what its server answered. A
// page that is to be judged by a budget cannot be: exit code 2.
func (r *runner) printError(report *libra.Report, profile string, result *budget.Result, asJSON bool) error {
	if !asJSON && report.Status != 0 {
		writeFigures(r.out, r.screen, report, profile)
	}
	f := failReport(report.URL, report.ReasonList)
	if result != nil {
		f.code = exitFailed
	}
	return f
}

func (r *runner) fetch(ctx context.Context, cfg inspect.Config, page inspect.Page) *libra.Report {
	i := inspect.New(cfg)
	defer i.Close()
	progress := r.progress()
	defer progress.clear()
	return i.InspectPage(ctx, page, func(p inspect.Progress) {
		progress.show(string(p.Step), p.Done, p.Found)
	})
}

func (r *runner) inspectConfig(c *cli.Context) (cfg inspect.Config, err error) {
	given := strings.FieldsFunc(r.getenv("LIBRA_ALLOW"), func(r rune) bool { return r == ',' || r == ' ' })
	if cfg.Allow, err = prefixes("LIBRA_ALLOW", given); err != nil {
		return cfg, err
	}
	more, err := prefixes("--allow", c.StringSlice("allow"))
	if err != nil {
		return cfg, err
	}
	cfg.Allow = append(cfg.Allow, more...)
	cfg.Profile = inspect.Profile(c.String("profile"))
	if cfg.Profile != inspect.Desktop && cfg.Profile != inspect.Mobile {
		return cfg, fail("invalid --profile %q: must be desktop or mobile", c.String("profile"))
	}
	if cfg.PageTimeout = c.Duration("timeout"); cfg.PageTimeout <= 0 {
		return cfg, fail("invalid --timeout %s: must be more than 0, such as 30s or 2m", cfg.PageTimeout)
	}
	cfg.ScriptingOff = c.Bool("no-scripting")
	return cfg, nil
}

func prefixes(source string, texts []string) (list []netip.Prefix, err error) {
	for _, s := range texts {
		p, err := libra.ParsePrefix(strings.TrimSpace(s))
		if err != nil {
			why := libra.ReasonOf(err)
			return nil, fail("cannot use %s: %s", source, why.Text).with("%s", why.Remedy)
		}
		list = append(list, p)
	}
	return list, nil
}

// typedPage reads the address of a page to inspect. One with a scheme stays as it
// was typed: reports repeat it.
func typedPage(text string) (inspect.Page, error) {
	u, guessed, err := weburl.ParseTyped(text)
	if err != nil || !guessed {
		return inspect.Page{URL: text}, err
	}
	return inspect.Page{URL: u.String(), SchemeGuessed: true}, nil
}

// failURL turns an error of weburl.ParseTyped into a fault.
func failURL(err error) error {
	why := libra.ReasonOf(err)
	return fail("cannot inspect this page: %s", why.Text).with("%s", why.Remedy)
}

// failReport turns the reasons of a failed report into a fault.
func failReport(url string, list libra.ReasonList) *fault {
	what, hint := split(list.Why())
	f := fail("cannot inspect %q: %s", url, what).with("%s", hint)
	if !list.HasReason(libra.CodeAddressForbidden) { // which the caller can allow
		f.code = exitBad
	}
	return f
}

func jsonFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print JSON, for programs", DisableDefaultText: true}
}
