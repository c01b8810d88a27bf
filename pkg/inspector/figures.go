package inspector

import (
	"context"
	"fmt"
	"time"

	"libra/pkg/libra"
)

// Done counts the reports published since the start.
func (i *Inspector) Done() int64 { return i.done.Load() }

// Running counts the pages being inspected.
func (i *Inspector) Running() int64 { return i.running.Load() }

// Slots is how many pages may be inspected whole at a time now, whatever the host is
// short of.
func (i *Inspector) Slots() int64 { return int64(min(i.slots.slots(), i.places.mostNow())) }

// Busy is how long pages have occupied a slot, those of several added up, in
// microseconds: from the claim to the acknowledgement, without the wait for their host
// or for a place, and without light inspections, which have slots of their own.
func (i *Inspector) Busy() int64 { return i.busy.Spent() }

// Well, Melted and Refused count the pages whose hosts answered well; those whose hosts
// gave no answer, a late one or 429 or 503; and those that were not asked for, as the
// host's breaker was open.
func (i *Inspector) Well() int64 { return i.hosts.well.Load() }

// Melted: see Well.
func (i *Inspector) Melted() int64 { return i.hosts.melted.Load() }

// Refused: see Well.
func (i *Inspector) Refused() int64 { return i.hosts.refused.Load() }

// Waiting counts the pages that wait for their hosts.
func (i *Inspector) Waiting() int64 { return int64(i.hosts.limits.Waiting()) }

// Light counts the light inspections, see places.
func (i *Inspector) Light() int64 { return i.light.Load() }

// Deferred counts the pages that answer and wait to be inspected whole.
func (i *Inspector) Deferred() int64 { return int64(i.places.deferred()) }

// ShortSince is since when the host is short of memory or CPU, in Unix seconds; 0 while
// it is not.
func (i *Inspector) ShortSince() int64 {
	if text, since := i.places.shortage(); text != "" {
		return since.Unix()
	}
	return 0
}

// Reasons says why pages wait that need not wait for their hosts.
func (i *Inspector) Reasons() []libra.Reason { return i.places.reasons() }

// showStatus keeps the line for systemctl status until ctx ends.
func (i *Inspector) showStatus(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		status := fmt.Sprintf("pages: %d in progress, %d done", i.Running(), i.Done())
		if why, _ := i.places.shortage(); why != "" {
			status += "; " + why
			if n := i.Deferred(); n > 0 {
				status += fmt.Sprintf(", %d wait", n)
			}
		}
		i.cfg.Status(status)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
