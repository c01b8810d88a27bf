package daemon

import (
	"slices"
	"strings"

	"libra/pkg/event"
)

// mostWarning bounds what a status says of invalid settings, in bytes.
const mostWarning = 600

// tolerate stores the faults that the process is started in spite of, so that
// its status and its heartbeats name them.
func (p *Process) tolerate(faults []error) {
	p.Tolerated = faults
	if names := invalidNames(faults); len(names) > 0 {
		p.warning = event.Cut("; invalid settings: "+strings.Join(names, ", "), mostWarning)
	}
	if troubles := event.SettingTroubles(faults); len(troubles) > 0 {
		p.Trouble(func() []event.Trouble { return troubles })
	}
}

// fatal are the faults that are not tolerable.
func fatal(faults []error) []error { return slices.DeleteFunc(slices.Clone(faults), isTolerable) }
