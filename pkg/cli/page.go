package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"libra/pkg/inspect/score"
	"libra/pkg/libra"
	"libra/pkg/weburl"
)

func (r *runner) pageCommand() *cli.Command {
	return &cli.Command{
		Name:      "page",
		Usage:     "show a page of the appliance with its newest report",
		ArgsUsage: "ID|URL",
		Description: `The page is named by its id, as libra pages lists it, or by its URL.

   libra page https://example.org/
   libra page --json e7dmo5dvmrcm2qwxt4nu | jq .report.totals
   libra page --timeline https://example.org/

With --timeline it shows where the time of the newest report's request went: in the queue, in each
step, in each asset. With --json as well, it shows the spans of the request's trace.

Exit codes: 0 shown, 2 no such page or no appliance.`,
		Flags:  applianceFlags(&cli.BoolFlag{Name: "timeline", Usage: "show where the time of the request went"}),
		Action: r.page,
	}
}

func (r *runner) page(c *cli.Context) error {
	given, err := only(c, "page ID or URL")
	if err != nil {
		return err
	}
	id, err := pageID("show", given)
	if err != nil {
		return err
	}
	k, err := r.client(c)
	if err != nil {
		return err
	}
	id = k.earlier(c.Context, given, id)
	if c.Bool("timeline") {
		return r.timeline(c, k, given, id)
	}
	var p pageAnswer
	data, err := k.get(c.Context, fmt.Sprintf("show page %q", given), pagePath(id), &p)
	if f := (*fault)(nil); errors.As(err, &f) && f.status == http.StatusNotFound {
		return fail("cannot show page %q: the appliance does not know it", given).with("libra pages lists what it knows; libra submit URL adds a page")
	}
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return r.copyJSON(data)
	}
	writePage(r.out, r.screen, &p)
	return nil
}

// timeline shows the spans of a page.
func (r *runner) timeline(c *cli.Context, k *client, given, id string) error {
	var a traceAnswer
	data, err := k.get(c.Context, fmt.Sprintf("show the timeline of page %q", given), pagePath(id)+"/trace", &a)
	if f := (*fault)(nil); errors.As(err, &f) && f.status == http.StatusNotFound {
		return fail("cannot show the timeline of page %q: the appliance has no report of it", given).with("libra page shows what it knows; libra submit --wait URL waits for a report")
	}
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return r.copyJSON(data)
	}
	fmt.Fprintf(r.out, "request %s, trace %s\n\n", printable(a.Request), printable(a.TraceID))
	writeTimeline(r.out, r.screen, &a)
	return nil
}

var idForm = regexp.MustCompile(`^[a-z2-7]{20}$`)

// pageID is the id of the page that s names by id or by URL. do is what is to
// be done with it.
func pageID(do, s string) (string, error) {
	if idForm.MatchString(s) {
		return s, nil
	}
	u, guessed, err := weburl.ParseTyped(s)
	if err != nil || guessed && !strings.ContainsAny(s, ".:/") && s != "localhost" { // a mistyped id, rather
		return "", fail("cannot %s page %q: it is neither a page's id nor a URL", do, s).
			with("give an id as libra pages lists it, or a URL such as https://example.org/")
	}
	return libra.PageID(u.String()), nil
}

// earlier is the id of the page whose URL is exactly what was given, although URLs are
// written differently since it was submitted; id where there is no such page.
func (k *client) earlier(ctx context.Context, given, id string) string {
	text := strings.TrimSpace(given)
	was := libra.PageID(text)
	if was == id || !strings.Contains(text, "://") {
		return id
	}
	var p pageAnswer
	if _, err := k.get(ctx, fmt.Sprintf("look up page %q", given), pagePath(was), &p); err != nil || p.URL != text {
		return id
	}
	return was
}

func pagePath(id string) string { return "/api/pages/" + url.PathEscape(id) }

// copyJSON passes the appliance's JSON on, unchanged.
func (r *runner) copyJSON(data []byte) error {
	if _, err := fmt.Fprintln(r.out, strings.TrimRight(string(data), "\n")); err != nil {
		return fail("cannot write the answer: %w", err)
	}
	return nil
}

// pageAnswer is what GET /api/pages/{id} answers, and each entry of GET
// /api/pages: the report is the newest good one, Latest the newest answer.
type pageAnswer struct {
	libra.Page
	Score *struct {
		Score   int    `json:"score"`
		AtMost  bool   `json:"at_most"`
		Profile string `json:"profile"` // "" in a list
	} `json:"score"`
	Latest *struct {
		At      time.Time     `json:"at"`
		Outcome libra.Outcome `json:"outcome"`
		libra.ReasonList
	} `json:"latest"`
	Stands *struct { // while the report is partial
		Score   int       `json:"score"`
		AtMost  bool      `json:"at_most"`
		Started time.Time `json:"started"`
	} `json:"last_complete"`
	Every   string `json:"every"` // "" where it is not watched
	Trouble *struct {
		Kind  string    `json:"kind"`
		Since time.Time `json:"since"`
		Text  string    `json:"text"`
	} `json:"trouble"` // null where nothing is wrong with it
	Budget *struct {
		Lines  int      `json:"lines"`
		Over   []string `json:"over"`
		Within []string `json:"within"`
	} `json:"budget"`
	Alarms []struct {
		ID       string         `json:"id"`
		Severity libra.Severity `json:"severity"`
		Summary  string         `json:"summary"`
	} `json:"alarms"`
}

