package inspector

import (
	"context"
	"fmt"
	"time"
)

// Done counts the reports published since the start.
func (i *Inspector) Done() int64 { return i.done.Load() }

// Running counts the pages being inspected.
func (i *Inspector) Running() int64 { return i.running.Load() }

// Slots is how many pages may be inspected at a time now.
func (i *Inspector) Slots() int64 { return int64(i.slots.slots()) }

// Busy is how long pages have occupied a slot, those of several added up, in
// microseconds: from the claim to the acknowledgement, without the wait for their host.
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

// showStatus keeps the line for systemctl status until ctx ends.
func (i *Inspector) showStatus(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		i.cfg.Status(fmt.Sprintf("pages: %d in progress, %d done", i.Running(), i.Done()))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
