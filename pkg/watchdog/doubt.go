package watchdog

import (
	"context"
	"sync"
	"time"

	"libra/pkg/event"
)

// doubted is a page whose next inspection decides whether it is an alarm.
type doubted struct {
	watch    event.Watch
	occasion string // the request whose answer was the last failure
	at       time.Time
}

// doubtFor is for how much of its interval a page is doubted that one more
// failure makes an alarm of: then it is weighed once beside its turn. Of three
// failures, a second apart, people hear within 2.5 s of the fault, which may
// come just after a turn, and no page that is well is weighed more often.
func doubtFor(w event.Watch) time.Duration {
	return time.Duration(w.EveryS) * time.Second * 2 / 5
}

// doubt has a page weighed before its turn, where one of these alarms lacks but
// one failure.
func (b *board) doubt(r event.Reported, alarms ...string) {
	limits := onePage.limits(b.cfg)
	for _, id := range alarms {
		t := b.tally(id)
		if t.State == Bad || t.Fails == 0 || t.Fails != limits.Raise-1 {
			continue
		}
		d := doubted{*r.Request.Watch, r.Request.ID, r.At.Add(doubtFor(*r.Request.Watch))}
		if time.Now().After(d.at) {
			return // it is history, and its next turn is near or over
		}
		select {
		case b.pages.doubts <- d:
		default: // its turn comes
		}
		return
	}
}

// ask has pages weighed in time, until ctx ends. What the bus does not take is
// left to the page's next turn.
func (p *pages) ask(ctx context.Context, bus Bus) {
	var wg sync.WaitGroup
	defer wg.Wait()
	for {
		select {
		case <-ctx.Done():
			return
		case d := <-p.doubts:
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
