package watchdog

import (
	"cmp"
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
	"libra/pkg/watchdog/asyncfile"
	"libra/pkg/watchdog/publish"
)

// evaluator turns readings into transitions of alarms. It belongs to the
// goroutine in run.
type evaluator struct {
	cfg         Config
	deps        Deps
	probes      map[string]*probe // by alarm
	heartbeats  *heartbeats
	quarantine  *quarantine
	pages       *pages
	services    *services
	ownTroubles []namedTrouble // faults that the watchdog itself has
	live        *atomic.Pointer[Config]
	publisher   *publish.Publisher
	file        asyncfile.File
	counters    counters
	// started and caughtUp decide whether readings are judged yet: see mayJudge.
	started  time.Time
	caughtUp bool
	onBus    map[string]string // transition by alarm, while the bus is read
	// round counts the rounds of run, for callOutside, and vitals holds readings.
	round  atomic.Int64
	vitals *vitals
}

// counters is what counters.json holds.
type counters struct {
	At      time.Time        `json:"at"`
	Grace   time.Time        `json:"grace"` // until then, a target that never passed does not fail
	Tallies map[string]Tally `json:"tallies"`
	Silent  []savedSilence   `json:"silent"`
	// Restarts are what systemd has counted, by unit.
	Restarts map[string]savedRestarts `json:"restarts,omitempty"`
}

// resumeWithin is how old saved counters may be to be used. Since older ones,
// everything may have been restarted.
const resumeWithin = time.Minute

func newEvaluator(w *Watchdog, out *publish.Publisher) *evaluator {
	now, cfg, deps := time.Now(), *w.config(), w.deps
	ev := &evaluator{
		cfg: cfg, deps: deps, probes: map[string]*probe{}, heartbeats: w.heartbeats, quarantine: w.quarantine, services: w.services, live: &w.live, publisher: out,
		pages: newPages(cfg, deps, w.watches), file: asyncfile.File{Path: join(cfg.Runtime, "counters.json"), Log: deps.Log}, started: now,
		onBus: map[string]string{},
	}
	ev.vitals = newVitals(cfg, w.probes)
	for _, p := range w.probes {
		ev.probes[p.alarm.ID] = p
	}
	resumed := ev.file.Load(&ev.counters) && ev.counters.Tallies != nil && now.Sub(ev.counters.At).Abs() < resumeWithin
	if !resumed {
		ev.counters = counters{Grace: now.Add(cfg.Grace), Tallies: map[string]Tally{}}
	}
	ev.heartbeats.start(now, ev.counters.Silent)
	ev.services.resume(ev.counters.Restarts)
	for _, t := range out.WithPrefix("") {
		ev.adoptState(t)
		ev.adoptSource(t)
	}
	for _, tallies := range []map[string]Tally{ev.counters.Tallies, ev.pages.state.Tallies} {
		for id, t := range tallies {
			if _, published := out.Newest(id); !published && t.State == Bad {
				tallies[id] = Tally{State: Unknown} // killed before it was published: raise it again
			}
		}
	}
	deps.Log.Info("probing", "targets", len(w.probes), "resumed", resumed)
	return ev
}

func (ev *evaluator) tally(id string) Tally {
	t, ok := ev.tallies(id)[id]
	if !ok {
		t.State = Unknown
	}
	return t
}

// tallies holds the tally of an alarm: that of a page is saved together with the
// position in the stream up to which its reports have been judged.
func (ev *evaluator) tallies(id string) map[string]Tally {
	if strings.HasPrefix(id, pagePrefix) {
		return ev.pages.state.Tallies
	}
	return ev.counters.Tallies
}

func (ev *evaluator) setTally(id string, t Tally, l Limits) {
	ev.tallies(id)[id] = t
	if strings.HasPrefix(id, pagePrefix) {
		if !t.worthKeeping(time.Now(), l) {
			delete(ev.pages.state.Tallies, id)
		}
		ev.pages.dirty = true
	}
}

// checkTime is how long one round may take, beside the wait for the next tick:
// it writes small files, most of them into memory.
const checkTime = 2 * time.Second

// run judges readings until ctx ends.
func (ev *evaluator) run(ctx context.Context, in inputs) error {
	tick := time.NewTicker(ev.cfg.Interval)
	defer tick.Stop()
	for {
		ev.deps.Loop.Allow(ev.cfg.Interval + checkTime)
		ev.round.Add(1)
		batches := ev.pages.batches
		if !ev.mayJudge(pagePrefix) {
			batches = nil // reports wait; probes are repeated
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case o := <-in.results:
			ev.observe(o)
		case reports := <-batches:
			ev.judgeBatch(reports)
		case r := <-ev.services.restarts:
			ev.noteRestart(r)
		case s := <-in.settings:
			ev.apply(s)
		case k := <-in.history:
			ev.adoptHistory(k)
		case <-tick.C:
			ev.publisher.BeginBatch() // a storm of alarms is one write
			ev.checkQuarantine()
			ev.checkPages()
			ev.checkTroubles()
			ev.publisher.EndBatch()
			ev.save()
			ev.savePages()
			ev.deps.Status(ev.status())
		}
	}
}

