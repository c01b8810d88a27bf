package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"libra/pkg/component"
)

// printCheck prints the result of --check for people: plain lines on a terminal,
// lines of the log under journald, where a reload runs it.
func (p Program) printCheck(stdout, stderr io.Writer, log *slog.Logger, faults []error) {
	journal := os.Getenv("JOURNAL_STREAM") != ""
	for _, err := range faults {
		text := oneLine(err.Error())
		switch tolerable := isTolerable(err); {
		case !journal && tolerable:
			fmt.Fprintln(stderr, "warning: "+text)
		case !journal:
			fmt.Fprintln(stderr, "wrong: "+text)
		case tolerable:
			log.Warn("the configuration has a fault: " + text)
		default:
			log.Error("the configuration is wrong: " + text)
		}
	}
	if len(faults) == 0 {
		fmt.Fprintf(stdout, "%s: the configuration is fine\n", p.Name)
	}
}

// writeCheck writes the result of --check for programs.
func (p Program) writeCheck(stdout io.Writer, faults []error) {
	c := component.Check{Component: p.Name, Version: Version, Faults: []component.CheckFault{}, Schema: p.Schema}
	for _, err := range faults {
		fault := component.CheckFault{Text: oneLine(err.Error()), Tolerable: isTolerable(err)}
		fault.ReloadOnly = !fault.Tolerable && errors.As(err, new(examined))
		if f := (*settingFault)(nil); errors.As(err, &f) {
			fault.Setting, fault.InEffect = f.name, f.effect
		}
		c.Faults = append(c.Faults, fault)
	}
	_ = json.NewEncoder(stdout).Encode(c) // a reader that is gone misses nothing
}
