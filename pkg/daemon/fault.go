package daemon

import (
	"errors"
	"log/slog"
	"slices"
	"syscall"
)

// transient are the errors of a machine that lacks a resource, or whose disk is
// faulty, for a while: they are no fault of the configuration.
var transient = []error{
	syscall.ENOSPC, syscall.EDQUOT, syscall.EROFS, syscall.EIO, syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ESTALE,
}

// Transient reports whether an error is of the machine and not of the
// configuration: a disk that is full, read-only or faulty, or no file
// descriptor left. A later start may succeed, so it never becomes exit code 2.
func Transient(err error) bool {
	return slices.ContainsFunc(transient, func(p error) bool { return errors.Is(err, p) })
}

// Tolerable marks a fault that does not keep the program from running: a start
// logs a warning and continues, and --check prints it and exits with 0.
func Tolerable(err error) error { return tolerable{err} }

type tolerable struct{ error }

func (t tolerable) Unwrap() error { return t.error }

func isTolerable(err error) bool { return errors.As(err, new(tolerable)) }

// examined is a fault that Examine has found: a start would survive it.
type examined struct{ error }

func (e examined) Unwrap() error { return e.error }

// settingFault is a fault of a setting that the program goes on without.
type settingFault struct {
	name   string // "LIBRA_WORKERS", "--state"
	effect string // what is in effect in its place; "" for an unknown setting
	error
}

func (f *settingFault) Unwrap() error { return f.error }

// invalidNames are the names of the settings that faults are about, each once.
func invalidNames(faults []error) (names []string) {
	for _, err := range faults {
		if f := (*settingFault)(nil); errors.As(err, &f) && !slices.Contains(names, f.name) {
			names = append(names, f.name)
		}
	}
	return names
}

// exitCode is the exit code for faults found before the start; 0 lets it go on.
func exitCode(faults []error) (code int) {
	for _, err := range faults {
		switch {
		case isTolerable(err):
		case Transient(err):
			code = max(code, 1)
		default:
			return 2
		}
	}
	return code
}

// logFaults logs the faults found at a start.
func logFaults(log *slog.Logger, faults []error) {
	for _, err := range faults {
		if isTolerable(err) {
			log.Warn("configuration fault tolerated: " + oneLine(err.Error()))
		} else {
			log.Error("cannot start: " + oneLine(err.Error()))
		}
	}
}
