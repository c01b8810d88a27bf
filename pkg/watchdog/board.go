package watchdog

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"libra/pkg/libra"
)

// board is the watchdog's mind: it belongs to the goroutine in run.
type board struct {
	cfg    Config
	deps   Deps
	probes map[string]*probe // by alarm
	beats  *beats
	wards  *wards
	out    *outbox
	file   keeper
	count  counters
	// started and caughtUp say whether we may judge yet: see mayJudge.
	started  time.Time
	caughtUp bool
	onBus    map[string]string // transition by alarm, while the bus is read
	reading  time.Time         // since when it is
	reread   chan struct{}     // asks for that again
	// round counts what run has gone round, for whoever asks from outside.
	round atomic.Int64
}

// counters is what counters.json holds.
type counters struct {
	At      time.Time        `json:"at"`
	Grace   time.Time        `json:"grace"` // until then, what was never well is not unwell
	Tallies map[string]Tally `json:"tallies"`
	Silent  []silent         `json:"silent"`
}

// resume is how old counters may be to be gone on with. Older ones are of
// another life: everything may have been restarted since.
const resume = time.Minute

func newBoard(cfg Config, deps Deps, probes []*probe, beats *beats, wards *wards, out *outbox, file string) *board {
	now := time.Now()
	b := &board{
		cfg: cfg, deps: deps, probes: map[string]*probe{}, beats: beats, wards: wards, out: out,
		file: keeper{file: file, log: deps.Log}, started: now, reading: now,
		onBus: map[string]string{}, reread: make(chan struct{}, 1),
	}
	for _, p := range probes {
		b.probes[p.alarm.ID] = p
	}
	resumed := b.file.load(&b.count) && b.count.Tallies != nil && now.Sub(b.count.At).Abs() < resume
	if !resumed {
		b.count = counters{Grace: now.Add(cfg.Grace), Tallies: map[string]Tally{}}
	}
	beats.start(now, b.count.Silent)
	for id := range b.probes {
		if t, ok := out.newest(id); ok {
			b.believe(t)
		} else if b.tally(id).State == Bad {
			b.count.Tallies[id] = Tally{State: Unknown} // nobody was told: raise it again
		}
	}
	deps.Log.Info("watching", "targets", len(probes), "resumed", resumed)
	return b
}

func (b *board) tally(id string) Tally {
	t, ok := b.count.Tallies[id]
	if !ok {
		t.State = Unknown
	}
	return t
}

// run judges readings until ctx ends.
func (b *board) run(ctx context.Context, results <-chan observation, history <-chan *libra.Transition) error {
	tick := time.NewTicker(b.cfg.Interval)
	defer tick.Stop()
	beat := time.NewTicker(500 * time.Millisecond)
	defer beat.Stop()
	for {
		b.deps.Tick()
		b.round.Add(1)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case o := <-results:
			b.observe(o)
		case t := <-history:
			b.learn(t)
		case <-beat.C:
		case <-tick.C:
			b.visit()
			b.keep()
			b.deps.Status(b.status())
		}
	}
}

// observe takes in one reading.
func (b *board) observe(o observation) {
	id, r := o.probe.alarm.ID, o.reading
	if id == busAlarm {
		b.beats.bus(r.Verdict == Pass, o.at)
	}
	was := b.tally(id)
	if !b.mayJudge(id) || r.Verdict == Fail && was.State == Unknown && o.at.Before(b.count.Grace) {
		return
	}
	is, change := was.Next(r, o.at, o.probe.limits)
	b.count.Tallies[id] = is
	if is.State != was.State || change != Nothing {
		b.deps.Log.Debug("state", "alarm", id, "was", was.State, "state", is.State, "evidence", r.Evidence)
	}
	switch {
	case change != Nothing:
		b.tell(o, is, change)
	case is.Fails != was.Fails || is.Passes != was.Passes:
		b.keep() // now, not with the next tick: every reading counts
	}
}

// mayJudge says whether we know what was raised before us. Where neither our
// file nor the bus can tell, we go on after the grace; the bus itself is
// judged at once, because nothing else can tell that it is away.
func (b *board) mayJudge(id string) bool {
	return id == busAlarm || b.out.known || b.caughtUp || time.Since(b.started) > b.cfg.Grace
}

