package watchdog_test

import (
	"testing"
	"testing/synctest"
	"time"

	"libra/pkg/event"
	"libra/pkg/libra"
)

const poisonURL = "https://poison.example/"

// answer is one report of the poison page, by the second it was made.
func (r *room) answer(second int, outcome libra.Outcome, quarantined bool) event.Reported {
	return event.Reported{
		Request: event.Request{Page: libra.PageID(poisonURL), URL: poisonURL},
		At:      r.began.Add(time.Duration(second) * time.Second), Quarantined: quarantined,
		Report: libra.Report{Outcome: outcome, ReasonList: libra.ReasonList{Reasons: []string{"panic: poison"}}},
	}
}

func (r *room) answered(a event.Reported) { r.set(func() { r.answers = append(r.answers, a) }) }

// A page's quarantine is told once and its end once, whatever becomes of the
// watchdog, of its files and of the order of answers.
func TestQuarantine(t *testing.T) {
	id := "quarantine." + libra.PageID(poisonURL)
	for _, lost := range []string{"nothing", "state"} {
		synctest.Test(t, func(t *testing.T) {
			r := newRoom(t)
			_, kill := r.start()
			restart := func() {
				if lost == "state" {
					r.cfg.State = t.TempDir()
				}
				_, kill = r.start()
			}
			r.pass(10, true)
			r.answered(r.answer(10, libra.Failed, false))
			r.pass(3, true)
			r.answered(r.answer(13, libra.Failed, true))
			r.pass(3, true)
			want := []string{"14 " + id + " raised major"}
			r.wantStored(want...)
			a := r.stored[0].Alarm
			if a.Target != poisonURL || a.Evidence != "panic: poison" || a.Scope != libra.ScopePage || a.Since.Sub(r.began) != 13*time.Second {
				t.Errorf("raised: %+v", a)
			}
			kill()
			restart()
			r.pass(10, true)
			r.answered(r.answer(12, libra.Complete, false)) // of before: comes late
			r.pass(5, true)
			r.wantStored(want...)

			r.answered(r.answer(30, libra.Partial, false))
			r.pass(5, true)
			want = append(want, "32 "+id+" cleared major")
			r.wantStored(want...)
			kill()
			r.set(func() { r.answers = []event.Reported{r.answers[1], r.answers[3]} })
			restart()
			r.pass(10, true)
			r.wantStored(want...)

			r.answered(r.answer(48, libra.Failed, true))
			r.pass(3, true)
			r.answered(r.answer(50, libra.Failed, false))
			r.pass(3, true)
			if got := len(r.stored); got != 4 || r.stored[2].Alarm.State != libra.Raised || r.stored[3].Alarm.State != libra.Cleared {
				t.Errorf("lost %s: after a second quarantine: %+v", lost, r.stored)
			}
		})
	}
}

// What ended while no watchdog ran is told by the next; what a bus that lost
// its store gets back, the older first, is not told again.
func TestQuarantineEndsUnseen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRoom(t)
		stop, _ := r.start()
		r.answered(r.answer(0, libra.Failed, true))
		r.pass(3, true)
		stop()
		r.answered(r.answer(2, libra.Complete, false))
		stop, _ = r.start()
		r.pass(3, true)
		stop()
		if len(r.stored) != 2 || r.stored[1].Alarm.State != libra.Cleared || r.stored[1].Alarm.Until.Sub(r.began) != 2*time.Second {
			t.Fatalf("%+v", r.stored)
		}
		all := r.answers
		r.set(func() { r.answers = all[:1:1] })
		r.start()
		r.pass(3, true)
		r.answered(all[1])
		r.pass(3, true)
		if len(r.stored) != 2 {
			t.Errorf("told again: %+v", r.stored[2:])
		}
	})
}
