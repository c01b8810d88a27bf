// Package cli is the command line of Libra. `libra inspect` inspects a page with
// nothing else running; submit, page, pages, release, alarms, board and status talk to an
// appliance over its HTTP API. Every command's help is its manual.
//
// Tables are for people and may change; --json is for programs and does not.
// Exit codes:
//
//	0    done
//	1    done, and the answer is bad news: the page is an error or over budget,
//	     an alarm is raised
//	2    not done: bad input, the page cannot be judged, no appliance
//	130  interrupted
//
// An error is one line, "libra: cannot …: reason", and where there is a remedy
// another, "hint: …".
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"
)

// Version is set by the build (-ldflags -X); SemVer.
var Version = "0.0.0"

// Exit codes of [Main].
const (
	exitDone        = 0
	exitBad         = 1
	exitFailed      = 2
	exitInterrupted = 130
)

// Main runs the command that args name (without the program's own name) and
// returns the exit code. It ends soon after ctx does. getenv is os.Getenv or
// its like.
func Main(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, getenv func(string) string) int {
	out := &sink{w: stdout}
	r := &runner{
		in: stdin, out: out, err: stderr, getenv: getenv,
		screen: screenOf(stdout, getenv), errScreen: screenOf(stderr, getenv),
	}
	app := r.app()
	if len(args) > 0 && args[0] == completeArg {
		complete(out, app, args[1:])
		return exitDone
	}
	err := app.RunContext(ctx, append([]string{app.Name}, arrange(app.Flags, app.Commands, args)...))
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case err == nil && out.err != nil:
		err = fail("cannot write the answer: %w", out.err)
	}
	return r.report(err)
}

// report prints err, if there is one, and returns the exit code for it.
func (r *runner) report(err error) int {
	if err == nil {
		return exitDone
	}
	if errors.Is(err, errBad) {
		return exitBad
	}
	f := &fault{err: err}
	errors.As(err, &f)
	for _, line := range append([]string{err.Error()}, f.more...) {
		fmt.Fprintf(r.err, "%s %s\n", r.errScreen.paint(red, "libra:"), printable(line))
	}
	if f.hint != "" {
		fmt.Fprintf(r.err, "%s %s\n", r.errScreen.paint(dim, "hint:"), printable(f.hint))
	}
	return cmp.Or(f.code, exitFailed)
}

// runner is one run of the command line: where it reads and writes.
type runner struct {
	in        io.Reader
	out       io.Writer
	err       io.Writer
	getenv    func(string) string
	screen    screen // what out is
	errScreen screen // what err is
}

func (r *runner) app() *cli.App {
	app := &cli.App{
		Name:    "libra",
		Usage:   "inspects web pages: what they load, and how large it is",
		Version: Version,
		Description: `Libra lists what a browser fetches to show a page, and the size of each file.

   libra inspect https://example.org/     inspect a page now, nothing else needed
   libra submit https://example.org/      have the appliance inspect it
   libra help inspect                     show how a command is used

Flags may stand before or after arguments. Exit codes: 0 done, 1 done but over
budget, not healthy or a page in error, 2 failed or bad input, 130 interrupted.`,
		HideHelpCommand: true,
		Flags:           []cli.Flag{cli.HelpFlag},
		Writer:          r.out,
		ErrWriter:       r.err,
		Reader:          r.in,
		ExitErrHandler:  func(*cli.Context, error) {},
		OnUsageError:    usageError,
		Action:          unknownCommand,
		Commands: []*cli.Command{
			r.inspectCommand(),
			r.submitCommand(),
			r.pageCommand(),
			r.pagesCommand(),
			r.releaseCommand(),
			r.alarmsCommand(),
			r.boardCommand(),
			r.hostsCommand(),
			r.topCommand(),
			r.endCommand(),
			r.labCommand(),
			r.capacityCommand(),
			r.statusCommand(),
			r.backupCommand(),
			r.restoreCommand(),
			r.doctorCommand(),
			r.upgradeCommand(),
			r.rollbackCommand(),
			r.completionCommand(),
			helpCommand(),
		},
	}
	dress(app.Commands)
	return app
}

// dress gives commands, and those below them, what all have in common.
func dress(commands []*cli.Command) {
	for _, c := range commands {
		c.HideHelpCommand = true
		c.OnUsageError = usageError
		dress(c.Subcommands)
	}
}

// sink remembers the first error of writing, which print statements drop.
type sink struct {
	w   io.Writer
	err error
}

func (s *sink) Write(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	s.err = err
	return n, err
}
