package state

import (
	"fmt"

	"libra/pkg/component"
	"libra/pkg/libra"
	"libra/pkg/web/admission"
)

// crowds lists what clients ask for faster than it can be done.
func (s *State) crowds() (list []Degraded) {
	for _, c := range []struct {
		limiter    *admission.Limiter
		what, less string
	}{
		{s.Stores, "stored", "not every request to inspect, watch or silence something is accepted"},
		{s.Reads, "read from the history", "not everything that is in the history alone can be read"},
	} {
		f := c.limiter.Figures()
		if f.CrowdedSince.IsZero() {
			continue
		}
		list = append(list, Degraded{
			Part: component.Web, Code: libra.CodeOverloaded, Since: f.CrowdedSince.UTC(),
			Reason: fmt.Sprintf("more is to be %s than can be: %d at a time, %d refused so far", c.what, f.Limit, f.Refused),
			less:   c.less + " right now, because there are too many requests at a time",
		})
	}
	return list
}