// inputs are what the evaluator receives, besides reports and restarts.
type inputs struct {
	results  <-chan observation
	history  <-chan known
	settings <-chan settings
}

// observe judges one reading. It reports whether that changed the alarm.
func (ev *evaluator) observe(o observation) (changed bool) {
	id, r := o.probe.alarm.ID, o.reading
	ev.vitals.note(o)
	if id == busAlarm {
		ev.heartbeats.setBus(r.Verdict == Pass, o.at)
	}
	was, limits := ev.tally(id), o.probe.streak.limits(ev.cfg)
	starting := o.probe.check != nil && o.at.Before(ev.counters.Grace)
	if !ev.mayJudge(id) || r.Verdict == Fail && (was.State == Unknown && starting || ev.services.stopping.Load()) {
		return false
	}
	is, change := was.Next(r, o.at, limits)
	ev.setTally(id, is, limits)
	if is.State != was.State || change != Nothing {
		ev.deps.Log.Debug("state", "alarm", id, "was", was.State, "state", is.State, "evidence", r.Evidence)
	}
	switch {
	case change != Nothing:
		ev.emit(o, is, change)
		if id == diskAlarm {
			ev.noteDisk(was.Severity, is.Severity)
		}
	case strings.HasPrefix(id, pagePrefix): // saved together with the position
	case is.Fails != was.Fails || is.Passes != was.Passes:
		ev.save() // now and not at the next tick: every reading counts
	}
	return change != Nothing
}

// mayJudge reports whether it is known what was raised before this process
// started. Where neither the file nor the bus has it, judging begins after the
// grace; the bus itself is judged at once, because the rest cannot be known
// while it is away.
func (ev *evaluator) mayJudge(id string) bool {
	return id == busAlarm || ev.publisher.Known() || ev.caughtUp || time.Since(ev.started) > ev.cfg.Grace
}

// emit makes the transition and publishes it.
func (ev *evaluator) emit(o observation, is Tally, change Change) {
	a := o.probe.alarm
	before, _ := ev.publisher.Newest(a.ID)
	a.State, a.Since, a.Severity = libra.Raised, is.Since, is.Severity
	if change != Raise {
		a.Since = before.Alarm.Since
	}
	a.Summary = cmp.Or(o.reading.Summary, a.Summary)
	a.Evidence = evidence(o, is, change, o.probe.streak.limits(ev.cfg))
	a.Cause, a.Flapping, a.EvidenceDetails = o.reading.Cause, is.Flapping, o.reading.Details
	if is.Flapping {
		a.Summary += libra.FlappingNote
	}
	if change == Clear {
		a.State, a.Severity, a.Until = libra.Cleared, before.Alarm.Severity, o.at.UTC()
		a.Summary, a.Cause = o.probe.recovered, before.Alarm.Cause
	}
	a.Since = a.Since.UTC()
	ev.publish(libra.Transition{ID: rand.Text(), Alarm: a, At: o.at.UTC(), Host: ev.cfg.Hostname, Traceparent: o.traceparent})
	if !strings.HasPrefix(a.ID, pagePrefix) { // the tallies of pages are saved with the position
		ev.save()
	}
}

func evidence(o observation, is Tally, change Change, l Limits) string {
	counted := o.probe.streak
	switch {
	case counted == once && change == Clear:
		return "as of the newest inspection"
	case counted == reported && change == Clear:
		return "no longer reported"
	case change == Clear:
		return fmt.Sprintf("%s in a row passed", libra.Several(is.Passes, counted.String()))
	case counted == once, counted == reported:
		return o.reading.Evidence
	case change == Raise:
		text := o.reading.Evidence
		if l.Raise > 1 {
			text += fmt.Sprintf("; %s in a row failed", libra.Several(is.Fails, counted.String()))
		}
		if is.Flapping {
			text += fmt.Sprintf("; raised %d times within %s, so it stays raised until %s in a row pass",
				len(is.Raises), libra.FormatDuration(l.Within), libra.Several(l.Calm, counted.String()))
		}
		return text
	}
	return o.reading.Evidence
}

