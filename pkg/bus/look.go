package bus

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// The live view is collected only while somebody looks: see event.LookSubject.

// PublishLook says that somebody looks at the live view.
func (c *Conn) PublishLook() {
	if err := c.nc.Publish(event.LookSubject, nil); err != nil {
		c.log.Debug("publish", "subject", event.LookSubject, "err", err)
	}
}

// WhileLooked calls do whenever somebody begins to look, with a context that ends when
// nobody has looked for event.LookedFor, until ctx ends. It returns when the last do has.
func (c *Conn) WhileLooked(ctx context.Context, do func(context.Context)) error {
	looks := make(chan struct{}, 1)
	sub, err := c.nc.Subscribe(event.LookSubject, func(*nats.Msg) {
		select {
		case looks <- struct{}{}:
		default:
		}
	})
	if err != nil {
		return unavailable(err)
	}
	defer sub.Unsubscribe()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-looks:
		}
		looked, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() {
			defer close(done)
			do(looked)
		}()
		for over := time.After(event.LookedFor); looked.Err() == nil; {
			select {
			case <-ctx.Done():
				stop()
			case <-over:
				stop()
			case <-looks:
				over = time.After(event.LookedFor)
			}
		}
		stop()
		<-done
	}
}

// Usage is what a process uses.
type Usage struct {
	CPU      func() time.Duration // processor time so far
	Resident func() int64         // bytes in memory
}

// PublishSamples publishes what this process uses while somebody looks, until ctx ends:
// its memory is read once for each message, which costs more than all the rest.
func (c *Conn) PublishSamples(ctx context.Context, component, instance string, usage Usage) {
	err := c.WhileLooked(ctx, func(ctx context.Context) {
		cpu, at, resident := usage.CPU(), time.Now(), usage.Resident()
		number := event.SampleAt(at)
		batch := event.Samples{Component: component, Instance: instance}
		for {
			// All processes begin theirs at the same times, so that each has one of every number.
			select {
			case <-ctx.Done():
				return
			case <-time.After(time.Until(time.UnixMilli((event.SampleAt(time.Now()) + 1) * event.SampleEvery.Milliseconds()))):
			}
			used, now := usage.CPU(), time.Now()
			next := event.SampleAt(now)
			if next <= number { // the clock was set
				cpu, at, number = used, now, next
				continue
			}
			batch.Samples = append(batch.Samples, event.Sample{Number: next, Took: next - number, TookUS: now.Sub(at).Microseconds(), CPUUS: (used - cpu).Microseconds(), Resident: resident})
			cpu, at, number = used, now, next
			if len(batch.Samples) == event.MostSamples {
				c.publishLossy(event.SampleSubject(component, instance), batch)
				batch.Samples, resident = batch.Samples[:0], usage.Resident()
			}
		}
	})
	if err != nil && ctx.Err() == nil {
		c.log.Warn("cannot show what this process uses", "err", err)
	}
}

// SubscribeSamples calls fn with what processes use.
func (c *Conn) SubscribeSamples(fn func(event.Samples)) (stop func(), err error) {
	return subscribe(c, event.AllSamples, fn)
}

// ServeInspector answers AskInspector with what answer returns, one question at a time.
func (c *Conn) ServeInspector(instance string, answer func(event.Ask) event.Look) (stop func(), err error) {
	sub, err := c.nc.Subscribe(event.InspectorSubject(instance), func(m *nats.Msg) {
		ask, err := decode[event.Ask](c, m.Subject, m.Data)
		if err != nil {
			return
		}
		if data, err := json.Marshal(answer(ask)); err == nil {
			m.Respond(data)
		}
	})
	if err != nil {
		return nil, unavailable(err)
	}
	return func() { sub.Unsubscribe() }, nil
}

// AskInspector asks an inspector about a request that it may have in progress;
// libra.ErrNotFound when it has not, libra.ErrUnavailable when it does not answer.
func (c *Conn) AskInspector(ctx context.Context, instance string, ask event.Ask) (event.Look, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	data, err := json.Marshal(ask)
	if err != nil {
		return event.Look{}, err
	}
	m, err := c.nc.RequestWithContext(ctx, event.InspectorSubject(instance), data)
	if err != nil {
		return event.Look{}, unavailable(err)
	}
	look, err := decode[event.Look](c, event.InspectorSubject(instance), m.Data)
	switch {
	case err != nil:
		return event.Look{}, fmt.Errorf("%w: %w", libra.ErrUnavailable, err)
	case look.Request != ask.Request:
		return event.Look{}, libra.ErrNotFound
	}
	return look, nil
}

// PublishRunning publishes what an inspector has in progress.
func (c *Conn) PublishRunning(r event.Running) {
	c.publishLossy(event.RunningSubject(r.Inspector), r)
}

// SubscribeRunning calls fn with what inspectors have in progress.
func (c *Conn) SubscribeRunning(fn func(event.Running)) (stop func(), err error) {
	return subscribe(c, event.AllRunning, fn)
}

// JournalTime is for how long an answer of the journal is waited for: longer than it is read.
const JournalTime = 3 * time.Second

// AskJournal asks for lines of the journal; libra.ErrUnavailable when nobody answers.
func (c *Conn) AskJournal(ctx context.Context, ask event.JournalAsk) (event.Journal, error) {
	ctx, cancel := context.WithTimeout(ctx, JournalTime)
	defer cancel()
	data, err := json.Marshal(ask)
	if err != nil {
		return event.Journal{}, err
	}
	m, err := c.nc.RequestWithContext(ctx, event.JournalSubject, data)
	if err != nil {
		return event.Journal{}, unavailable(err)
	}
	answer, err := decode[event.Journal](c, event.JournalSubject, m.Data)
	if err != nil {
		err = fmt.Errorf("%w: %w", libra.ErrUnavailable, err)
	}
	return answer, err
}

// ServeJournal answers AskJournal, one at a time, until stop is called.
func (c *Conn) ServeJournal(ctx context.Context, read func(context.Context, event.JournalAsk) event.Journal) (stop func(), err error) {
	sub, err := c.nc.Subscribe(event.JournalSubject, func(m *nats.Msg) {
		ask, err := decode[event.JournalAsk](c, m.Subject, m.Data)
		if err != nil || time.Now().After(ask.Until) {
			return
		}
		if data, err := json.Marshal(read(ctx, ask)); err == nil {
			m.Respond(data)
		}
	})
	if err != nil {
		return nil, unavailable(err)
	}
	if err := sub.SetPendingLimits(mostJournalAsks, aheadBytes); err != nil {
		return nil, unavailable(err)
	}
	return func() { sub.Unsubscribe() }, nil
}

// mostJournalAsks is how many questions wait for the journal before further ones are
// dropped: libra-web asks four at a time.
const mostJournalAsks = 8
