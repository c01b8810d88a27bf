package cli

import (
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// completeArg comes first when a shell asks what may follow: the words so far
// come after it, the one under the cursor last, however little of it is typed.
// The answer is one candidate a line, with a tab and its meaning. No answer
// leaves the word to the shell, which completes file names.
const completeArg = "__complete"

//go:embed completion.bash
var bashScript string

//go:embed completion.zsh
var zshScript string

//go:embed completion.fish
var fishScript string

// values are the candidates for arguments ("completion") and for the values of
// flags ("inspect --profile") that are words of a short list.
var values = map[string][]string{
	"completion":                {"bash", "zsh", "fish"},
	"inspect --profile":         {"desktop", "mobile"},
	"submit --every":            {"30s", "5m", "1h", "24h", "off"},
	"alarms silence --scope":    {"component", "host", "page"},
	"alarms silence --severity": {"info", "warning", "minor", "major", "critical"},
	"alarms silence --for":      {"30m", "2h", "8h", "1d", "7d"},
}

func (r *runner) completionCommand() *cli.Command {
	return &cli.Command{
		Name:      "completion",
		Usage:     "print a completion script for bash, zsh or fish",
		ArgsUsage: "bash|zsh|fish",
		Description: `   libra completion bash | sudo tee /etc/bash_completion.d/libra
   libra completion zsh  > "${fpath[1]}/_libra"
   libra completion fish > ~/.config/fish/completions/libra.fish

For this shell alone: source <(libra completion bash)`,
		Action: r.completion,
	}
}

func (r *runner) completion(c *cli.Context) error {
	shell, err := only(c, "shell")
	if err != nil {
		return err
	}
	script, ok := map[string]string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}[shell]
	if !ok {
		return fail("invalid shell %q: must be bash, zsh or fish", shell)
	}
	fmt.Fprint(r.out, script)
	return nil
}

// complete answers a shell. words end with the one under the cursor.
func complete(w io.Writer, app *cli.App, words []string) {
	if len(words) == 0 {
		return
	}
	app.Setup() // adds --help and --version
	done, word := words[:len(words)-1], words[len(words)-1]
	command := commandNamed(app.Commands, first(done))
	switch {
	case command == nil && len(positional(done)) > 0:
	case command == nil && strings.HasPrefix(word, "-"):
		suggestFlags(w, word, app.Flags)
	case command == nil:
		suggestCommands(w, word, app.Commands)
	case command.Name == "help":
		suggestCommands(w, word, below(app.Commands, positional(done)[1:]))
	default:
		completeCommand(w, command, command.Name, done[slices.Index(done, command.Name)+1:], word)
	}
}

// completeCommand completes what follows a command, which path names in full.
func completeCommand(w io.Writer, command *cli.Command, path string, done []string, word string) {
	if sub, rest := subcommand(command, done); sub != nil {
		completeCommand(w, sub, path+" "+sub.Name, rest, word)
		return
	}
	switch {
	case len(done) > 0 && takesNext(command.Flags, last(done)):
		suggest(w, word, values[path+" "+last(done)])
	case strings.HasPrefix(word, "-"):
		suggestFlags(w, word, append(slices.Clone(command.Flags), cli.HelpFlag))
	case len(done) == 0 && len(command.Subcommands) > 0:
		suggestCommands(w, word, command.Subcommands)
	case len(done) == 0:
		suggest(w, word, values[path])
	}
}

// below lists the commands of a command.
func below(commands []*cli.Command, names []string) []*cli.Command {
	for _, name := range names {
		c := commandNamed(commands, name)
		if c == nil {
			return nil
		}
		commands = c.Subcommands
	}
	return commands
}

func first(words []string) string {
	if p := positional(words); len(p) > 0 {
		return p[0]
	}
	return ""
}

func last(words []string) string { return words[len(words)-1] }

func positional(words []string) (list []string) {
	for _, w := range words {
		if !strings.HasPrefix(w, "-") {
			list = append(list, w)
		}
	}
	return list
}

func suggest(w io.Writer, word string, list []string) {
	for _, s := range list {
		if strings.HasPrefix(s, word) {
			fmt.Fprintln(w, s)
		}
	}
}

func suggestCommands(w io.Writer, word string, list []*cli.Command) {
	for _, c := range list {
		if strings.HasPrefix(c.Name, word) && !c.Hidden {
			fmt.Fprintf(w, "%s\t%s\n", c.Name, c.Usage)
		}
	}
}

func suggestFlags(w io.Writer, word string, flags []cli.Flag) {
	for _, f := range flags {
		name := "--" + f.Names()[0]
		if d, ok := f.(cli.DocGenerationFlag); ok && strings.HasPrefix(name, word) {
			fmt.Fprintf(w, "%s\t%s\n", name, strings.ReplaceAll(d.GetUsage(), "`", ""))
		}
	}
}
