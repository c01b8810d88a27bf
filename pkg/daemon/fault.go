package daemon

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"syscall"
)

// passing are what a machine is short of or ill with for a while: they say
// nothing about the configuration.
var passing = []error{
	syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ESTALE,
}

// Passing says that an error is of the machine and not of the configuration: a
// disk that is full, read-only or ill, or no file left to open. A later start
// may do better, so it is never exit code 2.
func Passing(err error) bool {
	return slices.ContainsFunc(passing, func(p error) bool { return errors.Is(err, p) })
}

// Bearable marks a fault that the program can live with: a start only warns
// of it and goes on, and --check names it and exits with 0 all the same.
func Bearable(err error) error { return bearable{err} }

type bearable struct{ error }

func (b bearable) Unwrap() error { return b.error }

func isBearable(err error) bool { return errors.As(err, new(bearable)) }

// exitCode is what faults found before the start come to; 0 lets it go on.
func exitCode(faults []error) (code int) {
	for _, err := range faults {
		switch {
		case isBearable(err):
		case Passing(err):
			code = max(code, 1)
		default:
			return 2
		}
	}
	return code
}

// toldAtStart logs a fault that a start meets.
func toldAtStart(log *slog.Logger) func(error) {
	return func(err error) {
		if isBearable(err) {
			log.Warn("goes on with a fault: " + oneLine(err.Error()))
		} else {
			log.Error("cannot start: " + oneLine(err.Error()))
		}
	}
}

// toldByCheck writes a fault that --check finds: a plain line for whoever called
// it, a line of the log for the journal, where a reload asks.
func toldByCheck(w io.Writer, log *slog.Logger, getenv func(string) string) func(error) {
	return func(err error) {
		text := oneLine(err.Error())
		switch bearable, journal := isBearable(err), getenv("JOURNAL_STREAM") != ""; {
		case !journal && bearable:
			fmt.Fprintln(w, "warning: "+text)
		case !journal:
			fmt.Fprintln(w, "wrong: "+text)
		case bearable:
			log.Warn("the configuration has a fault: " + text)
		default:
			log.Error("the configuration is wrong: " + text)
		}
	}
}
