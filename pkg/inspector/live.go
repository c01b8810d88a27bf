package inspector

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"libra/pkg/event"
	"libra/pkg/inspector/profile"
)

// What this inspector has in progress is published every second while somebody looks at
// the live view, with the processor time of each page by a profile. Nothing of it is done
// while nobody looks.

// showEvery is how often, and how long a profile takes.
const showEvery = time.Second

// show publishes what is in progress, while somebody looks, until ctx ends.
func (i *Inspector) show(ctx context.Context) {
	err := i.conn.WhileLooked(ctx, func(ctx context.Context) {
		for u := (usage{}); ctx.Err() == nil; u = i.measure(ctx) {
			i.conn.PublishRunning(i.inProgress(u))
		}
	})
	if err != nil && ctx.Err() == nil {
		i.log.Warn("cannot show what is in progress", "err", err)
	}
}

// usage is what inspections have used of a second, by request.
type usage struct {
	cpu  map[string]time.Duration
	held map[string]int64 // of processes of their own
}

// measure takes showEvery to measure what each inspection uses. While none is in progress, it
// waits for as long, or for one.
func (i *Inspector) measure(ctx context.Context) usage {
	for wait := time.After(showEvery); i.Running() == 0; {
		select {
		case <-ctx.Done():
			return usage{}
		case <-wait:
			return usage{}
		case <-i.began:
		}
	}
	before := i.loneTimes()
	began := time.Now()
	cpu, err := profile.CPU(ctx, showEvery)
	if err != nil {
		i.log.Debug("measure processor time", "err", err)
		cpu = map[string]time.Duration{}
		select {
		case <-ctx.Done():
		case <-time.After(showEvery):
		}
	}
	took := time.Since(began)
	u := usage{cpu: cpu, held: map[string]int64{}}
	for request, now := range i.loneTimes() {
		u.held[request] = now.resident
		u.cpu[request] += max(0, now.cpu-before[request].cpu)
	}
	for request, used := range u.cpu { // a profile takes a little longer
		u.cpu[request] = time.Duration(float64(used) * float64(time.Second) / float64(took))
	}
	return u
}

// loneTimes is what the lone processes have used so far, by request.
func (i *Inspector) loneTimes() map[string]spent {
	times := map[string]spent{}
	for _, w := range i.all() {
		if t, ok := w.loneSpent(); ok {
			times[w.job.Request.ID] = t
		}
	}
	return times
}

// all are the workers, also those that wait.
func (i *Inspector) all() []*worker {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Collect(maps.Keys(i.claimed))
}

// inProgress lists the inspections: those that use most CPU, then the oldest first.
func (i *Inspector) inProgress(u usage) event.Running {
	workers := i.all()
	used := func(w *worker) time.Duration { return u.cpu[w.job.Request.ID] }
	slices.SortFunc(workers, func(a, b *worker) int {
		return cmp.Or(cmp.Compare(used(b), used(a)), a.claimedAt.Compare(b.claimedAt))
	})
	r := event.Running{Inspector: i.cfg.Instance, At: time.Now().UTC(), Count: len(workers), Inspections: []event.Inspection{}}
	for _, w := range workers[:min(len(workers), event.MostRunning)] {
		shown := w.shown()
		shown.CPUMS = used(w).Milliseconds()
		if held, alone := u.held[w.job.Request.ID]; alone {
			shown.HeldBytes = held
		}
		r.Inspections = append(r.Inspections, shown)
	}
	return r
}

// shown is the inspection as the live view has it, without its processor time.
func (w *worker) shown() event.Inspection {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.job.Request
	return event.Inspection{
		Request: r.ID, Page: r.Page, URL: event.Cut(r.URL, event.MostShownURL), Client: event.Cut(r.Client, event.MostShownURL), Label: event.Cut(r.Label, event.MostShownURL),
		Attempt: w.job.Attempt, Alone: w.lone != nil, Step: w.step.Step, Found: w.step.Found, Done: w.step.Done, Since: w.claimedAt.UTC(), HeldBytes: w.view.Held(),
	}
}

// answer answers what libra-web asks.
func (i *Inspector) answer(ask event.Ask) event.Look {
	for _, w := range i.all() {
		if w.job.Request.ID == ask.Request {
			return w.answer(ask)
		}
	}
	return event.Look{Inspector: i.cfg.Instance}
}

func (w *worker) answer(ask event.Ask) event.Look {
	look := event.Look{
		Inspection: w.shown(), Inspector: w.cfg.Instance, At: time.Now().UTC(), Asked: w.job.Request.Asked,
		Steps: []event.StepTime{}, Outgoing: []event.Outgoing{}, Stacks: []event.Goroutine{},
	}
	switch ask.Do {
	case event.AskEnd:
		w.endBy(ask.By)
	case event.AskLook:
		w.lookInto(&look)
	default: // of a later version
		return event.Look{Inspector: w.cfg.Instance}
	}
	return look
}

// lookInto adds what the worker is doing.
func (w *worker) lookInto(look *event.Look) {
	w.mu.Lock()
	look.Steps = slices.Clone(w.steps)
	lone := w.lone
	w.mu.Unlock()
	if lone != nil {
		look.Outgoing, look.Stacks = lone.look().lists()
		return
	}
	look.Outgoing, look.Stacks = insightOf(w.job.Request.ID, w.view, w.log).lists()
}
