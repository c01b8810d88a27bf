package cli

import (
	"cmp"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"libra/pkg/libra"
)

// pageList is what GET /api/pages answers.
type pageList struct {
	Pages []pageAnswer `json:"pages"`
	// InTrouble counts the watched pages with which something is wrong; they come
	// first.
	InTrouble int    `json:"in_trouble"`
	Next      string `json:"next"` // for ?after=; "" at the end
	freshness
}

func (r *runner) pagesCommand() *cli.Command {
	return &cli.Command{
		Name:  "pages",
		Usage: "list the pages of the appliance: what is wrong first, then the newest",
		Description: `   libra pages
   libra pages --limit 100
   libra pages --watched
   libra pages --json | jq -r '.pages[].url'

Watched pages that are down, quarantined, over budget or not inspected on
schedule come first. Figures of a page that is an error are those of its last
good report, at the time under REPORTED.

What --json prints under "next" goes to --after for the pages that follow. Exit
codes: 0 done, 1 pages or their newest reports may be missing, 2 no appliance.`,
		Flags: applianceFlags(
			&cli.IntFlag{Name: "limit", Value: 20, Usage: "list at most `N` pages"},
			&cli.BoolFlag{Name: "watched", Usage: "list watched pages only: those in trouble, then the newest watch", DisableDefaultText: true},
			&cli.StringFlag{Name: "after", Usage: "continue the list at `NEXT` of an earlier answer"},
		),
		Action: r.pages,
	}
}

func (r *runner) pages(c *cli.Context) error {
	if err := none(c); err != nil {
		return err
	}
	if c.Int("limit") < 1 {
		return fail("invalid --limit %d: must be 1 or more", c.Int("limit"))
	}
	k, err := r.client(c)
	if err != nil {
		return err
	}
	query := url.Values{"limit": {strconv.Itoa(c.Int("limit"))}}
	if after := c.String("after"); after != "" {
		query.Set("after", after)
	}
	if c.Bool("watched") {
		query.Set("watched", "true")
	}
	var list pageList
	data, err := k.get(c.Context, "list pages", "/api/pages?"+query.Encode(), &list)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = r.copyJSON(data)
	} else {
		r.writePages(&list, c.Bool("watched"))
	}
	return cmp.Or(err, list.unknown())
}

// bounded marks a figure that is only a bound.
func bounded(mark string, is bool, figure string) string {
	if is {
		return mark + figure
	}
	return figure
}

func (r *runner) writePages(list *pageList, watched bool) {
	flag := ""
	if watched {
		flag = " --watched"
	}
	r.writeUnknown(&list.freshness)
	if len(list.Pages) == 0 && list.Stale {
		fmt.Fprintln(r.out, "no page is known")
	} else if len(list.Pages) == 0 && watched {
		fmt.Fprintln(r.out, "no pages are watched: libra submit --every 30s URL watches one")
	} else if len(list.Pages) == 0 {
		fmt.Fprintln(r.out, "no pages: libra submit URL adds one")
	} else {
		t := table{columns: []column{
			left("ID").goesFirst(), left("STATE"), left("OUTCOME"), right("SCORE").goes(5), right("REQUESTS").goes(2), right("TRANSFER"),
			left("REPORTED").goes(4), right("EVERY").goes(3), left("URL").cutTo(30),
		}}
		bounds := false
		for i := range list.Pages {
			t.addPage(&list.Pages[i])
			bounds = bounds || list.Pages[i].Report != nil && list.Pages[i].Report.AtLeast()
		}
		t.write(r.out, r.screen)
		if bounds {
			fmt.Fprintln(r.out, strings.Join(wrap("≥ at least, ≤ at most: scripts that were not executed may fetch more", r.screen.width), "\n"))
		}
	}
	if n := list.InTrouble; n > 0 {
		fmt.Fprintf(r.out, "\n%s\n", r.screen.paint(red, fmt.Sprintf("in trouble, and first in the list: %s", libra.Several(n, "watched page"))))
	}
	if list.Next != "" {
		fmt.Fprintf(r.out, "\nmore: libra pages%s --after %s\n", flag, printable(list.Next))
	}
}

// addPage adds a page with what is wrong with it. What is older than its newest
// answer is dimmed.
func (t *table) addPage(p *pageAnswer) {
	state, outcome, points := text(string(p.State)), text("-"), text("-")
	requests, transfer, when := text("-"), text("-"), text("-")
	switch {
	case p.Trouble != nil:
		state = painted(troubleWords(p.Trouble.Kind), red)
	case p.State == libra.Quarantined:
		state.colour = red
	}
	if p.Score != nil {
		points = painted(bounded("≤ ", p.Score.AtMost, strconv.Itoa(p.Score.Score)), scoreColour(p.Score.Score, p.Score.AtMost))
	}
	if p.Report != nil {
		outcome = painted(string(p.Report.Outcome), outcomeColour(p.Report.Outcome))
		when = timeCell(p.Report.Started)
		if p.Report.Outcome != libra.Error {
			requests = text(bounded("≥ ", p.Report.AtLeast(), strconv.Itoa(p.Report.Totals.Requests)))
			transfer = text(bounded("≥ ", p.Report.AtLeast(), libra.FormatBytes(p.Report.Totals.TransferBytes)))
		}
	}
	if p.failed() {
		outcome = painted(string(libra.Error), red)
		for _, c := range []*cell{&points, &requests, &transfer, &when} {
			c.colour = dim
		}
	}
	t.add(text(p.ID), state, outcome, points, requests, transfer, when, text(orDash(interval(p.Every))), text(p.URL))
	switch {
	case p.Trouble != nil:
		t.note(p.Trouble.Text)
	case p.failed() && len(p.Latest.Why()) > 0:
		t.note(p.Latest.Why()[0].Text)
	}
}
