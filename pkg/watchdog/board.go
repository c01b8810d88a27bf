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

	"libra/pkg/component"
	"libra/pkg/libra"
)

// board is the watchdog's mind: it belongs to the goroutine in run.
type board struct {
	cfg    Config
	deps   Deps
	probes map[string]*probe // by alarm
	beats  *beats
	wards  *wards
	pages  *pages
	svc    *services
	own    []named // troubles of the watchdog itself
	live   *atomic.Pointer[Config]
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
	// Restarts are what systemd has counted, by unit.
	Restarts map[string]restartsKept `json:"restarts,omitempty"`
}

// resume is how old counters may be to be gone on with. Older ones are of
// another life: everything may have been restarted since.
const resume = time.Minute

func newBoard(w *Watchdog, out *outbox) *board {
	now, cfg, deps := time.Now(), *w.config(), w.deps
	b := &board{
		cfg: cfg, deps: deps, probes: map[string]*probe{}, beats: w.beats, wards: w.wards, svc: w.services, live: &w.live, out: out,
		pages: newPages(cfg, deps, w.watches), file: keeper{file: join(cfg.Runtime, "counters.json"), log: deps.Log}, started: now, reading: now,
		onBus: map[string]string{}, reread: make(chan struct{}, 1),
	}
	for _, p := range w.probes {
		b.probes[p.alarm.ID] = p
	}
	resumed := b.file.load(&b.count) && b.count.Tallies != nil && now.Sub(b.count.At).Abs() < resume
	if !resumed {
		b.count = counters{Grace: now.Add(cfg.Grace), Tallies: map[string]Tally{}}
	}
	b.beats.start(now, b.count.Silent)
	b.svc.resume(b.count.Restarts)
	for _, t := range out.begin("") {
		b.believe(t)
		b.adopted(t)
	}
	for _, tallies := range []map[string]Tally{b.count.Tallies, b.pages.book.Tallies} {
		for id, t := range tallies {
			if _, told := out.newest(id); !told && t.State == Bad {
				tallies[id] = Tally{State: Unknown} // nobody was told: raise it again
			}
		}
	}
	deps.Log.Info("watching", "targets", len(w.probes), "resumed", resumed)
	return b
}

func (b *board) tally(id string) Tally {
	t, ok := b.tallies(id)[id]
	if !ok {
		t.State = Unknown
	}
	return t
}

// tallies is where the tally of an alarm is kept: that of a page with the
// place in the stream up to which its reports have been judged.
func (b *board) tallies(id string) map[string]Tally {
	if strings.HasPrefix(id, pagePrefix) {
		return b.pages.book.Tallies
	}
	return b.count.Tallies
}

func (b *board) remember(id string, t Tally, l Limits) {
	b.tallies(id)[id] = t
	if strings.HasPrefix(id, pagePrefix) {
		if !t.worthKeeping(time.Now(), l) {
			delete(b.pages.book.Tallies, id)
		}
		b.pages.dirty = true
	}
}

// visitTime is how long one round may take, beside the wait for the next tick:
// it writes small files, most of them into memory.
const visitTime = 2 * time.Second

// run judges readings until ctx ends.
func (b *board) run(ctx context.Context, in inputs) error {
	tick := time.NewTicker(b.cfg.Interval)
	defer tick.Stop()
	for {
		b.deps.Loop.Allow(b.cfg.Interval + visitTime)
		b.round.Add(1)
		batches := b.pages.batches
		if !b.mayJudge(pagePrefix) {
			batches = nil // they wait, unlike probes, which come again
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case o := <-in.results:
			b.observe(o)
		case reports := <-batches:
			b.take(reports)
		case r := <-b.svc.restarts:
			b.restarted(r)
		case s := <-in.settings:
			b.apply(s)
		case t := <-in.history:
			b.learn(t)
		case <-tick.C:
			b.visit()
			b.visitPages()
			b.visitTroubles()
			b.keep()
			b.keepPages()
			b.deps.Status(b.status())
		}
	}
}

// inputs are what the board hears, besides reports and restarts.
type inputs struct {
	results  <-chan observation
	history  <-chan *libra.Transition // nil: all there was
	settings <-chan settings
}

