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
// never a flag. Who asks for help gets it, whatever else is said. What is said
// before a command of a command is for that one.
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
				return append(append(before, a), arrangeCommand(c, args[i+1:])...)
			}
			after = append(after, a)
		}
	}
	if len(after) > 0 {
		before = append(before, "--")
	}
	return append(before, after...)
}

func arrangeCommand(c *cli.Command, args []string) []string {
	sub, rest := subcommand(c, args)
	if sub == nil {
		return arrange(c.Flags, nil, args)
	}
	return append([]string{sub.Name}, arrangeCommand(sub, rest)...)
}

// subcommand is the command of c that args name, and the other arguments; nil
// where the first word that is not a flag is not a command either.
func subcommand(c *cli.Command, args []string) (sub *cli.Command, rest []string) {
	for i := 0; i < len(args) && args[i] != "--"; i++ {
		switch {
		case len(args[i]) > 1 && args[i][0] == '-':
			if takesNext(c.Flags, args[i]) {
				i++
			}
		default:
			return commandNamed(c.Subcommands, args[i]), slices.Delete(slices.Clone(args), i, i+1)
		}
	}
	return nil, args
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
		return fail("cannot use --%s: no such flag", name).with("%s", hint)
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return fail("cannot use --%s: it needs a value", strings.TrimLeft(name, "-")).with("%s", seeHelp)
	}
	// "invalid value "x" for flag -limit: parse error"
	if value, rest, ok := strings.Cut(strings.TrimPrefix(text, "invalid "), " for flag -"); ok {
		name, _, _ := strings.Cut(rest, ":")
		return fail("invalid --%s: %s", name, value).with("give %s; %s", wanted(flagNamed(knownFlags(c), name)), seeHelp)
	}
	return fail("cannot understand the command line: %s", text).with("%s", seeHelp)
}

// wanted is what a flag takes.
func wanted(f cli.Flag) string {
	switch f.(type) {
	case *cli.DurationFlag:
		return "a time such as 30s or 2m"
	case *cli.IntFlag:
		return "a whole number"
	}
	return "another value"
}

// commandName is "" for libra itself, and such as "alarms ack" for a command
// of a command.
func commandName(c *cli.Context) string {
	if c.Command == nil || c.Command.Name == c.App.Name {
		return ""
	}
	return strings.TrimPrefix(c.Command.HelpName, c.App.Name+" ")
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
	f := fail("cannot run %q: no such command", name)
	if strings.Contains(name, "://") {
		return f.with("to inspect a page: libra inspect %s", name)
	}
	return f.with("%s", suggestCommand(c.App.Commands, name))
}

// suggestCommand is the hint for a command that does not exist.
func suggestCommand(commands []*cli.Command, name string) string {
	if best := closest(name, commandNames(commands)); best != "" {
		return fmt.Sprintf("did you mean %s? libra help lists the commands", best)
	}
	return "libra help lists the commands"
}

func commandNames(commands []*cli.Command) (names []string) {
	for _, c := range commands {
		names = append(names, c.Name)
	}
	return names
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
	case n == 0, n == 1 && c.Args().First() == "":
		return "", fail("cannot run libra %s: no %s given", commandName(c), what).with("libra help %s", commandName(c))
	case n > 1:
		return "", fail("cannot run libra %s: %d arguments given, one %s expected", commandName(c), n, what).
			with("quote it if it holds spaces or &; libra help %s", commandName(c))
	}
	return c.Args().First(), nil
}

// none refuses arguments.
func none(c *cli.Context) error {
	if !c.Args().Present() {
		return nil
	}
	name := commandName(c)
	f := fail("cannot run libra %[2]s %[1]q: it takes no arguments", c.Args().First(), name)
	if len(c.Command.Subcommands) > 0 {
		f = fail("cannot run %q: libra %s has no such command", c.Args().First(), name)
	}
	if best := closest(c.Args().First(), commandNames(c.Command.Subcommands)); best != "" {
		return f.with("did you mean libra %s %s? libra help %s", name, best, name)
	}
	return f.with("libra help %s", name)
}
