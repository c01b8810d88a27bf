package cli

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"libra/pkg/libra"
)

// errBad ends a command that has done its work and printed bad news.
var errBad = errors.New("bad news")

// fault is an error with a remedy.
type fault struct {
	err  error
	hint string
	more []string // further lines, where there are several faults
	// status is what the appliance answered; 0 where it did not, or was not
	// asked.
	status int
	// code is the exit code, exitFailed where it is 0.
	code int
	// passing says that a restart of the appliance may explain it.
	passing bool
}

func (f *fault) Error() string { return f.err.Error() }

func (f *fault) Unwrap() error { return f.err }

// fail makes a fault. Its text begins with "cannot".
func fail(format string, args ...any) *fault {
	return &fault{err: fmt.Errorf(format, args...)}
}

// with adds the remedy.
func (f *fault) with(format string, args ...any) *fault {
	f.hint = fmt.Sprintf(format, args...)
	return f
}

// split joins what happened; the remedy is that of the first reason that has
// one, which is the nearest to the fault.
func split(why []libra.Reason) (what, hint string) {
	var texts []string
	for _, r := range why {
		texts = append(texts, r.Text)
		hint = cmp.Or(hint, r.Remedy)
	}
	return strings.Join(texts, "; "), hint
}