// tell makes the transition and hands it over.
func (b *board) tell(o observation, is Tally, change Change) {
	a := o.probe.alarm
	before, _ := b.out.newest(a.ID)
	a.State, a.Since, a.Severity = libra.Raised, is.Since, is.Severity
	if change != Raise {
		a.Since = before.Alarm.Since
	}
	a.Evidence = evidence(o, is, change)
	if is.Flapping {
		a.Summary += " (flapping)"
	}
	if change == Clear {
		a.State, a.Severity, a.Until = libra.Cleared, before.Alarm.Severity, o.at.UTC()
		a.Summary = o.probe.recovered
	}
	a.Since = a.Since.UTC()
	b.hand(libra.Transition{ID: rand.Text(), Alarm: a, At: o.at.UTC(), Host: b.cfg.Host})
	b.keep()
	if a.ID == busAlarm && change == Clear { // it may have come back without its store
		b.reading = o.at
		select {
		case b.reread <- struct{}{}:
		default:
		}
	}
}

func evidence(o observation, is Tally, change Change) string {
	switch change {
	case Clear:
		return fmt.Sprintf("%d of %d probes in a row passed", is.Passes, is.Passes)
	case Raise:
		text := fmt.Sprintf("%s; %d of %d probes in a row failed", o.reading.Evidence, is.Fails, o.probe.limits.Raise)
		if is.Flapping {
			text += fmt.Sprintf("; raised %d times within %s, so it stays raised until %d probes in a row pass",
				len(is.Raises), o.probe.limits.FlapWindow, o.probe.limits.Calm)
		}
		return text
	}
	return o.reading.Evidence
}

func (b *board) hand(t libra.Transition) {
	b.out.add(t)
	log := b.deps.Log.Warn
	if t.Alarm.State == libra.Cleared {
		log = b.deps.Log.Info
	}
	log("alarm "+string(t.Alarm.State), "alarm", t.Alarm.ID, "target", t.Alarm.Target, "severity", t.Alarm.Severity, "evidence", t.Alarm.Evidence, "transition", t.ID)
}

// learn takes in what the bus knows; nil is the end of it.
func (b *board) learn(t *libra.Transition) {
	if t == nil {
		b.caughtUp = true
		b.out.restore(b.onBus, b.reading)
		clear(b.onBus)
		return
	}
	b.onBus[t.Alarm.ID] = t.ID
	p, ours := b.probes[t.Alarm.ID]
	switch {
	case strings.HasPrefix(t.Alarm.ID, quarantinePrefix):
		b.out.adopt(*t)
	case ours && b.out.adopt(*t):
		b.believe(*t)
		b.deps.Log.Info("alarm known from the bus", "alarm", t.Alarm.ID, "state", t.Alarm.State, "transition", t.ID, "target", p.alarm.Target)
	case !ours && t.Alarm.State == libra.Raised && strings.HasPrefix(t.Alarm.ID, "beat."):
		// A component that is no longer expected cannot come back to life.
		b.abandon(*t)
	}
}

// believe makes the tally fit the newest transition.
func (b *board) believe(t libra.Transition) {
	id := t.Alarm.ID
	is := b.tally(id)
	switch raised := t.Alarm.State == libra.Raised; {
	case raised && is.State != Bad:
		is.State, is.Severity, is.Since, is.Passes = Bad, t.Alarm.Severity, t.Alarm.Since, 0
	case raised:
		is.Severity, is.Since = t.Alarm.Severity, t.Alarm.Since
	case is.State == Bad:
		is = Tally{State: Unknown, Raises: is.Raises}
	}
	b.count.Tallies[id] = is
}

// abandon clears an alarm that nothing watches any more.
func (b *board) abandon(t libra.Transition) {
	if own, ok := b.out.newest(t.Alarm.ID); ok && !t.At.After(own.At) {
		return
	}
	now := time.Now().UTC()
	t.Alarm.State, t.Alarm.Until = libra.Cleared, now
	t.Alarm.Summary, t.Alarm.Evidence = t.Alarm.Target+" is no longer watched", "not among the expected components"
	b.hand(libra.Transition{ID: rand.Text(), Alarm: t.Alarm, At: now, Host: b.cfg.Host})
}

func (b *board) keep() {
	b.count.At = time.Now()
	b.count.Silent = b.beats.silences(b.count.At, b.cfg.Expect)
	b.file.keep(b.count)
}

// forget is for an orderly stop: what comes after it starts afresh.
func (b *board) forget() { b.file.remove() }

// status is one line for systemctl status.
func (b *board) status() string {
	var bad []string
	unknown := 0
	for _, id := range slices.Sorted(maps.Keys(b.probes)) {
		switch b.tally(id).State {
		case Bad:
			bad = append(bad, id)
		case Unknown:
			unknown++
		}
	}
	text := fmt.Sprintf("%d targets", len(b.probes))
	if len(bad) > 0 {
		text += ", alarms: " + strings.Join(bad, " ")
	}
	if n := b.wards.count(); n > 0 {
		text += fmt.Sprintf(", %d pages in quarantine", n)
	}
	if unknown > 0 {
		text += fmt.Sprintf(", %d not yet known", unknown)
	}
	return text
}
