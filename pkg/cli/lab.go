package cli

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"libra/pkg/labapi"
)

func (r *runner) labCommand() *cli.Command {
	return &cli.Command{
		Name:  "lab",
		Usage: "load the appliance on purpose, and break parts of it",
		Description: `It shows the dials of the lab, what its generator has counted, and its last actions.
The lab needs LIBRA_LAB=on and a running libra-lab; docs/lab.md is a demonstration.

   libra lab
   libra lab dial 20                    20 submissions a second
   libra lab inspectors 4
   libra lab do spin                    error, slow, spin, hunger, sqlite-locked, bus-stopped
   libra lab do kill libra-web          kill or sigstop, of a unit
   libra lab reset

Exit codes: 0 done, 2 not done, no lab, or no appliance.`,
		Flags:  applianceFlags(),
		Action: r.labShow,
		Subcommands: []*cli.Command{
			r.labDial("dial", "set the submissions per second", "/dial"),
			r.labDial("inspectors", "set the number of inspectors", "/inspectors"),
			{Name: "do", Usage: "break something on purpose", ArgsUsage: "ACTION [UNIT]", Flags: applianceFlags(), Action: r.labDo},
			{Name: "reset", Usage: "set the dials back, and undo every action", Flags: applianceFlags(), Action: r.labReset},
		},
	}
}

func (r *runner) labShow(c *cli.Context) error {
	if err := none(c); err != nil {
		return err
	}
	return r.labState(c, "show the lab", http.MethodGet, "", nil)
}

func (r *runner) labReset(c *cli.Context) error {
	if err := none(c); err != nil {
		return err
	}
	return r.labState(c, "reset the lab", http.MethodPost, "/reset", struct{}{})
}

func (r *runner) labDial(name, usage, path string) *cli.Command {
	return &cli.Command{
		Name: name, Usage: usage, ArgsUsage: "NUMBER", Flags: applianceFlags(),
		Action: func(c *cli.Context) error {
			text, err := only(c, "number")
			if err != nil {
				return err
			}
			n, err := strconv.Atoi(text)
			if err != nil {
				return fail("cannot %s: invalid number %q", usage, text).with("give a whole number")
			}
			return r.labState(c, usage, http.MethodPost, path, labapi.Dial{Value: n})
		},
	}
}

func (r *runner) labState(c *cli.Context, what, method, path string, body any) error {
	var s labapi.State
	printed, err := r.call(c, what, method, labapi.Path+path, body, &s)
	if err == nil && !printed {
		r.writeLab(s)
	}
	return err
}

func (r *runner) labDo(c *cli.Context) error {
	if n := c.Args().Len(); n < 1 || n > 2 {
		return fail("cannot run libra %s: %d arguments given", commandName(c), n).with("give an action, and a unit where it is about one; libra help lab")
	}
	var a labapi.Action
	printed, err := r.call(c, "break something on purpose", http.MethodPost, labapi.Path+"/do", labapi.Do{Action: c.Args().Get(0), Unit: c.Args().Get(1)}, &a)
	if err == nil && !printed {
		fmt.Fprintf(r.out, "%s: %s; libra lab shows what comes of it\n", printable(strings.TrimSpace(a.Title+" "+a.Unit)), printable(a.State))
	}
	return err
}

func (r *runner) writeLab(s labapi.State) {
	fmt.Fprintf(r.out, "dial: %d submissions a second, of at most %d\ninspectors: %d, of at most %d\n\n", s.Rate, s.MostRate, s.Inspectors, s.MostInspectors)
	t := table{columns: []column{left(""), right("TOTAL"), right(fmt.Sprintf("LAST %d S", s.WindowS))}}
	for _, row := range []struct {
		name        string
		total, last int
	}{
		{"accepted", s.Total.Accepted, s.Last.Accepted},
		{"refused", s.Total.Refused, s.Last.Refused},
		{"failed", s.Total.Failed, s.Last.Failed},
		{"not sent", s.Total.Skipped, s.Last.Skipped},
		{"reads answered", s.Total.Reads, s.Last.Reads},
		{"reads failed", s.Total.ReadsFailed, s.Last.ReadsFailed},
	} {
		t.add(text(row.name), text(strconv.Itoa(row.total)), text(strconv.Itoa(row.last)))
	}
	t.write(r.out, r.screen)
	fmt.Fprintf(r.out, "\np99: submissions %s, reads %s\n", msText(s.Last.SubmitP99MS), msText(s.Last.ReadP99MS))
	if s.Fault != "" {
		fmt.Fprintf(r.out, "last refusal or failure: %s\n", printable(s.Fault))
	}
	for _, a := range s.Actions {
		what := a.Text
		if what == "" {
			what = a.State
		}
		fmt.Fprintf(r.out, "%s %s: %s\n", a.At.Local().Format(time.TimeOnly), printable(strings.TrimSpace(a.Title+" "+a.Unit)), printable(what))
	}
}

func msText(ms float64) string { return ageText(ms / 1000) }
