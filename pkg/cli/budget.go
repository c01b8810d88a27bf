package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/urfave/cli/v2"

	"libra/pkg/inspect/budget"
	"libra/pkg/inspect/har"
	"libra/pkg/libra"
)

// maxFileBytes bounds the files that are read: budgets and reports.
const maxFileBytes = 64 << 20

// budgetFlags are the flags of inspect that judge and that write files.
func budgetFlags() []cli.Flag {
	return []cli.Flag{
		&cli.PathFlag{Name: "budget", TakesFile: true, Usage: "check the page against the LightWallet budgets in `FILE` (- reads standard input)"},
		&cli.PathFlag{Name: "last", TakesFile: true, Usage: "for maxDeltaVsLast: compare with the report in `FILE`, written by an earlier libra inspect --json; none if there is no earlier report"},
		&cli.BoolFlag{Name: "allow-partial", Usage: "with --budget: judge a partial report by its lower bound", DisableDefaultText: true},
		&cli.PathFlag{Name: "junit", TakesFile: true, Usage: "write the budget's result to `FILE` as JUnit XML, for CI systems"},
		&cli.PathFlag{Name: "har", TakesFile: true, Usage: "write the requests to `FILE` as HAR 1.2"},
	}
}

// criteria is what a report is held against.
type criteria struct {
	budgets []budget.Budget // empty without --budget
	last    *libra.Report   // nil with --last none, and where nothing asks for it
	partial bool            // a partial report is judged as it is
	junit   string
	har     string
}

// criteria reads and checks all files before any page is asked for.
func (r *runner) criteria(c *cli.Context) (y criteria, err error) {
	y.junit, y.har = c.Path("junit"), c.Path("har")
	if c.Path("budget") == "" {
		for _, name := range []string{"junit", "last", "allow-partial"} {
			if c.IsSet(name) {
				return y, fail("cannot use --%s: there is no budget to judge by", name).with("give --budget FILE too")
			}
		}
		return y, nil
	}
	file := c.Path("budget")
	data, err := r.readFile("budget file", file)
	if err != nil {
		return y, err
	}
	name := file
	if file == "-" {
		name = "standard input"
	}
	if y.budgets, err = budget.Parse(name, data); err != nil {
		return y, failBudget(err)
	}
	y.partial = c.Bool("allow-partial")
	y.last, err = r.lastReport(y.budgets, c.Path("last"))
	return y, err
}

// noLast is what --last says where there is no earlier report.
const noLast = "none"

// lastReport reads what growth is measured from. A budget of growth without it
// would let everything pass, so that it must be said.
func (r *runner) lastReport(budgets []budget.Budget, file string) (*libra.Report, error) {
	switch {
	case file == noLast:
		return nil, nil
	case file == "" && slices.ContainsFunc(budgets, func(b budget.Budget) bool { return len(b.Deltas) > 0 }):
		return nil, fail("cannot judge by maxDeltaVsLast: there is no earlier report").
			with("give --last FILE, written by libra inspect --json; on the first run --last %s", noLast)
	case file == "":
		return nil, nil
	}
	data, err := r.readFile("report", file)
	if f := (*fault)(nil); errors.As(err, &f) && errors.Is(err, fs.ErrNotExist) {
		return nil, f.with("libra inspect --json URL writes one; on the first run give --last %s", noLast)
	}
	if err != nil {
		return nil, err
	}
	last := &libra.Report{}
	if err := json.Unmarshal(data, last); err != nil || last.Outcome == "" {
		return nil, fail("cannot read report %q: not a report of libra inspect --json", file).with("write one with libra inspect --json URL > %s", file)
	}
	if !last.Sound() {
		return nil, fail("cannot compare with report %q: its outcome is %s, and the page answered %s", file, last.Outcome, statusText(last.Status)).
			with("give a complete one of the page itself; without one, --last %s", noLast)
	}
	return last, nil
}

// failBudget names every fault of a budget file, each on a line of its own.
func failBudget(err error) error {
	var f *fault
	faults := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		faults = joined.Unwrap()
	}
	for _, err := range faults {
		if f == nil {
			f = fail("cannot use budget %s", err)
			continue
		}
		f.more = append(f.more, fmt.Sprintf("cannot use budget %s", err))
	}
	return f
}

// readFile reads a file of the user's; "-" is standard input.
func (r *runner) readFile(what, file string) ([]byte, error) {
	in := r.in
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, fail("cannot read %s %q: %w", what, file, bare(err))
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxFileBytes+1))
	if err != nil {
		return nil, fail("cannot read %s %q: %w", what, file, bare(err))
	}
	if len(data) > maxFileBytes {
		return nil, fail("cannot read %s %q: it is longer than %s", what, file, libra.FormatBytes(maxFileBytes))
	}
	return data, nil
}

// writeFile writes a file of the user's.
func writeFile(what, file string, write func(io.Writer) error) error {
	f, err := os.Create(file)
	if err != nil {
		return fail("cannot write %s %q: %w", what, file, bare(err))
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		return fail("cannot write %s %q: %w", what, file, bare(err))
	}
	return nil
}

// bare takes the path off an error that names it already.
func bare(err error) error {
	if e := (*os.PathError)(nil); errors.As(err, &e) {
		return e.Err
	}
	return err
}

// judge holds a report against the budget, nil without one, and writes
// the files asked for. Both files say what is not judged.
func (y criteria) judge(report *libra.Report) (*budget.Result, error) {
	if y.har != "" {
		if err := writeFile("HAR", y.har, func(w io.Writer) error { return har.Write(w, *report, Version) }); err != nil {
			return nil, err
		}
	}
	if len(y.budgets) == 0 {
		return nil, nil
	}
	checked := budget.Checked{Report: *report, Result: budget.Check(y.budgets, *report, y.last)}
	if y.partial {
		checked.Result.AllowPartial()
	}
	if y.junit != "" {
		if err := writeFile("JUnit XML", y.junit, func(w io.Writer) error { return budget.WriteJUnit(w, []budget.Checked{checked}) }); err != nil {
			return nil, err
		}
	}
	return &checked.Result, nil
}

// writeBudget prints how a page stands to its budget, a line for each of its
// lines.
func writeBudget(w io.Writer, s screen, r *budget.Result) {
	title, colour := "Within budget", green
	skipped := func(o budget.Outcome) bool { return o.Skipped != "" }
	switch {
	case r.Over:
		title, colour = "Over budget", red
	case r.Unjudged != "":
		title, colour = "Not judged", red
	case !slices.ContainsFunc(r.Lines, func(o budget.Outcome) bool { return !skipped(o) }):
		title, colour = "Nothing to judge", yellow
	}
	if r.Path != "" {
		title += " for path " + printable(r.Path)
	}
	if len(r.Lines)+len(r.Notes) == 0 {
		fmt.Fprintf(w, "\n%s\n", s.paint(colour, title))
		return
	}
	fmt.Fprintf(w, "\n%s (in the file, 1 KB is 1024 bytes):\n", s.paint(colour, title))
	for _, o := range r.Lines {
		word, colour := "ok  ", green
		if o.Over > 0 {
			word, colour = "OVER", red
		} else if skipped(o) {
			word, colour = "skip", dim
		}
		fmt.Fprintf(w, "%s  %s\n", s.paint(colour, word), printable(o.String()))
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "note  %s\n", printable(note))
	}
}
