package watchdog

import (
	"context"
	"sync"
	"time"

	"libra/pkg/event"
)

// recheck is an inspection ahead of schedule, of a page whose next inspection
// decides whether an alarm is raised.
type recheck struct {
	watch    event.Watch
	occasion string // the request whose answer was the last failure
	at       time.Time
}

// recheckDelay is how long after its last failure a page is inspected ahead of
// schedule when one more failure raises an alarm. So three failures at an
// interval of a second are an alarm within 2.5 s of the fault, which may begin
// just after an inspection, and no page without failures is inspected more often.
func recheckDelay(w event.Watch) time.Duration {
	return time.Duration(w.EveryS) * time.Second * 2 / 5
}

// recheck has a page inspected ahead of schedule where one of these alarms lacks
// one failure.
func (ev *evaluator) recheck(r event.Reported, alarms ...string) {
	limits := ofPage.limits(ev.cfg)
	for _, id := range alarms {
		t := ev.tally(id)
		if t.State == Bad || t.Fails == 0 || t.Fails != limits.Raise-1 {
			continue
		}
		d := recheck{*r.Request.Watch, r.Request.ID, r.At.Add(recheckDelay(*r.Request.Watch))}
		if time.Now().After(d.at) {
			return // an old report: the next scheduled inspection is near or over
		}
		select {
		case ev.pages.rechecks <- d:
		default: // the schedule goes on
		}
		return
	}
}

// runRechecks requests the rechecks when they are due, until ctx ends. One that
// the bus does not store is left to the page's schedule.
func (p *pages) runRechecks(ctx context.Context, bus Bus) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case d := <-p.rechecks:
			wg.Go(func() {
				wait := time.NewTimer(time.Until(d.at))
				defer wait.Stop()
				select {
				case <-ctx.Done():
					return
				case <-wait.C:
				}
				if is, ok := p.watches.of(d.watch.Page); !ok || is.every == 0 {
					return // not watched any more
				}
				try, cancel := context.WithTimeout(ctx, time.Second)
				defer cancel()
				_ = bus.InspectNow(try, d.watch, d.occasion)
			})
		}
	}
}