// observe takes in one reading.
func (b *board) observe(o observation) {
	id, r := o.probe.alarm.ID, o.reading
	if id == busAlarm {
		b.beats.bus(r.Verdict == Pass, o.at)
	}
	was, limits := b.tally(id), o.probe.rows.limits(b.cfg)
	starting := o.probe.check != nil && o.at.Before(b.count.Grace)
	if !b.mayJudge(id) || r.Verdict == Fail && (was.State == Unknown && starting || b.svc.left.Load()) {
		return
	}
	is, change := was.Next(r, o.at, limits)
	b.remember(id, is, limits)
	if is.State != was.State || change != Nothing {
		b.deps.Log.Debug("state", "alarm", id, "was", was.State, "state", is.State, "evidence", r.Evidence)
	}
	switch {
	case change != Nothing:
		b.tell(o, is, change)
		if id == diskAlarm {
			b.guardDisk(was.Severity, is.Severity)
		}
	case strings.HasPrefix(id, pagePrefix): // kept together with what was read
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
	a.Evidence = evidence(o, is, change, o.probe.rows.limits(b.cfg))
	a.Cause, a.Flapping, a.EvidenceDetails = o.reading.Cause, is.Flapping, o.reading.Details
	if is.Flapping {
		a.Summary += " (flapping)"
	}
	if change == Clear {
		a.State, a.Severity, a.Until = libra.Cleared, before.Alarm.Severity, o.at.UTC()
		a.Summary, a.Cause = o.probe.recovered, before.Alarm.Cause
	}
	a.Since = a.Since.UTC()
	b.hand(libra.Transition{ID: rand.Text(), Alarm: a, At: o.at.UTC(), Host: b.cfg.Hostname})
	b.keep()
	if a.ID == busAlarm && change == Clear { // it may have come back without its store
		b.reading = o.at
		select {
		case b.reread <- struct{}{}:
		default:
		}
	}
}

func evidence(o observation, is Tally, change Change, l Limits) string {
	rows := o.probe.rows
	switch {
	case rows == once && change == Clear:
		return "the newest inspection says so"
	case rows == stated && change == Clear:
		return "not seen any more"
	case change == Clear:
		return fmt.Sprintf("%d of %d %s in a row passed", is.Passes, is.Passes, rows)
	case rows == once, rows == stated:
		return o.reading.Evidence
	case change == Raise:
		text := fmt.Sprintf("%s; %d of %d %s in a row failed", o.reading.Evidence, is.Fails, l.Raise, rows)
		if is.Flapping {
			text += fmt.Sprintf("; raised %d times within %s, so it stays raised until %d %s in a row pass",
				len(is.Raises), l.Within, l.Calm, rows)
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
	id, raised := t.Alarm.ID, t.Alarm.State == libra.Raised
	_, ours := b.probes[id]
	_, known := b.out.newest(id)
	switch gone := strings.HasPrefix(id, "beat.") || strings.HasPrefix(id, "restarts."); {
	case strings.HasPrefix(id, quarantinePrefix):
		b.out.adopt(*t)
	case gone && !ours && raised:
		// A component that is no longer expected cannot come back to life.
		if own, ok := b.out.newest(id); !ok || t.At.After(own.At) {
			b.abandon(*t, t.Alarm.Target+" is no longer watched", "not among the expected components")
		}
	case (ours || raised || known) && b.out.adopt(*t):
		b.believe(*t)
		b.deps.Log.Info("alarm known from the bus", "alarm", id, "state", t.Alarm.State, "transition", t.ID, "target", t.Alarm.Target)
		b.adopted(*t)
	}
}

// adopted takes care that somebody clears an alarm of which it is not known who
// raised it: an earlier version, or a component that named a trouble.
func (b *board) adopted(t libra.Transition) {
	id := t.Alarm.ID
	_, ours := b.probes[id]
	_, named := b.out.sources()[id]
	if t.Alarm.State == libra.Raised && !ours && !named && !slices.ContainsFunc(ownPrefixes, func(p string) bool { return strings.HasPrefix(id, p) }) {
		b.out.source(id, component.Notifier) // who names most troubles
	}
}

// believe makes the tally fit the newest transition.
func (b *board) believe(t libra.Transition) {
	id := t.Alarm.ID
	if strings.HasPrefix(id, quarantinePrefix) {
		return // has no tally
	}
	is := b.tally(id)
	switch raised := t.Alarm.State == libra.Raised; {
	case raised && is.State != Bad:
		is.State, is.Severity, is.Since, is.Passes = Bad, t.Alarm.Severity, t.Alarm.Since, 0
	case raised:
		is.Severity, is.Since = t.Alarm.Severity, t.Alarm.Since
	case is.State == Bad:
		is = Tally{State: Unknown, Raises: is.Raises}
	default:
		return
	}
	b.tallies(id)[id] = is
}

// abandon clears an alarm that nothing watches any more.
func (b *board) abandon(t libra.Transition, summary, evidence string) {
	now := time.Now().UTC()
	t.Alarm.State, t.Alarm.Until = libra.Cleared, now
	t.Alarm.Summary, t.Alarm.Evidence = summary, evidence
	b.hand(libra.Transition{ID: rand.Text(), Alarm: t.Alarm, At: now, Host: b.cfg.Hostname})
}

func (b *board) keep() {
	b.count.At = time.Now()
	b.count.Silent, b.count.Restarts = b.beats.silences(b.count.At, b.cfg.Expect), b.svc.kept()
	b.file.keep(b.count)
}

// forget is for an orderly stop: what comes after it starts afresh, but for
// the rows of inspections, which are far apart.
func (b *board) forget() {
	b.file.remove()
	b.leavePages()
}

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
	text := libra.Several(len(b.probes), "target")
	for _, id := range slices.Sorted(maps.Keys(b.out.sources())) {
		if b.tally(id).State == Bad {
			bad = append(bad, id)
		}
	}
	if down := b.raisedPages(); down > 0 {
		text += ", " + libra.Several(down, "page alarm")
	}
	if len(bad) > 0 {
		text += ", alarms: " + strings.Join(bad, " ")
	}
	if n := b.wards.count(); n > 0 {
		text += fmt.Sprintf(", %s in quarantine", libra.Several(n, "page"))
	}
	if unknown > 0 {
		text += fmt.Sprintf(", %d not yet known", unknown)
	}
	return text
}