func (ev *evaluator) publish(t libra.Transition) {
	ev.publisher.Add(t)
	log := ev.deps.Log.Warn
	if t.Alarm.State == libra.Cleared {
		log = ev.deps.Log.Info
	}
	log("alarm "+string(t.Alarm.State), "alarm", t.Alarm.ID, "target", t.Alarm.Target, "severity", t.Alarm.Severity, "evidence", t.Alarm.Evidence, "transition", t.ID)
}

// adoptHistory adopts the newest transition that the bus has of an alarm.
func (ev *evaluator) adoptHistory(k known) {
	t := k.transition
	if t == nil {
		ev.caughtUp = true
		ev.publisher.Restore(ev.onBus, k.began)
		clear(ev.onBus)
		return
	}
	ev.onBus[t.Alarm.ID] = t.ID
	id, raised := t.Alarm.ID, t.Alarm.State == libra.Raised
	_, ours := ev.probes[id]
	_, known := ev.publisher.Newest(id)
	switch gone := strings.HasPrefix(id, "beat.") || strings.HasPrefix(id, "restarts."); {
	case strings.HasPrefix(id, quarantinePrefix):
		ev.publisher.Adopt(*t)
	case gone && !ours && raised:
		// A component that is no longer expected sends no heartbeat that clears it.
		if own, ok := ev.publisher.Newest(id); !ok || t.At.After(own.At) {
			ev.clearUnwatched(*t, t.Alarm.Target+" is no longer watched", "not among the expected components")
		}
	case (ours || raised || known) && ev.publisher.Adopt(*t):
		ev.adoptState(*t)
		ev.deps.Log.Info("alarm known from the bus", "alarm", id, "state", t.Alarm.State, "transition", t.ID, "target", t.Alarm.Target)
		ev.adoptSource(*t)
	}
}

// adoptSource names the component whose heartbeats clear an alarm that an
// earlier version raised, or a component whose trouble this process has not
// received.
func (ev *evaluator) adoptSource(t libra.Transition) {
	id := t.Alarm.ID
	_, ours := ev.probes[id]
	_, named := ev.publisher.Sources()[id]
	if t.Alarm.State == libra.Raised && !ours && !named && !slices.ContainsFunc(ownPrefixes, func(p string) bool { return strings.HasPrefix(id, p) }) {
		ev.publisher.SetSource(id, component.Notifier) // most troubles are the notifier's
	}
}

// adoptState makes the tally fit the newest transition.
func (ev *evaluator) adoptState(t libra.Transition) {
	id := t.Alarm.ID
	if strings.HasPrefix(id, quarantinePrefix) {
		return // has no tally
	}
	is := ev.tally(id)
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
	ev.tallies(id)[id] = is
}

// clearUnwatched clears an alarm whose target is no longer probed.
func (ev *evaluator) clearUnwatched(t libra.Transition, summary, evidence string) {
	now := time.Now().UTC()
	t.Alarm.State, t.Alarm.Until = libra.Cleared, now
	t.Alarm.Summary, t.Alarm.Evidence = summary, evidence
	ev.publish(libra.Transition{ID: rand.Text(), Alarm: t.Alarm, At: now, Host: ev.cfg.Hostname})
}

func (ev *evaluator) save() {
	ev.counters.At = time.Now()
	ev.counters.Silent, ev.counters.Restarts = ev.heartbeats.saved(ev.counters.At, ev.cfg.Expect), ev.services.saved()
	ev.file.Save(ev.counters)
}

// stop is for an orderly stop: the next process starts without counters, but for
// those of pages, whose inspections are far apart.
func (ev *evaluator) stop() {
	ev.file.Remove()
	ev.savePagesAtStop()
}

// status is one line for systemctl status.
func (ev *evaluator) status() string {
	var bad []string
	unknown := 0
	for _, id := range slices.Sorted(maps.Keys(ev.probes)) {
		switch ev.tally(id).State {
		case Bad:
			bad = append(bad, id)
		case Unknown:
			unknown++
		}
	}
	text := libra.Several(len(ev.probes), "target")
	for _, id := range slices.Sorted(maps.Keys(ev.publisher.Sources())) {
		if ev.tally(id).State == Bad {
			bad = append(bad, id)
		}
	}
	if down := ev.raisedPages(); down > 0 {
		text += ", " + libra.Several(down, "page alarm")
	}
	if len(bad) > 0 {
		text += ", alarms: " + strings.Join(bad, " ")
	}
	if n := ev.quarantine.count(); n > 0 {
		text += fmt.Sprintf(", %s quarantined", libra.Several(n, "page"))
	}
	if unknown > 0 {
		text += fmt.Sprintf(", %d unknown", unknown)
	}
	return text
}
