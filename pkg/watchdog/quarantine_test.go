package watchdog_test

import (
	"testing"
	"testing/synctest"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

const poisonURL = "https://poison.example/"

// quarantineReport is one report of the page, by the second it was made.
func (r *rig) quarantineReport(second int, outcome libra.Outcome, quarantined bool) event.Reported {
	return event.Reported{
		Request: event.Request{Page: libra.PageID(poisonURL), URL: poisonURL},
		At:      r.began.Add(time.Duration(second) * time.Second), Quarantined: quarantined,
		Report: libra.Report{Outcome: outcome, ReasonList: libra.ReasonList{Reasons: []string{"panic: poison"}}},
	}
}

func (r *rig) addReport(a event.Reported) { r.set(func() { r.reports = append(r.reports, a) }) }

// A page's quarantine is raised once and cleared once, whatever happens to the
// watchdog, its files and the order of reports.
func TestQuarantine(t *testing.T) {
	id := "quarantine." + libra.PageID(poisonURL)
	for _, lost := range []string{"nothing", "state"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t)
			_, kill := r.start()
			restart := func() {
				if lost == "state" {
					r.cfg.State = t.TempDir()
				}
				_, kill = r.start()
			}
			r.advance(10, true)
			r.addReport(r.quarantineReport(10, libra.Error, false))
			r.advance(3, true)
			r.addReport(r.quarantineReport(13, libra.Error, true))
			r.advance(3, true)
			want := []string{"14 " + id + " raised major"}
			r.wantStored(want...)
			a := r.stored[0].Alarm
			if a.Target != poisonURL || a.Evidence != "panic: poison" || a.Scope != libra.ScopePage || a.Since.Sub(r.began) != 13*time.Second {
				t.Errorf("raised: %+v", a)
			}
			kill()
			restart()
			r.advance(10, true)
			r.addReport(r.quarantineReport(12, libra.Complete, false)) // of before: comes late
			r.advance(5, true)
			r.wantStored(want...)

			r.addReport(r.quarantineReport(30, libra.Partial, false))
			r.advance(5, true)
			want = append(want, "32 "+id+" cleared major")
			r.wantStored(want...)
			kill()
			r.set(func() { r.reports = []event.Reported{r.reports[1], r.reports[3]} })
			restart()
			r.advance(10, true)
			r.wantStored(want...)

			r.addReport(r.quarantineReport(48, libra.Error, true))
			r.advance(3, true)
			r.addReport(r.quarantineReport(50, libra.Error, false))
			r.advance(3, true)
			if got := len(r.stored); got != 4 || r.stored[2].Alarm.State != libra.Raised || r.stored[3].Alarm.State != libra.Cleared {
				t.Errorf("lost %s: after a second quarantine: %+v", lost, r.stored)
			}
		})
	}
}

// A quarantine that ended while no watchdog ran is cleared by the next; reports
// that a bus without its store gets back, the older first, raise nothing again.
func TestQuarantineEndsUnseen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		stop, _ := r.start()
		r.addReport(r.quarantineReport(0, libra.Error, true))
		r.advance(3, true)
		stop()
		r.addReport(r.quarantineReport(2, libra.Complete, false))
		stop, _ = r.start()
		r.advance(3, true)
		stop()
		if len(r.stored) != 2 || r.stored[1].Alarm.State != libra.Cleared || r.stored[1].Alarm.Until.Sub(r.began) != 2*time.Second {
			t.Fatalf("%+v", r.stored)
		}
		all := r.reports
		r.set(func() { r.reports = all[:1:1] })
		r.start()
		r.advance(3, true)
		r.addReport(all[1])
		r.advance(3, true)
		if len(r.stored) != 2 {
			t.Errorf("published again: %+v", r.stored[2:])
		}
	})
}
