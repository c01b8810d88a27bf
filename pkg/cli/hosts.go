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
)

// hostAnswer is a host as the appliance lists it.
type hostAnswer struct {
	Host  string    `json:"host"`
	State string    `json:"state"`
	Cause string    `json:"cause"`
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	Pages int       `json:"pages"`
	Why   []string  `json:"why"`
	Hold  *struct {
		State string    `json:"state"`
		By    string    `json:"by"`
		Why   string    `json:"why"`
		At    time.Time `json:"at"`
	} `json:"hold"`
}

func (r *runner) hostsCommand() *cli.Command {
	return &cli.Command{
		Name:  "hosts",
		Usage: "list hosts that do not answer, suspend and resume their pages",
		Description: `It lists the hosts whose pages are not inspected as usual: no page of a host whose
circuit breaker is open is inspected, and one at a time while it is half-open.

   libra hosts
   libra hosts hold example.org --open --why "maintenance until 22:00"
   libra hosts hold example.org --closed
   libra hosts release example.org

Exit codes: 0 every host is inspected as usual, 1 one is not, or it is unknown,
2 no appliance.`,
		Flags:       applianceFlags(),
		Action:      r.hosts,
		Subcommands: []*cli.Command{r.holdCommand(), r.unholdCommand()},
	}
}

func (r *runner) hosts(c *cli.Context) error {
	if err := none(c); err != nil {
		return err
	}
	var list struct {
		Hosts []hostAnswer `json:"hosts"`
		freshness
	}
	printed, err := r.call(c, "list hosts", http.MethodGet, "/api/hosts", nil, &list)
	if err == nil && !printed {
		r.writeUnknown(&list.freshness)
		r.writeHosts(list.Hosts, list.Stale)
	}
	if err == nil && len(list.Hosts) > 0 {
		return errBad
	}
	return cmp.Or(err, list.unknown())
}

func (r *runner) writeHosts(list []hostAnswer, stale bool) {
	if len(list) == 0 && stale {
		fmt.Fprintln(r.out, "no host is known that is not inspected as usual")
		return
	}
	if len(list) == 0 {
		fmt.Fprintln(r.out, "the pages of every host are inspected as usual")
		return
	}
	t := table{columns: []column{
		left("HOST").goesFirst().goesBelow("host"), left("STATE"), left("SINCE").goes(2).goesBelow("since"), left("ASKED AGAIN").goes(1).goesBelow("asked again"), left("HELD BY").goes(3).goesBelow("held by").cutTo(16),
	}}
	for _, h := range list {
		by, since := "-", h.Since
		if h.Hold != nil {
			by, since = h.Hold.By, h.Hold.At
		}
		again := text("-")
		if h.Hold == nil && h.State != "closed" {
			again = dateCell(h.Until)
		}
		t.add(text(h.Host), stateCell(h.State), dateCell(since), again, text(by))
		if h.Hold != nil {
			t.note(h.Hold.Why)
		}
		t.note(strings.Join(h.Why, "; "))
	}
	t.write(r.out, r.screen)
}

// stateCell is the state of a breaker, in its colour.
func stateCell(state string) cell {
	switch state {
	case "open":
		return painted(state, red)
	case "half-open":
		return painted(state, yellow)
	}
	return text(state)
}

func (r *runner) holdCommand() *cli.Command {
	return &cli.Command{
		Name:      "hold",
		Usage:     "hold the circuit breaker of a host open or closed",
		ArgsUsage: "HOST",
		Description: `While it is held open, no page of the host is inspected, and none is reported as
down. While it is held closed, pages are inspected although the host does not answer.

   libra hosts hold example.org --open --why "maintenance until 22:00"
   libra hosts hold 127.0.0.1:8000 --closed

Exit codes: 0 held, 2 bad input or no appliance.`,
		Flags: applianceFlags(
			&cli.BoolFlag{Name: "open", Usage: "inspect no page", DisableDefaultText: true},
			&cli.BoolFlag{Name: "closed", Usage: "inspect in any case", DisableDefaultText: true},
			&cli.StringFlag{Name: "why", Usage: "the reason, in `WORDS`"},
		),
		Action: r.hold,
	}
}

func (r *runner) hold(c *cli.Context) error {
	host, err := only(c, "host")
	if err != nil {
		return err
	}
	if c.Bool("open") == c.Bool("closed") {
		return fail("cannot hold host %q: give one of --open and --closed", host).with("--open inspects no page, --closed inspects in any case")
	}
	state := "open"
	if c.Bool("closed") {
		state = "closed"
	}
	var h hostHold
	printed, err := r.call(c, fmt.Sprintf("hold host %q", host), http.MethodPost, holdPath(host), map[string]string{"state": state, "why": c.String("why")}, &h)
	if printed || err != nil {
		return err
	}
	fmt.Fprintf(r.out, "%s is held %s by %s\nend it with: libra hosts release %s\n", printable(h.Host), printable(h.State), printable(h.By), printable(h.Host))
	return nil
}

// hostHold is what the appliance stored.
type hostHold struct {
	Host  string `json:"host"`
	State string `json:"state"`
	By    string `json:"by"`
}

func (r *runner) unholdCommand() *cli.Command {
	return &cli.Command{
		Name:      "release",
		Usage:     "end a hold: the inspectors decide again",
		ArgsUsage: "HOST",
		Description: `   libra hosts                            lists what is held
   libra hosts release example.org

Exit codes: 0 released, 2 not held or no appliance.`,
		Flags: applianceFlags(),
		Action: func(c *cli.Context) error {
			host, err := only(c, "host")
			if err != nil {
				return err
			}
			var h hostHold
			printed, err := r.call(c, fmt.Sprintf("release host %q", host), http.MethodDelete, holdPath(host), nil, &h)
			if f := (*fault)(nil); errors.As(err, &f) && f.status == http.StatusNotFound {
				return f.with("libra hosts lists what is held")
			}
			if printed || err != nil {
				return err
			}
			fmt.Fprintf(r.out, "%s is not held any more\n", printable(h.Host))
			return nil
		},
	}
}

func holdPath(host string) string { return "/api/hosts/" + url.PathEscape(host) + "/hold" }