// failed says that the newest answer is an error.
func (p *pageAnswer) failed() bool { return p.Latest != nil && p.Latest.Outcome == libra.Error }

// troubleWords is a kind of trouble for people.
func troubleWords(kind string) string { return strings.ReplaceAll(kind, "-", " ") }

// profile is the device whose pages the appliance compares with.
func (p *pageAnswer) profile() string {
	if p.Score == nil {
		return score.Desktop
	}
	return cmp.Or(p.Score.Profile, score.Desktop)
}

// writePage prints where a page stands, and its report.
func writePage(w io.Writer, s screen, p *pageAnswer) {
	state := string(p.State)
	if p.Step != "" {
		state += ", " + string(p.Step)
		if p.StepWhy != "" {
			state += ": " + p.StepWhy
		}
	}
	switch {
	case p.failed() && p.State == libra.Reported:
		state = string(libra.Error)
	case p.Stale:
		state += ", stale"
	}
	fmt.Fprintf(w, "page %s: %s\n", p.ID, printable(state))
	if t := p.Trouble; t != nil {
		fmt.Fprintf(w, "%s %s\n", s.paint(red, fmt.Sprintf("! %s since %s:", printable(troubleWords(t.Kind)), moment(t.Since))), printable(t.Text))
	}
	for _, reason := range p.Reasons {
		fmt.Fprintf(w, "- %s\n", printable(reason))
	}
	writeWatch(w, s, p)
	if p.Report == nil {
		fmt.Fprintf(w, "%s\nno report yet\n", printable(p.URL))
		return
	}
	if p.failed() && p.Report.Outcome != libra.Error {
		writeLastGood(w, s, p)
		return
	}
	fmt.Fprintf(w, "report of %s\n\n", moment(p.Report.Started))
	if v := p.Stands; v != nil {
		fmt.Fprintf(w, "%s, of the last complete report, %s\n\n", s.paint(scoreColour(v.Score, v.AtMost), scoreText(v.Score, v.AtMost)), moment(v.Started))
	}
	writeReport(w, s, p.Report, p.profile())
}

// writeLastGood prints the last good report of a page that is an error: dated, dimmed
// and without a verdict.
func writeLastGood(w io.Writer, s screen, p *pageAnswer) {
	r := p.Report
	line := fmt.Sprintf("the last good report, of %s: %s, %s transferred", moment(r.Started), r.Bounded(libra.Several(r.Totals.Requests, "request")), r.Weight())
	if v := p.Score; v != nil {
		line += ", score " + bounded("≤ ", v.AtMost, fmt.Sprint(v.Score)) + " of 100"
	}
	fmt.Fprintf(w, "%s\n\n%s\n\n", s.paint(dim, line), s.paint(bold, printable(p.URL)))
	writeTotals(w, s, r)
	writeAssets(w, s, r)
}

// writeWatch prints the interval of the watch, the open alarms and the budget.
func writeWatch(w io.Writer, s screen, p *pageAnswer) {
	if p.Every != "" {
		fmt.Fprintf(w, "inspected every %s\n", interval(p.Every))
	}
	for _, a := range p.Alarms {
		fmt.Fprintf(w, "%s %s\n", s.paint(severityColour(a.Severity), "! alarm "+printable(a.ID)+":"), printable(a.Summary))
	}
	if p.Budget == nil {
		return
	}
	soFar := ""
	if p.Report != nil && p.Report.Outcome == libra.Partial {
		soFar = ", as far as it was inspected"
	}
	for _, line := range p.Budget.Over {
		fmt.Fprintf(w, "%s %s\n", s.paint(red, "! over budget:"), printable(line))
	}
	for _, line := range p.Budget.Within {
		fmt.Fprintf(w, "budget%s: %s\n", soFar, printable(line))
	}
	if len(p.Budget.Over) == 0 && len(p.Budget.Within) == 0 && p.Budget.Lines > 0 {
		within := "within its budget of " + libra.Several(p.Budget.Lines, "line") + soFar
		if p.Report != nil && p.Report.AtLeast() {
			within += ", which counts at least what was fetched: scripts may fetch more"
		}
		fmt.Fprintln(w, within)
	}
}
