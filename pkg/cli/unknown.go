package cli

import (
	"fmt"
	"time"

	"libra/pkg/libra"
)

// freshness is the part of a list's answer that says whether it is current.
type freshness struct {
	Stale        bool      `json:"stale"`
	UnknownSince time.Time `json:"unknown_since"` // zero from an appliance of before it was there
	Reasons      []string  `json:"reasons"`
}

// unknown is the error of a list that may not be current, after it was printed.
func (f *freshness) unknown() error {
	if f.Stale {
		return errBad
	}
	return nil
}

// writeUnknown prints, above a list, that it may not be current, since when and why.
func (r *runner) writeUnknown(f *freshness) {
	if !f.Stale {
		return
	}
	fmt.Fprintf(r.out, "%s: entries may be missing or out of date\n", r.screen.paint(yellow, "unknown"+since(f.UnknownSince)))
	for _, reason := range f.Reasons {
		fmt.Fprintf(r.out, "- %s\n", printable(reason))
	}
	fmt.Fprintln(r.out)
}

// since writes a time and how long ago it is; "" for the zero time.
func since(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return fmt.Sprintf(" since %s (%s)", moment(t), libra.FormatAge(time.Since(t)))
}
