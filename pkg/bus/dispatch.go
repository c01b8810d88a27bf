package bus

import (
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"libra/pkg/event"
)

// Work claims requests, at any time as many as slots returns, and calls do for
// each in a goroutine of its own. It claims those of the lowest round first, so that
// a client with ten thousand does not keep another waiting. A job's lease is extended
// until do returns or longest has passed. Work returns when ctx has ended and
// every do has returned. loop supervises the goroutine that dispatches; it may
// be nil.
func (c *Conn) Work(ctx context.Context, slots func() int, longest time.Duration, loop Loop, do func(context.Context, Job)) error {
	inbox, err := c.newClaims()
	if err != nil {
		return err
	}
	defer inbox.sub.Unsubscribe()
	d := &dispatcher{conn: supervised{c, loop}, inbox: inbox, back: &returns{times: map[uint64]int{}}, news: make(chan struct{}, 1)}
	for lane := range event.Lanes { // where requests were stored before; libra-bus names the rounds
		d.wake(lane, unknownRound)
	}
	sub, err := c.nc.Subscribe(event.AllWakes, func(m *nats.Msg) {
		if lane, round, ok := event.WakeOf(m.Subject); ok {
			d.wake(lane, round)
		}
	})
	if err != nil {
		return unavailable(err)
	}
	defer sub.Unsubscribe()
	naked, err := c.nc.Subscribe(event.AllReturns, d.back.note)
	if err != nil {
		return unavailable(err)
	}
	defer naked.Unsubscribe()

	var wg sync.WaitGroup
	defer wg.Wait()
	var running atomic.Int64
	ended := make(chan struct{}, 1) // a job ended since the last receive
	for {
		d.conn.allow()
		free := slots() - int(running.Load())
		if free <= 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(lookForSlots): // a job may wait for its host by now, which takes no slot
			case <-ended:
			}
			continue
		}
		jobs := d.next(ctx, min(free, mostClaimed))
		if len(jobs) == 0 {
			return ctx.Err()
		}
		running.Add(int64(len(jobs)))
		for _, job := range jobs {
			wg.Go(func() {
				stop := job.extendLease(longest)
				// Also where do panics or ends its goroutine: the slot is free again.
				defer func() {
					stop()
					running.Add(-1)
					select {
					case ended <- struct{}{}:
					default:
					}
				}()
				do(ctx, job)
			})
		}
	}
}

// lookForSlots is how often a worker whose slots are full looks again.
const lookForSlots = 10 * time.Millisecond

// mostClaimed is how many requests are claimed at a time: each claim waits for what the
// bus is storing.
const mostClaimed = 2 * perRound

// dispatcher knows which lanes may have a request. Wake-ups set that while all slots
// are full, too: nothing waits in a queue that could overflow.
type dispatcher struct {
	conn  supervised
	inbox *claims
	back  *returns
	news  chan struct{} // holds one where a lane has been woken since the last receive

	mu    sync.Mutex
	lanes [event.Lanes]lane // under mu
}

// unknownRound comes after those that are known.
const unknownRound = math.MaxInt64

type lane struct {
	waiting bool      // it may have a request
	round   int64     // the lowest that it may have
	missed  time.Time // when it had none after a wake-up; it is to be asked again
	again   bool      // it is asked again
}

// missedAgain is after what time a lane is asked again, once, that had no request after a
// wake-up: its consumer counts a request a moment after the stream has stored it.
const missedAgain = 10 * time.Millisecond

// next returns the next jobs, up to most, waiting for one if need be; none when ctx has
// ended.
func (d *dispatcher) next(ctx context.Context, most int) []Job {
	for ctx.Err() == nil {
		d.conn.allow()
		lane, ok := d.lowest()
		if !ok {
			d.idle(ctx)
			continue
		}
		jobs, err := d.claim(ctx, lane, most)
		if err != nil && ctx.Err() == nil {
			d.conn.log.Debug("claim requests", "lane", lane, "err", err) // libra-bus wakes the lane again
		}
		if len(jobs) > 0 {
			return jobs
		}
	}
	return nil
}

// idle waits until a lane is woken, or is to be asked again.
func (d *dispatcher) idle(ctx context.Context) {
	wait := time.Second // go round, for the loop's supervision
	d.mu.Lock()
	for _, l := range d.lanes {
		if !l.missed.IsZero() {
			wait = missedAgain
		}
	}
	d.mu.Unlock()
	select {
	case <-ctx.Done():
	case <-d.news:
	case <-time.After(wait):
	}
}

func (d *dispatcher) claim(ctx context.Context, lane, most int) (jobs []Job, err error) {
	taken, more, err := d.inbox.take(ctx, lane, most)
	round := int64(1)
	for _, m := range taken {
		job, ok, failed := d.conn.job(m, d.back)
		if err = errors.Join(err, failed); ok {
			jobs, round = append(jobs, job), job.Round
		}
	}
	switch {
	case more && len(taken) > 0:
		d.wake(lane, round)
	case len(taken) == 0 && err == nil:
		d.miss(lane)
	}
	return jobs, err
}

// miss notes that a lane had no request.
func (d *dispatcher) miss(lane int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if l := &d.lanes[lane]; !l.again && l.round != unknownRound {
		l.missed = time.Now()
	}
}

// wake notes that a lane may have a request.
func (d *dispatcher) wake(number int, round int64) {
	d.mu.Lock()
	l := &d.lanes[number]
	if l.waiting {
		round = min(round, l.round)
	}
	*l = lane{waiting: true, round: round}
	d.mu.Unlock()
	select {
	case d.news <- struct{}{}:
	default:
	}
}

// lowest takes the lane with the lowest round from those that may have a request.
// A wake-up while it is asked is not lost: it notes the lane again.
func (d *dispatcher) lowest() (lane int, ok bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i := range d.lanes {
		l := &d.lanes[i]
		if !l.missed.IsZero() && time.Since(l.missed) >= missedAgain {
			l.waiting, l.missed, l.again = true, time.Time{}, true
		}
		if l.waiting && (!ok || l.round < d.lanes[lane].round) {
			lane, ok = i, true
		}
	}
	if ok {
		d.lanes[lane].waiting = false
	}
	return lane, ok
}
