package inspector

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"sort"
	"sync"
	"time"

	"libra/pkg/libra"
	"libra/pkg/pressure"
)

// While the host is short of memory or CPU, light inspections go first: a page that
// does not answer is reported as fast as ever. Those that answer wait to be inspected
// whole, few at a time, those of the lowest round first. A page that finds a place
// free is inspected whole at once. However short the host is, some page always is:
//
//	short of  inspected whole at a time
//	nothing   as many as there are slots
//	CPU       assuredSlots
//	memory    1
//
// CPU takes nothing from the fairness of rounds, and little from the throughput: a
// page mostly waits for its site.
const (
	// mostDeferred bounds the pages that wait in one inspector, of about 20 kB each.
	// Beyond it those of the highest rounds are given back, for deferredPause.
	mostDeferred  = 256
	deferredPause = 15 * time.Second
	// deferredWait is how long a page waits before it is given back.
	deferredWait = 5 * time.Minute
	// placedWait is how long a page with a place waits for its host before another
	// page gets the place.
	placedWait = 10 * time.Second
	// lookEvery is how often the kernel is asked.
	lookEvery = time.Second
)

// errDeferred says that too many pages wait for a place.
var errDeferred = errors.New("too many pages wait to be inspected whole")

// places limits how many pages are inspected whole while the host is short.
type places struct {
	log  *slog.Logger
	proc string // "": the host is never short

	mu      sync.Mutex
	short   pressure.Resource // under mu
	since   time.Time         // under mu; when it began
	used    int               // under mu
	waiting []*turn           // under mu; the lowest round first, of a round the first to come
}

// turn is a page that waits for a place.
type turn struct {
	round int64
	got   chan error // holds one: nil with a place
}

// most is how many pages may be inspected whole. p.mu is held.
func (p *places) most() int {
	switch p.short {
	case pressure.Memory:
		return 1
	case pressure.CPU:
		return assuredSlots
	}
	return math.MaxInt
}

// mostNow is how many pages may be inspected whole now.
func (p *places) mostNow() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.most()
}

// take takes a place if one is free that nobody waits for.
func (p *places) take() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.waiting) > 0 || p.used >= p.most() {
		return false
	}
	p.used++
	return true
}

// wait waits for a place, until ctx ends. The error is that of ctx, or errDeferred.
func (p *places) wait(ctx context.Context, round int64) error {
	t := &turn{round, make(chan error, 1)}
	p.mu.Lock()
	at := sort.Search(len(p.waiting), func(i int) bool { return p.waiting[i].round > round })
	p.waiting = slices.Insert(p.waiting, at, t)
	p.grant()
	if last := len(p.waiting) - 1; last >= mostDeferred {
		p.waiting[last].got <- errDeferred
		p.waiting = slices.Delete(p.waiting, last, last+1)
	}
	p.mu.Unlock()
	select {
	case err := <-t.got:
		return err
	case <-ctx.Done():
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if at := slices.Index(p.waiting, t); at >= 0 {
		p.waiting = slices.Delete(p.waiting, at, at+1)
	} else if <-t.got == nil { // it was given a place meanwhile
		p.used--
		p.grant()
	}
	return ctx.Err()
}

// leave gives a place back.
func (p *places) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used--
	p.grant()
}

// grant gives free places to those that wait. p.mu is held.
func (p *places) grant() {
	for len(p.waiting) > 0 && p.used < p.most() {
		p.used++
		p.waiting[0].got <- nil
		p.waiting = slices.Delete(p.waiting, 0, 1)
	}
}

// follow looks what the host is short of until ctx ends.
func (p *places) follow(ctx context.Context) {
	if p.proc == "" {
		return
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		// A kernel without the information has no stall to show.
		memory, _ := pressure.Read(p.proc, pressure.Memory)
		cpu, _ := pressure.Read(p.proc, pressure.CPU)
		p.set(memory, cpu, time.Now())
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// set notes how long processes waited, and lets pages in for which there is a place now.
func (p *places) set(memory, cpu pressure.Stall, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was := p.short
	p.short = pressure.Next(was, memory, cpu)
	switch {
	case p.short == was:
		return
	case p.short == pressure.None:
		p.log.Info("host is not short any more", "of", was, "dur", now.Sub(p.since).Round(time.Second), "waiting", len(p.waiting))
	case was == pressure.None:
		p.since = now
		fallthrough
	default:
		p.log.Warn("host is short, pages wait to be inspected whole", "of", p.short, "memory_percent", memory.Avg10, "cpu_percent", cpu.Avg10, "places", p.most())
	}
	p.grant()
}

// extra is how many slots there are for light inspections beside those that whole ones
// may all take.
func (p *places) extra() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.short == pressure.None {
		return 0
	}
	return assuredSlots
}

// deferred counts the pages that wait for a place.
func (p *places) deferred() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.waiting)
}

// shortage says what the host is short of, and since when; "" while it is not. Who owns a
// page reads it, to whom the host is the page's.
func (p *places) shortage() (text string, since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.short == pressure.None {
		return "", time.Time{}
	}
	what := "memory"
	if p.short == pressure.CPU {
		what = "CPU"
	}
	return fmt.Sprintf("Libra has been short of %s since %s", what, libra.FormatTime(p.since)), p.since
}

// reasons says that pages wait, for the heartbeat.
func (p *places) reasons() []libra.Reason {
	text, _ := p.shortage()
	if text == "" || p.deferred() == 0 {
		return nil
	}
	return []libra.Reason{{
		Code: libra.CodePressure, Text: text + ": pages that answer wait to be inspected whole",
		Remedy: "see what uses it: systemd-cgtop -n 1",
	}}
}
