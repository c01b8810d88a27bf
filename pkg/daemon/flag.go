package daemon

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
)

// The standard library reads the flags of components: urfave/cli, which the
// command line is made with, renders its help by text/template, and a program
// that contains text/template keeps every exported method of every type. That is
// a quarter of a component: docs/decisions/flags.md.

// request is what a command line asks for apart from settings.
type request struct {
	check, json, help, version bool
	understood                 bool // the flags were, and each setting has its value
}

// readFlags sets settings from the environment, then from args, which win, then
// from defaults. The settings collect the faults of their values; the error is
// about args as a whole.
func readFlags(name string, args []string, settings []*value) (asked request, err error) {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	set.BoolVar(&asked.check, "check", false, "")
	set.BoolVar(&asked.json, "json", false, "")
	set.BoolVar(&asked.version, "version", false, "")
	set.BoolVar(&asked.version, "v", false, "")
	for _, v := range settings {
		set.Var(v, v.Name, v.Usage)
		if text := os.Getenv(v.Env()); text != "" {
			_ = v.Set(text) // collects its faults
		}
	}
	switch err := set.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return request{help: true}, nil
	case err != nil:
		return asked, fmt.Errorf("%s: see %s --help", flagFault(err), name)
	}
	for _, v := range settings {
		v.fill()
	}
	asked.understood = true
	if asked.json && !asked.check {
		return asked, fmt.Errorf("--json is the format of --check: give --check too, see %s --help", name)
	}
	if set.NArg() > 0 {
		return asked, fmt.Errorf("argument %q is not understood: settings are flags, see %s --help", set.Arg(0), name)
	}
	return asked, nil
}

// flagFault names the flag as people write it; package flag has the texts only.
func flagFault(err error) string {
	text := err.Error()
	if unknown, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		return "unknown flag --" + unknown
	}
	if bare, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return "flag --" + bare + " needs a value"
	}
	return text
}

func (p Program) printHelp(w io.Writer, settings []*value) {
	fmt.Fprintf(w, "%s - %s\n\nUsage: %s [flags]\n\n", p.Name, p.Usage, p.Name)
	fmt.Fprint(w, "A flag can be given as the environment variable named beside it, if there is\n"+
		"one; configs/libra.env lists them all. Exit codes: 0 stopped, 1 broke, 2 configuration.\n\nFlags:\n")
	lines := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	defer lines.Flush()
	for _, v := range settings {
		arg, usage := flag.UnquoteUsage(&flag.Flag{Name: v.Name, Usage: v.Usage, Value: v})
		if v.Default != "" {
			usage += " (default: " + v.Default + ")"
		}
		if v.Env() != "" {
			usage += " [$" + v.Env() + "]"
		}
		fmt.Fprintf(lines, "  --%s %s\t%s\n", v.Name, arg, usage)
	}
	fmt.Fprint(lines, "  --check\tcheck the configuration and exit\n  --json\twith --check: print the faults as JSON\n  --help, -h\tprint this help\n  --version, -v\tprint the version\n")
}
