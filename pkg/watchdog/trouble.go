package watchdog

import (
	"slices"
	"strings"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

// mostTroubles bounds what one round of beats can raise.
const mostTroubles = 100

// named is a trouble and who names it.
type named struct {
	event.Trouble
	component string
}

// troubleProbe has no check: beats are its readings.
func troubleProbe(n named) *probe {
	return &probe{
		rows: stated,
		alarm: libra.Alarm{
			ID: n.ID, Scope: libra.ScopeComponent, Target: n.Target, Severity: n.Severity, Summary: n.Summary, Runbook: n.Runbook,
		},
		recovered: n.Target + " is well again",
	}
}

// visitTroubles raises what components name in their beats, and clears what
// those that named it do not name any more. Who is silent says nothing.
func (b *board) visitTroubles() {
	now := time.Now()
	all := map[string]named{}
	for _, n := range append(b.beats.troubles(), b.own...) {
		if b.mayName(n.Trouble) && len(all) < mostTroubles {
			if n.Severity.Rank() < 0 {
				n.Severity = libra.Minor
			}
			all[n.ID] = n
		}
	}
	for _, n := range all {
		b.out.source(n.ID, n.component)
		p := troubleProbe(n)
		b.observe(observation{p, p.fail("%s", n.Evidence), now})
	}
	for id, component := range b.out.sources() {
		if _, still := all[id]; still || component != ownName && !b.beats.canHear(component) {
			continue
		}
		t, ok := b.out.newest(id)
		if !ok || t.Alarm.State == libra.Cleared && b.tally(id).State != Bad {
			b.out.source(id, "")
			delete(b.count.Tallies, id)
			continue
		}
		p := &probe{rows: stated, alarm: t.Alarm, recovered: t.Alarm.Target + " is well again"}
		b.observe(observation{p, Reading{Verdict: Pass}, now})
	}
}

// mayName keeps components from speaking for what the watchdog watches itself.
func (b *board) mayName(t event.Trouble) bool {
	_, ours := b.probes[t.ID]
	return !ours && t.ID != "" && len(t.ID) <= 100 && strings.Trim(t.ID, "abcdefghijklmnopqrstuvwxyz0123456789._-") == "" &&
		!slices.ContainsFunc(ownPrefixes, func(p string) bool { return strings.HasPrefix(t.ID, p) })
}

// ownPrefixes begin the ids that only the watchdog itself gives.
var ownPrefixes = []string{pagePrefix, quarantinePrefix, "beat.", "restarts."}
