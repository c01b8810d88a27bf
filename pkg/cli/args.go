package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"github.com/xrash/smetrics"
)

// arrange puts flags before arguments, because the parser stops at the first
// argument and people write `libra inspect URL --json`. What follows "--" is
// never a flag. Who asks for help gets it, whatever else is said.
func arrange(flags []cli.Flag, commands []*cli.Command, args []string) []string {
	var before, after []string
	for i := 0; i < len(args); i++ {
		a := args[i]
		switch {
		case a == "--":
			after = append(after, args[i+1:]...)
			i = len(args)
		case a == "--help" || a == "-h":
			return []string{a}
		case len(a) > 1 && a[0] == '-':
			before = append(before, a)
			if !takesNext(flags, a) {
				continue
			}
			if i++; i == len(args) {
				return before // the parser misses the value
			}
			before = append(before, args[i])
		default:
			if c := commandNamed(commands, a); c != nil && len(after) == 0 {
				return append(append(before, a), arrange(c.Flags, c.Subcommands, args[i+1:])...)
			}
			after = append(after, a)
		}
	}
	if len(after) > 0 {
		before = append(before, "--")
	}
	return append(before, after...)
}

// takesNext says that the argument after flag is its value.
func takesNext(flags []cli.Flag, flag string) bool {
	name, _, joined := strings.Cut(strings.TrimLeft(flag, "-"), "=")
	f, ok := flagNamed(flags, name).(cli.DocGenerationFlag)
	return ok && !joined && f.TakesValue()
}

func flagNamed(flags []cli.Flag, name string) cli.Flag {
	for _, f := range flags {
		if slices.Contains(f.Names(), name) {
			return f
		}
	}
	return nil
}

func commandNamed(commands []*cli.Command, name string) *cli.Command {
	for _, c := range commands {
		if c.HasName(name) {
			return c
		}
	}
	return nil
}

// usageError says what is wrong with the flags, and what may have been meant.
func usageError(c *cli.Context, err error, _ bool) error {
	seeHelp := strings.TrimSpace("libra help " + commandName(c))
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		name = strings.TrimLeft(name, "-")
		hint := fmt.Sprintf("%s lists the flags", seeHelp)
		if best := closest(name, flagNames(knownFlags(c))); best != "" {
			hint = fmt.Sprintf("did you mean --%s? %s", best, hint)
		}
		return fail("cannot understand --%s: there is no such flag", name).with("%s", hint)
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return fail("cannot understand --%s: it needs a value", strings.TrimLeft(name, "-")).with("%s", seeHelp)
	}
	// "invalid value "x" for flag -limit: parse error"
	if value, rest, ok := strings.Cut(strings.TrimPrefix(text, "invalid "), " for flag -"); ok {
		name, _, _ := strings.Cut(rest, ":")
		return fail("cannot understand --%s: %s will not do", name, value).with("%s says what will", seeHelp)
	}
	return fail("cannot understand the command line: %s", text).with("%s", seeHelp)
}

// commandName is "" for libra itself.
func commandName(c *cli.Context) string {
	if c.Command == nil || c.Command.Name == c.App.Name {
		return ""
	}
	return c.Command.Name
}

func knownFlags(c *cli.Context) []cli.Flag {
	if commandName(c) == "" {
		return c.App.Flags
	}
	return c.Command.Flags
}

// unknownCommand is what libra does without a command.
func unknownCommand(c *cli.Context) error {
	if !c.Args().Present() {
		return cli.ShowAppHelp(c)
	}
	name := c.Args().First()
	f := fail("cannot do %q: there is no such command", name)
	if strings.Contains(name, "://") {
		return f.with("to weigh a page: libra inspect %s", name)
	}
	return f.with("%s", suggestCommand(c.App.Commands, name))
}

// suggestCommand is the hint for a command that does not exist.
func suggestCommand(commands []*cli.Command, name string) string {
	var names []string
	for _, c := range commands {
		names = append(names, c.Name)
	}
	if best := closest(name, names); best != "" {
		return fmt.Sprintf("did you mean %s? libra help lists the commands", best)
	}
	return "libra help lists the commands"
}

// alike is how close a word must be to one that is known to be taken for it.
const alike = 0.8

// closest is the word of the list that name may be a slip of, or "".
func closest(name string, list []string) string {
	best, most := "", alike
	for _, word := range list {
		if n := smetrics.JaroWinkler(name, word, 0.7, 4); n > most {
			best, most = word, n
		}
	}
	return best
}

func flagNames(flags []cli.Flag) (names []string) {
	for _, f := range flags {
		names = append(names, f.Names()[0])
	}
	return names
}

// only returns the one argument of a command.
func only(c *cli.Context, what string) (string, error) {
	switch n := c.NArg(); {
	case n == 0:
		return "", fail("cannot %s: no %s given", c.Command.Name, what).with("libra help %s", c.Command.Name)
	case n > 1:
		return "", fail("cannot %s: %d arguments given where one %s is taken", c.Command.Name, n, what).
			with("quote it if it holds spaces or &; libra help %s", c.Command.Name)
	}
	return c.Args().First(), nil
}

// none refuses arguments.
func none(c *cli.Context) error {
	if c.Args().Present() {
		return fail("cannot understand %q: libra %s takes no arguments", c.Args().First(), c.Command.Name).with("libra help %s", c.Command.Name)
	}
	return nil
}
